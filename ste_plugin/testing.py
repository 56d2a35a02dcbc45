"""Helpers for tests of plugins: an engine without a model, and a check of a plugin."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.errors import PluginError
from ste_plugin.judging.checking import format_problems
from ste_plugin.plugins.loader import load_file
from ste_plugin.plugins.manager import (
    check_hooks,
    contributed_names,
    contributions,
    import_object,
    plugin_manager,
)


class FakeEngine:
    """An engine whose model is a function; a word is a token.

    Like any engine it truncates a reply at `max_new_tokens`, omits the prefix, returns one of the
    choices where there are any, and at temperature 0 returns the same reply for every sample.

    >>> from ste_plugin.engines import Message, Sampling
    >>> request = ChatRequest("fake", (Message("user", "Say hi."),), Sampling())
    >>> [c.text for c in FakeEngine(lambda request: "hi").complete([request])]
    ['hi']
    """

    def __init__(self, reply: Callable[[ChatRequest], str]) -> None:
        self._reply = reply
        self.requests: list[ChatRequest] = []
        """All requests so far, in order."""
        self.closed = False

    @property
    def count(self) -> int:
        """The number of requests so far."""
        return len(self.requests)

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield a completion per request, in order; a prompt's tokens count for one sample only."""
        counted: set[str] = set()
        for request in requests:
            self.requests.append(request)
            prompt = "" if request.prompt_key in counted else _prompt(request)
            counted.add(request.prompt_key)
            text, complete = self._generate(request)
            tokens = len(prompt.split()), len(text.split())
            yield Completion(request.key, text, "stop" if complete else "length", *tokens)

    def close(self) -> None:
        """Set `closed`."""
        self.closed = True

    def _generate(self, request: ChatRequest) -> tuple[str, bool]:
        """Return the reply, and whether it is complete."""
        greedy = request.sampling.temperature == 0
        effective = request.with_sample_index(0) if greedy else request
        text = self._reply(effective)
        if request.choices:
            drawn = request.choices[effective.seed % len(request.choices)]
            return (text if text in request.choices else drawn), True
        text = text.removeprefix(request.prefix)
        words = list(re.finditer(r"\S+", text))
        limit = request.sampling.max_new_tokens
        return (text, True) if len(words) <= limit else (text[: words[limit - 1].end()], False)


def _prompt(request: ChatRequest) -> str:
    return " ".join([*(m.content for m in request.messages), request.prefix])


def check_plugin(plugin: ModuleType | Path) -> list[str]:
    """Return the problems of a plugin, one line each; an empty list means that it fits.

    `plugin` is an imported module, or the path of a `hooks.py`. Checks the names of its hooks,
    collisions with other plugins, its engines' factories and its folders; and asks its judge
    formats all that a run asks them, with texts that try to speak for the judge.
    """
    try:
        module = load_file(plugin) if isinstance(plugin, Path) else plugin
        manager = plugin_manager()
        name = manager.get_name(module) or manager.register(module) or ""
        check_hooks(manager)
        by_plugin = contributed_names(manager)
        engines = contributions(manager, "ste_engines").values()
        formats = contributions(manager, "ste_judge_formats").items()
    except PluginError as error:
        return [str(error)]
    if not by_plugin.get(name):
        return [
            f"{plugin}: implements no hook. Mark its functions with @ste_plugin.hookspecs.hookimpl."
        ]
    problems = [_unimportable(target) for owner, target in engines if owner == name]
    for key, (owner, judge_format) in formats:
        problems += format_problems(key, judge_format) if owner == name else []
    for hook in ("ste_recipe_dirs", "ste_task_dirs"):
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            folder = implementation.function() if implementation.plugin_name == name else None
            if folder is not None and not Path(folder).is_dir():
                problems.append(f"{hook}: {folder} is no folder.")
    return [p for p in problems if p]


def _unimportable(target: str) -> str:
    try:
        import_object(target)
    except PluginError as error:
        return str(error)
    return ""
