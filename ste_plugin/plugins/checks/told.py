"""How problems of plugins are told, and what is found by calling something twice."""

from collections.abc import Callable, Iterator, Mapping
from inspect import isgenerator
from typing import Any

import pluggy

MOST = 120
"""Characters of a value that a problem shows."""


def shown(value: object) -> str:
    """Return a value as a problem shows it, at most so long."""
    text = repr(value)
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def instead(value: object) -> str:
    """Return what was returned in place of something else, in words.

    >>> instead(x for x in "ab")
    'a generator'
    >>> instead("mine")
    "'mine'"
    """
    return "a generator" if isgenerator(value) else shown(value)


def own(manager: pluggy.PluginManager, hook: str, plugin: str) -> list[pluggy.HookImpl]:
    """Return what a plugin implements of a hook: one function, or none."""
    implementations = getattr(manager.hook, hook).get_hookimpls()
    return [found for found in implementations if found.plugin_name == plugin]


def contributed(implementation: pluggy.HookImpl) -> dict[str, Any]:
    """Return what a hook without arguments contributes by name."""
    by_name: Any = implementation.function()
    return dict(by_name)


def call(implementation: pluggy.HookImpl, given: Mapping[str, Any]) -> Any:
    """Return what an implementation returns, given those of the arguments that it names."""
    return implementation.function(*(given[name] for name in implementation.argnames))


def guarded(where: str, problems: Callable[[], Iterator[str]]) -> list[str]:
    """Return problems, each behind its place; what is raised on the way is the last of them."""
    found: list[str] = []
    try:
        for problem in problems():
            found.append(f"{where}: {problem}")
    except (Exception, SystemExit) as error:  # whatever the plugin raises
        found.append(f"{where}: called as a run calls it, it raised {shown(error)}. Fix it.")
    return found


def changing(what: str, call_once: Callable[[], Any]) -> Iterator[str]:
    """Yield that two calls with the same arguments differ, where they do."""
    first, second = call_once(), call_once()
    if first != second:
        yield (
            f"{what} another result when called again with the same arguments: {shown(first)}, "
            f"then {shown(second)}. A run that is resumed must find what it made before: keep no "
            "state between calls, and draw by the key of what is given."
        )
