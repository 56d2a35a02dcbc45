"""Runs in axolotl's environment: prints what axolotl and our plugin find wrong with recipes.

`python -m ste_plugin.axolotl.check_recipes RECIPE…` prints `STE {"path": ["problem", …], …}`; with
`--as-given`, of configs with the rows they name.
"""

import gc
import json
import sys
import tempfile
import traceback
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ste_plugin.axolotl.config_checks import config_problems, missing
from ste_plugin.axolotl.data_keys import DROPPED
from ste_plugin.axolotl.run_config import PLUGIN, overlay
from ste_plugin.axolotl.schema_errors import every_error
from ste_plugin.dataset.row_formats import FORMATS, held_out_rows
from ste_plugin.errors import SteError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.judging.example import Example
from ste_plugin.records import ORDERS, Judgment, ResponsePair
from ste_plugin.storage.dataset_manifest import DatasetManifest, write_rows
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.text import safe_yaml

# A recipe is checked for the GPU it is written for, not for the machine that checks it.
_GPU = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": 1, "n_node": 1}
_GPU_NAME = {"compute_capability": "sm_90"}
_DEFAULTS = {"output_dir": "out"}


def names_of(model: Any) -> set[str]:
    """Return every key that a pydantic model reads, aliases included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names |= {name, *(a for a in (field.alias, alias) if isinstance(a, str))}
        names |= {a for a in getattr(alias, "choices", ()) if isinstance(a, str)}
    return names


def unknown_keys(settings: dict[str, Any], known: set[str], where: str) -> list[str]:
    """Return a problem for every key that axolotl would silently ignore."""
    problems = []
    for key in settings:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{where}{key}: axolotl has no such key and would ignore it{hint}")
    return problems


def register_plugins(cfg: Any) -> Any:
    """Register a config's plugins, and no other recipe's; return axolotl's schema with theirs.

    Raises: SteError where ours refuses the config.
    """
    from axolotl.integrations.base import PluginManager
    from axolotl.integrations.config import merge_input_args
    from axolotl.utils.config import prepare_plugins

    PluginManager.get_instance().plugins.clear()
    prepare_plugins(cfg)
    return merge_input_args()[0]


def example_manifest(folder: Path) -> DatasetManifest:
    """Return the manifest of a data set of one pair, with rows for every training."""
    pair = ResponsePair("pair", "instruction", "Name a fruit.", "An apple.", "A spade.", "example")
    right, wrong = (Judgment(f"{v}", "pair", "A", 0, f"[[{v}]]", v, False) for v in ORDERS)
    example = Example(pair, "A", VERDICT, right, wrong)
    files = {f"{n}-{s}": rows(example) for n, rows in FORMATS.items() for s in ("train", "dev")}
    files["judge-dev"] = held_out_rows(pair, VERDICT)
    entries = {name: write_rows(folder, name, rows) for name, rows in files.items()}
    identity = {"name": VERDICT.name, "version": VERDICT.version}
    return DatasetManifest(folder / "manifest.json", {"judge_format": identity, "files": entries})


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


def problems_of(path: Path, manifest: DatasetManifest | None) -> list[str]:
    """Return all that is wrong with one recipe, each with who refuses it; empty if it would train.

    With a manifest it is checked as a run would use it; with None as it is, its own rows included.
    """
    recipe = safe_yaml.load(path.read_text(encoding="utf-8"))
    given, ours = {**_DEFAULTS, **recipe}, []
    try:
        given = as_a_run(recipe, manifest) if manifest else given
    except SteError as error:
        ours = [str(error)]
    if PLUGIN in (given.get("plugins") or []):
        with suppress(AttributeError, TypeError):  # a value of a type that axolotl refuses
            ours = config_problems(given)
    cfg, schema = registered(given, ours)
    ours += unknown_keys(recipe, names_of(schema) | {"ste"}, "")
    if manifest or not replaces(recipe):
        ours += dataset_problems(recipe)
    valid, theirs = validated(cfg, schema)
    if not manifest:
        theirs += missing(given)
    if valid and not manifest and not ours and not theirs:
        ours += row_problems(valid)
    return [f"{OURS}{p}" for p in ours] + [f"{THEIRS}{p}" for p in theirs]


def registered(given: dict[str, Any], ours: list[str]) -> tuple[Any, Any]:
    """Return a config and axolotl's schema, both with what plugins make of them.

    What our plugin does not take is validated without it; why goes to `ours`, unless it is told.
    """
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault(given)
    try:
        if not ours:
            return cfg, register_plugins(cfg)
    except ImportError as error:  # of a plugin, in axolotl 0.20 and later; before, ours raises
        ours.append(f"plugins: {error.name} cannot be imported")
    except Exception as error:  # of any plugin
        ours.append(str(error))
    cfg = unplugged(given)
    try:
        return cfg, register_plugins(cfg)
    except ImportError:
        cfg["plugins"] = []
        return cfg, register_plugins(cfg)


OURS, THEIRS = "ste refuses: ", "axolotl refuses: "
"""How a problem begins: by who would stop the training for it."""


def unplugged(given: dict[str, Any]) -> Any:
    """Return a config without our plugin, to be validated for all else that is wrong.

    Where our rows would stand in for others, those do that have nothing wrong.
    """
    from axolotl.utils.dict import DictDefault

    left_out = ("ste", *(DROPPED if replaces(given) else ()))
    cfg = {key: value for key, value in given.items() if key not in left_out}
    cfg["plugins"] = [plugin for plugin in given.get("plugins") or [] if plugin != PLUGIN]
    if replaces(given):
        rows = [{"path": "rows", "type": "alpaca", "split": "train"}]
        cfg |= {"datasets": rows, "test_datasets": rows, "val_set_size": 0}
    return DictDefault(cfg)


def replaces(recipe: dict[str, Any]) -> bool:
    """Return whether a config's own data sets are thrown away."""
    return bool((recipe.get("ste") or {}).get("datasets", "replace") == "replace")


