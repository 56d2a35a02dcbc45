"""Hooks that nothing would call, and names that a run cannot look up."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import pluggy

from ste_plugin.errors import did_you_mean
from ste_plugin.plugins.checks.told import changing, guarded, instead, own
from ste_plugin.plugins.manager import NAMED_HOOKS, hook_descriptions

_PREFIX, _MARK = "ste_", "ste_impl"
"""What hooks begin with, and the attribute that `hookimpl` gives a function."""


def unmarked_hooks(module: Any) -> list[str]:
    """Return a problem for each function that is named as hooks are and carries no mark."""
    functions = {
        name: value
        for name, value in vars(module).items()
        if name.startswith(_PREFIX) and inspect.isfunction(value)
    }
    return [
        f"{module.__name__}: {name} is not marked, so that nothing calls it.{_hint(name)} Put "
        "@hookimpl (from ste_plugin.hookspecs import hookimpl) above it, or give it another name."
        for name, value in functions.items()
        if value.__module__ == module.__name__ and not hasattr(value, _MARK)
    ]


def _hint(name: str) -> str:
    return "" if name in hook_descriptions() else did_you_mean(name, hook_descriptions())


def name_problems(manager: pluggy.PluginManager, plugin: str) -> list[str]:
    """Return what is wrong with what a plugin contributes by name, whatever the hook."""
    problems: list[str] = []
    for hook in NAMED_HOOKS:
        for implementation in own(manager, hook, plugin):
            problems += guarded(hook, partial(_names, implementation.function))
    return problems


def _names(function: Any) -> Iterator[str]:
    contributed = function()
    for name in contributed:
        if not isinstance(name, str) or not name or name != name.strip() or "\n" in name:
            yield (
                f"{instead(name)} as a name; expected a text without spaces around it, as a config "
                "gives it. Rename it."
            )
    yield from changing("it returned", lambda: list(function()))
