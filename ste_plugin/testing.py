"""For tests of plugins, ours and yours: an engine without a model, and a check of a plugin."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.errors import PluginError
from ste_plugin.plugins.loader import load_file
from ste_plugin.plugins.manager import (
    check,
    contributed_names,
    contributions,
    import_object,
    plugin_manager,
)


class FakeEngine:
    """An engine whose model is a function; a word is a token.

    Like any engine it cuts a reply at `max_new_tokens`, leaves the prefix out, gives one of the
    choices where there are any, and at temperature 0 gives every sample of a prompt the same reply.

    >>> from ste_plugin.engines import Message, Sampling
    >>> request = ChatRequest("fake", (Message("user", "Say hi."),), Sampling())
    >>> [c.text for c in FakeEngine(lambda request: "hi").complete([request])]
    ['hi']
    """

    def __init__(self, reply: Callable[[ChatRequest], str]) -> None:
        self._reply = reply
        self.requests: list[ChatRequest] = []
        """Everything that was asked, in order."""
        self.closed = False

    @property
    def count(self) -> int:
        """How many requests there were."""
        return len(self.requests)

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield one completion a request, in order; the first sample of a prompt pays for it."""
        read: set[str] = set()
        for request in requests:
            self.requests.append(request)
            prompt = "" if request.prompt_key in read else _prompt(request)
            read.add(request.prompt_key)
            text, whole = self._say(request)
            costs = len(prompt.split()), len(text.split())
            yield Completion(request.key, text, "stop" if whole else "length", *costs)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _say(self, request: ChatRequest) -> tuple[str, bool]:
        """Return the reply and whether it is whole."""
        greedy = request.sampling.temperature == 0
        asked = request.with_sample_index(0) if greedy else request
        text = self._reply(asked)
        if request.choices:
            drawn = request.choices[asked.seed % len(request.choices)]
            return (text if text in request.choices else drawn), True
        text = text.removeprefix(request.prefix)
        words = list(re.finditer(r"\S+", text))
        most = request.sampling.max_new_tokens
        return (text, True) if len(words) <= most else (text[: words[most - 1].end()], False)


def _prompt(request: ChatRequest) -> str:
    return " ".join([*(m.content for m in request.messages), request.prefix])


def check_plugin(plugin: ModuleType | Path) -> list[str]:
    """Return what is wrong with a plugin, one line each; an empty list means that it fits.

    `plugin` is an imported module, or the path of a `hooks.py`. Checked are the names of its hooks,
    collisions with other plugins, its engines' factories and its folders.
    """
    try:
        module = load_file(plugin) if isinstance(plugin, Path) else plugin
        manager = plugin_manager()
        name = manager.get_name(module) or manager.register(module) or ""
        check(manager)
        found = contributed_names(manager)
        engines = contributions(manager, "ste_engines").values()
    except PluginError as error:
        return [str(error)]
    if not found.get(name):
        return [
            f"{plugin}: implements no hook. Mark its functions with @ste_plugin.hookspecs.hookimpl."
        ]
    problems = [_unimportable(target) for owner, target in engines if owner == name]
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