def validated(cfg: Any, schema: Any) -> tuple[Any, list[str]]:
    """Return a config as axolotl validates it, or None, and all that it finds wrong with it."""
    from axolotl.utils.config import validate_config
    from torch import __version__ as torch_version

    machine = {
        "capabilities": {**_GPU, **_GPU_NAME},
        "env_capabilities": {"torch_version": str(torch_version).partition("+")[0]},
    }
    try:
        return validate_config(cfg, **machine), []
    except Exception as error:  # what axolotl refuses, it refuses with any
        return None, every_error(schema, {**cfg.to_dict(), **machine}, error)


def row_problems(cfg: Any) -> list[str]:
    """Return what our plugin finds wrong with the rows that a config names, or its tokenizer."""
    try:
        check_own_rows(cfg)
    except SteError as error:
        return [str(error)]
    except Exception as error:  # of transformers, which reads other people's tokenizers
        return [f"base_model, tokenizer_config: axolotl cannot read the tokenizer: {error}"]
    return []


def as_a_run(recipe: dict[str, Any], manifest: DatasetManifest) -> dict[str, Any]:
    """Return a recipe as a run would give it to axolotl."""
    return overlay(recipe, model="some/model", manifest=manifest, output=Path("out"), seed=0)


def check_own_rows(cfg: Any) -> None:
    """Raise SteError for what our plugin finds wrong with the rows that a config names."""
    from axolotl.integrations.base import PluginManager

    cfg.tokenizer_config = cfg.tokenizer_config or cfg.base_model  # as axolotl does when it trains
    for plugin in PluginManager.get_instance().plugins.values():
        if type(plugin).__module__.startswith("ste_plugin."):
            plugin.load_datasets(cfg)


def main(paths: list[str]) -> None:
    """Print the problems of every recipe; after `--as-given` of every config with its own rows."""
    import_axolotl()
    if paths[:1] == ["--as-given"]:
        answer({path: told(Path(path), None) for path in paths[1:]})
        return
    with tempfile.TemporaryDirectory(prefix="ste-rows-") as folder:
        manifest = example_manifest(Path(folder))
        replace_json(manifest.path, manifest.content)
        answer({path: told(Path(path), manifest) for path in paths})


def told(path: Path, manifest: DatasetManifest | None) -> list[str]:
    """Return the problems of one recipe, of which the failure to look for them is one."""
    try:
        return problems_of(path, manifest)
    except Exception as error:  # of what nobody foresaw: the others are still to be told
        traceback.print_exc()
        return [f"cannot be checked: {type(error).__name__}: {error}"]


_OF_TRAININGS = ("bitsandbytes", "sklearn", "torchao")


def import_axolotl() -> None:
    """Import axolotl without packages that only a training needs: a third of the time it takes.

    They are found again afterwards, for a validator that asks for one.
    """
    absent = [name for name in _OF_TRAININGS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    gc.disable()
    with suppress(ImportError):
        import axolotl.loaders
        import axolotl.utils.config  # noqa: F401

        import ste_plugin.axolotl.plugin  # noqa: F401
    for name in absent:
        del sys.modules[name]
    gc.enable()


def answer(problems: dict[str, list[str]]) -> None:
    """Print the line that the calling process looks for."""
    sys.stdout.write(f"\nSTE {json.dumps(problems)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
