"""A new package with one of each hook: what `ste new plugin` writes."""

import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any

from ste_plugin import __version__
from ste_plugin.errors import ConfigError
from ste_plugin.storage.durable import make_folder, wrap_write_errors

TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EXPECTED = "expected lower-case words joined by -, at most 40 characters, as judge-for-acme"
_LONGEST = 40
_NEEDED = ("tests", "torch", "transformers", "datasets", "peft", "axolotl", "lm_eval", "vllm")
"""Whose place no package may take, though they need not be installed here: the folder of its own
tests, and hosts."""


def write_plugin(name: str, folder: Path) -> list[Path]:
    """Write a package called `name` into a folder, which is new or empty; return its files.

    Raises: ConfigError for a name that no package can have or that one has, for a folder that is
    not empty, and where copier is not installed; DataError where the folder cannot be written.
    """
    module = module_of(name)
    _check_folder(folder)
    run_copy = _copier()
    data = {"name": name, "module": module, "version": __version__}
    make_folder(folder)
    with wrap_write_errors(folder):
        run_copy(str(TEMPLATE), folder, data=data, defaults=True, quiet=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def module_of(name: str) -> str:
    """Return the Python package of a distribution.

    Raises: ConfigError for a name that no package can have, or that one has.

    >>> module_of("judge-for-acme")
    'judge_for_acme'
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        words = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:_LONGEST].strip("-")
        nearest = f" Did you mean {words!r}?" if _NAME.fullmatch(words) and words != name else ""
        raise ConfigError(f"NAME: found {name!r}; {_EXPECTED}.{nearest}")
    module = name.replace("-", "_")
    if iskeyword(module) or module in sys.stdlib_module_names:
        raise ConfigError(f"NAME: {name!r} is a word of Python itself; call it {name}-judge.")
    if module in _NEEDED:
        raise ConfigError(
            f"NAME: {name!r} would hide what a plugin or ste-plugin itself imports; call it "
            f"{name}-judge."
        )
    if _is_taken(name, module):
        raise ConfigError(
            f"NAME: a package {name!r} is installed here already, and two would hide each other; "
            f"give another name, such as my-{name}, or uninstall that one first."
        )
    return module


def _is_taken(name: str, module: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return find_spec(module) is not None


def _check_folder(folder: Path) -> None:
    """Raise ConfigError for a file, and for a folder that holds anything."""
    if folder.is_dir():
        if held := sorted(path.name for path in folder.iterdir()):
            more = f" and {len(held) - 1} more" if len(held) > 1 else ""
            raise ConfigError(
                f"{folder}: not empty (it holds {held[0]}{more}), and nothing is overwritten. Name "
                "a new folder: --to FOLDER."
            )
    elif folder.exists():
        raise ConfigError(f"{folder}: a file; expected a folder, new or empty. Give another: --to.")


def _copier() -> Callable[..., Any]:
    """Return what fills in a template. Raises: ConfigError where it is not installed."""
    try:
        from copier import run_copy
    except ImportError as error:
        raise ConfigError(
            f"ste new: copier, which writes the files, is not installed ({error}). "
            "`pip install 'ste-plugin[new]'` installs it."
        ) from error
    function: Callable[..., Any] = run_copy
    return function
