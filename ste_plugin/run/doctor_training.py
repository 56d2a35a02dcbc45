"""Looking over what trains: the recipes of a run, and axolotl configs that list our plugin."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ste_plugin.axolotl.run_config import PLUGIN, is_axolotl_config, read_recipe
from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError, HostError, SteError
from ste_plugin.fitting.catalogue import find_own_recipe, recipe_problems
from ste_plugin.hosts.run_host import python_of, run_python
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.run.finding import CheckResult
from ste_plugin.storage.resources import shipped_folder

_FOR_GPUS = ("bf16", "fp16", "tf32", "fp8", "load_in_4bit", "load_in_8bit")
"""Keys of a recipe that axolotl refuses, or that fail, where there is no GPU."""
_NEEDS = "# needs:"
"""How the line of a recipe's head begins that says what it takes."""


def axolotl_configs(paths: Sequence[Path]) -> list[Path]:
    """Return the axolotl configs among these paths, those of folders included.

    Raises: ConfigError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found += [path] if is_axolotl_config(path) else []
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
        configs = [p for p in inside if "base_model:" in p.read_text("utf-8", "replace")]
        if not configs:
            raise ConfigError(f"{path}: no axolotl config in it (no .yaml with base_model).")
        found += configs
    return found


def check_recipes(config: Path, run: RunConfig, files: Sequence[Path]) -> list[CheckResult]:
    """Return a finding for each recipe of your own, by axolotl's schema, in one start of axolotl.

    A run would meet what it finds only once its judgments are paid for.
    """
    try:
        base, plugins = config.resolve().parent, plugin_manager(files)
        recipes = [find_own_recipe(name, base, plugins) for name in run.training.recipe]
        own = [path for path in recipes if path.parent != shipped_folder("recipes")]
        problems = recipe_problems(own, python_of(run.hosts.train)) if own else {}
    except HostError:  # no axolotl, which is a finding of its own
        problems = {}
    except SteError as error:
        return [CheckResult("training.recipe", str(error), False, "correct training.recipe")]
    checked = [_checked(path, found) for path, found in problems.items()]
    here = recipes if not run.hosts.train.wrapper else []  # as srun, which leads elsewhere
    return checked + _lacking_gpu(here, python_of(run.hosts.train))


def check_axolotl_configs(paths: Sequence[Path]) -> list[CheckResult]:
    """Return a finding for each config; all are checked in one start of axolotl."""
    unusable = {path: problem for path in paths if (problem := _unusable(path))}
    usable = [path for path in paths if path not in unusable]
    try:
        problems = recipe_problems(usable, as_given=True) if usable else {}
    except HostError as error:
        return [
            CheckResult(str(path), str(error), False, "see axolotl's words above") for path in paths
        ]
    checked = [unusable.get(path) or _checked(path, problems[path]) for path in paths]
    return checked + _lacking_gpu(usable, sys.executable)


def _lacking_gpu(paths: Sequence[Path], python: str) -> list[CheckResult]:
    """Return a finding for each recipe that takes a GPU, where the machine has none."""
    needed = {path: needs for path in paths if (needs := needed_gpu(path))}
    if not needed or has_gpu(python):
        return []
    cure = "train where one is, or by a recipe for CPUs (ste recipes list)"
    return [
        CheckResult("GPU", f"none here, and {path.stem} needs {needs}", False, cure)
        for path, needs in needed.items()
    ]


def needed_gpu(path: Path) -> str:
    """Return the GPU that a recipe takes, in the words of its head or by one of its keys; empty
    where it trains without, or on a Ray cluster.

    Raises: ConfigError for a file that is no YAML.
    """
    recipe = read_recipe(path)
    keys = [key for key in _FOR_GPUS if recipe.get(key) not in (None, False, "auto")]
    if not keys or recipe.get("use_ray"):
        return ""
    head = path.read_text(encoding="utf-8").splitlines()
    said = next((line for line in head if line.startswith(_NEEDS)), "")
    told = said.removeprefix(_NEEDS).partition(";")[0].strip()
    return told or f"one ({keys[0]}: {str(recipe[keys[0]]).lower()})"


def has_gpu(python: str) -> bool:
    """Return whether the torch of an environment sees a GPU; True, too, where that cannot be told,
    as what is missing there is a finding of its own."""
    if shutil.which("nvidia-smi"):
        return True
    try:
        answer = run_python(python, "import torch\nprint(torch.accelerator.is_available())")
    except (OSError, HostError):
        return True
    return answer.returncode != 0 or answer.stdout.split()[-1:] == ["True"]


def _unusable(path: Path) -> CheckResult | None:
    """Return what is found of a config that cannot be read, or is not for us."""
    try:
        plugins = read_recipe(path).get("plugins") or []
    except ConfigError as error:
        return CheckResult(str(path), str(error), False, "fix the file as said above")
    if PLUGIN not in plugins:
        return CheckResult(str(path), "does not list our plugin", False, f"plugins: [{PLUGIN}]")
    return None


def _checked(path: Path, problems: Sequence[str]) -> CheckResult:
    told = "\n".join(problems) or "axolotl and our plugin would train it"
    return CheckResult(
        str(path), told, not problems, "fix the config as said above" if problems else ""
    )
