"""Everything that `check_plugin` looks at, in the order in which it can be looked at."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from ste_plugin.errors import PluginError
from ste_plugin.judging.checking import format_problems
from ste_plugin.plugins.checks.figures import figure_problems
from ste_plugin.plugins.checks.folders import folder_problems
from ste_plugin.plugins.checks.imports import slow_imports
from ste_plugin.plugins.checks.marks import name_problems, unmarked_hooks
from ste_plugin.plugins.checks.method import method_problems, takes
from ste_plugin.plugins.checks.sources import Samples, source_problems
from ste_plugin.plugins.checks.told import contributed, own
from ste_plugin.plugins.loader import argument_error, load_file
from ste_plugin.plugins.manager import (
    check_hooks,
    contributed_names,
    import_object,
    plugin_manager,
)


def plugin_problems(plugin: ModuleType | Path, samples: Samples, base: Path) -> list[str]:
    """Return the problems of a plugin, one line each; see `ste_plugin.testing.check_plugin`."""
    try:
        module = load_file(plugin) if isinstance(plugin, Path) else plugin
        unmarked = unmarked_hooks(module)
        manager = plugin_manager()
        name = _register(manager, module, plugin)
        check_hooks(manager)
        by_plugin = contributed_names(manager)
    except PluginError as error:
        return [str(error)]
    if unmarked:
        return unmarked
    if not by_plugin.get(name):
        return [
            f"{plugin}: implements no hook. Mark its functions with @ste_plugin.hookspecs.hookimpl."
        ]
    checks = (
        name_problems,
        _engine_problems,
        _format_problems,
        method_problems,
        partial(source_problems, samples=samples, base=base),
        figure_problems,
        folder_problems,
    )
    found = [p for check in checks for p in check(manager, name)]
    return list(dict.fromkeys(found + slow_imports(module)))


def _register(manager: pluggy.PluginManager, module: Any, plugin: ModuleType | Path) -> str:
    """Return the name under which a plugin is registered, which may be installed already.

    Raises: PluginError for arguments that a hook does not have.
    """
    name = str(plugin) if isinstance(plugin, Path) else module.__name__
    try:
        return manager.get_name(module) or manager.register(module, name) or ""
    except pluggy.PluginValidationError as error:
        raise argument_error(manager, name, str(error)) from error


def _engine_problems(manager: pluggy.PluginManager, plugin: str) -> Iterator[str]:
    for target in (t for h in own(manager, "ste_engines", plugin) for t in contributed(h).values()):
        try:
            factory = import_object(target)
        except PluginError as error:
            yield str(error)
            continue
        if not takes(factory, 2):
            yield f"{target}: it cannot be called as factory(model, place), as an engine's is."


def _format_problems(manager: pluggy.PluginManager, plugin: str) -> Iterator[str]:
    for hook in own(manager, "ste_judge_formats", plugin):
        for key, judge_format in contributed(hook).items():
            yield from format_problems(key, judge_format)
