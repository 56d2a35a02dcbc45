"""Runs in axolotl's environment: tells what axolotl thinks of recipes, as one line of JSON.

Started by path, as this package need not be installed there: `python -P check_recipes.py RECIPE…`
prints `STE {"path": ["problem", …], …}`. With `-P`, or this folder's axolotl.py would be imported
in place of axolotl.
"""

import json
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

# A recipe is checked for the GPU it is written for, not for the machine that checks it.
_GPU = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": 1, "n_node": 1}
_GPU_NAME = {"compute_capability": "sm_90"}
_FILLED = {"output_dir": "out", "base_model": "some/model"}


def names_of(model: Any) -> set[str]:
    """Return every key that a pydantic model reads, aliases included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names |= {name, *(a for a in (field.alias, alias) if isinstance(a, str))}
        names |= {a for a in getattr(alias, "choices", ()) if isinstance(a, str)}
    return names


def unknown_keys(found: dict[str, Any], known: set[str], where: str) -> list[str]:
    """Return a problem for every key that axolotl would drop without a word."""
    problems = []
    for key in found:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{where}{key}: axolotl has no such key and would ignore it{hint}")
    return problems


def missing_plugins(cfg: Any) -> list[str]:
    """Register the recipe's plugins; return a problem for each that does not import."""
    if not cfg.get("plugins"):
        return []
    from axolotl.cli.config import prepare_plugins
    from axolotl.integrations.base import PluginManager

    prepare_plugins(cfg)  # logs an ImportError and goes on without the plugin (0.19)
    loaded = PluginManager.get_instance().plugins
    return [f"plugins: {name} cannot be imported" for name in cfg["plugins"] if name not in loaded]


def dataset_problems(recipe: dict[str, Any]) -> list[str]:
    """Return the problems of the entries of `datasets` and `test_datasets`."""
    from axolotl.utils.schemas import datasets as schemas

    kinds = {"dpo": "DPODataset", "ipo": "DPODataset", "simpo": "DPODataset", "kto": "KTODataset"}
    known = names_of(getattr(schemas, kinds.get(recipe.get("rl") or "", "SFTDataset")))
    return [
        problem
        for section in ("datasets", "test_datasets")
        for number, entry in enumerate(recipe.get(section) or [])
        for problem in unknown_keys(entry, known | {"ds_type"}, f"{section}[{number}].")
    ]


def problems_of(path: Path) -> list[str]:
    """Return everything that is wrong with one recipe; an empty list if axolotl would take it."""
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlConfigWCapabilities
    from pydantic import ValidationError
    from torch import __version__ as torch_version

    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    cfg = DictDefault({**_FILLED, **recipe})
    problems = missing_plugins(cfg)
    model = AxolotlConfigWCapabilities
    if cfg.get("plugins"):
        from axolotl.integrations.config import merge_input_args

        model = merge_input_args()[0]
    problems += unknown_keys(recipe, names_of(model), "")
    problems += dataset_problems(recipe)
    try:
        torch = {"torch_version": str(torch_version).partition("+")[0]}
        validate_config(cfg, capabilities={**_GPU, **_GPU_NAME}, env_capabilities=torch)
    except ValidationError as error:
        problems += [
            ": ".join([*(str(part) for part in e["loc"]), e["msg"]]) for e in error.errors()
        ]
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        problems.append(str(error))
    return problems


if __name__ == "__main__":
    found = {path: problems_of(Path(path)) for path in sys.argv[1:]}
    sys.stdout.write(f"\nSTE {json.dumps(found)}\n")
