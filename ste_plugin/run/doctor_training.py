"""Looking over what trains: the recipes of a run, and axolotl configs that list our plugin."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.axolotl.run_config import PLUGIN, is_axolotl_config, read_recipe
from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError, HostError, SteError
from ste_plugin.fitting.catalogue import find_own_recipe, recipe_problems
from ste_plugin.hosts.run_host import python_of
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.run.finding import CheckResult
from ste_plugin.storage.resources import shipped_folder


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
    return [_checked(path, found) for path, found in problems.items()]


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
    return [unusable.get(path) or _checked(path, problems[path]) for path in paths]


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
