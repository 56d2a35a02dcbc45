"""The recipes that there are: finding one by name, listing them, and checking them with axolotl."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pluggy import PluginManager

from ste_plugin.axolotl import check_recipes
from ste_plugin.axolotl.run_config import read_recipe
from ste_plugin.axolotl.runner import require_host
from ste_plugin.errors import ConfigError, HostError, did_you_mean
from ste_plugin.hosts.run_host import run_host
from ste_plugin.plugins.manager import contributed_folders
from ste_plugin.text.log_summary import summarize_failure

CLUSTERS = "clusters"
"""Folder beside recipes: a folder per kind of cluster, with the files of a run there."""
Listed = tuple[str, str, Path]
"""(name, purpose, path) of one recipe."""


def list_recipes(dirs: Sequence[Path]) -> list[Listed]:
    """Return every `*.yaml` of these folders, by name; the purpose is its `# purpose:` line.

    Raises: ConfigError naming both files where two folders have a recipe of one name.
    """
    found: dict[str, Path] = {}
    for path in (path for folder in dirs for path in sorted(folder.glob("*.yaml"))):
        other = found.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise ConfigError(
                f"Two recipes are called {path.stem!r}: {other} and {path}. Rename one of them, or "
                "give the path of the one you mean."
            )
    return [(name, purpose_of(path), path) for name, path in sorted(found.items())]


def purpose_of(path: Path) -> str:
    """Return what follows `# purpose:` in a recipe's head, or an empty string."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# purpose:"):
            return line.removeprefix("# purpose:").strip()
    return ""


def find_recipe(name_or_path: str, dirs: Sequence[Path], where: str = "ste recipes") -> Path:
    """Return the recipe's file: the path as given, or the recipe of that name.

    Raises: ConfigError with the nearest name where there is neither.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    recipes = {name: file for name, _, file in list_recipes(dirs)}
    name = name_or_path.removesuffix(".yaml")
    if name in recipes:
        return recipes[name]
    hint = did_you_mean(name, recipes)
    raise ConfigError(
        f"{where}: no file and no recipe {name_or_path!r}.{hint} There are: "
        f"{', '.join(recipes)} (`ste recipes list`)."
    )


def find_own_recipe(name: str, base: Path, plugins: PluginManager) -> Path:
    """Return a run's recipe: a file in `base`, the config's folder, or one by its name.

    Raises: ConfigError with the nearest name where there is neither.
    """
    beside = base / name
    if beside.is_file():
        return beside
    return find_recipe(name, contributed_folders(plugins, "ste_recipe_dirs"), "training.recipe")


def cluster_files(name: str, dirs: Sequence[Path]) -> list[Path]:
    """Return the files for runs on a kind of cluster, such as `slurm`; none where it is not one."""
    folders = (folder / CLUSTERS / name for folder in dirs)
    found = next((f for f in folders if name.isidentifier() and f.is_dir()), None)
    return sorted(found.iterdir()) if found else []


def cluster_names(dirs: Sequence[Path]) -> list[str]:
    """Return the kinds of clusters for which there are files."""
    return sorted({path.name for folder in dirs for path in folder.glob(f"{CLUSTERS}/*/")})


def refusal(path: Path, problems: Sequence[str]) -> str:
    """Return the message that a recipe with these problems is told by."""
    told = "\n".join(f"  {problem}" for problem in problems)
    return f"{path}: axolotl would not train this recipe as written:\n{told}"


def recipe_problems(
    paths: Sequence[Path], python: str = "", *, as_given: bool = False
) -> dict[Path, list[str]]:
    """Return what is wrong with each recipe, in one start of axolotl.

    `as_given` checks configs with the manifest and the rows that they name themselves. `python` is
    that of axolotl's environment, by default the one running now.

    Raises: HostError where axolotl is missing or cannot start, ConfigError for a file that is no
    YAML.
    """
    python = python or sys.executable
    for path in paths:
        read_recipe(path)
    arguments = [*(["--as-given"] if as_given else []), *map(str, paths)]
    with tempfile.TemporaryDirectory(prefix="ste-recipes-") as folder:
        log = Path(folder) / "axolotl.log"
        if is_imported(python):
            run_in_copy(check_recipes.main, arguments, log)
        else:
            require_host(python)
            run_host(
                [python, "-m", "ste_plugin.axolotl.check_recipes", *arguments],
                env=_QUIET if as_given else _QUIET | {"HF_HUB_OFFLINE": "1"},
                log=log,
                timeout_minutes=10,
                what=_WHAT,
            )
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    answer = next(line for line in reversed(lines) if line.startswith("STE "))
    return {Path(path): problems for path, problems in json.loads(answer[4:]).items()}


_QUIET = {"AXOLOTL_DO_NOT_TRACK": "1", "PYTHONSAFEPATH": "1"}
_WHAT = "checking recipes with axolotl"


def is_imported(python: str) -> bool:
    """Return whether axolotl is imported here already, as in a command of its own."""
    return python == sys.executable and "axolotl.cli.main" in sys.modules and hasattr(os, "fork")


def run_in_copy(main: Callable[[list[str]], None], arguments: list[str], log: Path) -> None:
    """Call a function in a copy of this process, its output in `log`.

    Raises: HostError where it fails, with what it said.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _end_as_copy(main, arguments, log)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise HostError(f"{_WHAT}: failed, exit code {code}.\n{summarize_failure(log)}")


def _end_as_copy(main: Callable[[list[str]], None], arguments: list[str], log: Path) -> NoReturn:
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        main(arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
