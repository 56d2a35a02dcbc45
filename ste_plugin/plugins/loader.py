"""Plugins that are not installed: importing and registering a `hooks.py`."""

import importlib.util
import re
import traceback
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.errors import PluginError

FIX_PLUGIN = "Fix the plugin (install what it needs), or leave it out."


def register_file(manager: pluggy.PluginManager, file: Path) -> None:
    """Register a file's hooks.

    Raises: PluginError where it cannot be imported, has no hook, or one with unknown arguments.
    """
    module = load_file(file)
    try:
        manager.register(module, str(file))
    except pluggy.PluginValidationError as error:  # arguments that the hook does not have
        raise argument_error(manager, str(file), str(error)) from error
    if not manager.get_hookcallers(module):
        raise PluginError(
            f"{file}: no hook in it; expected functions marked with @hookimpl (from "
            "ste_plugin.hookspecs import hookimpl), named as `ste plugins --hooks` lists them."
        )


def argument_error(manager: pluggy.PluginManager, plugin: str, message: str) -> PluginError:
    """Return the error for pluggy's message about arguments that a hook does not have."""
    hooks, arguments = re.findall(r"hook '(\w+)'", message), re.findall(r"\{(.*)\}", message)
    known = getattr(manager.hook, hooks[0]).spec.argnames if hooks else ()
    but = f" but {', '.join(known)}" if known else ""
    return PluginError(
        f"{plugin}: {', '.join(hooks)}: found the argument {', '.join(arguments)}; expected none"
        f"{but}. Rename it, or leave it out."
    )


def load_file(path: Path) -> Any:
    """Return the module of a `hooks.py` that is not installed.

    Raises: PluginError where the file is missing or does not import.
    """
    spec = importlib.util.spec_from_file_location(f"ste_hooks_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        kind = "a folder" if path.is_dir() else "another file" if path.exists() else "no such file"
        raise PluginError(
            f"{path}: {kind}; expected a Python file (.py) with hooks. Correct the path."
        )
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the plugin raises
        raise PluginError(
            f"{path}: cannot be imported: {_where(error, path)}. {FIX_PLUGIN}"
        ) from error
    return module


def _where(error: BaseException, path: Path) -> str:
    """Return what was raised, with the last line of the file in its traceback."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).resolve() == path.resolve()]
    return f"line {lines[-1]}: {error!r}" if lines else repr(error)
