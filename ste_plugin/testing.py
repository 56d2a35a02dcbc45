"""Helpers for tests of plugins: an engine without a model, and checks of plugins and probes."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from ste_plugin.audit.probes.asking import JudgeAsker
from ste_plugin.audit.probes.examine import Row, examine, worst
from ste_plugin.audit.probes.made_pairs import Judge, honest_judge, made_pairs, read_shown
from ste_plugin.audit.probes.probe import Arm, BiasProbe, Sides
from ste_plugin.audit.significance import LEVEL, binomial_tail
from ste_plugin.config import JudgingConfig
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging.builtin import BRIEF
from ste_plugin.plugins.checks.check import plugin_problems
from ste_plugin.plugins.checks.sources import Samples

__all__ = [
    "FakeEngine",
    "check_plugin",
    "check_probe",
    "honest_judge",
    "made_pairs",
    "probe_judge",
    "read_shown",
]
_HONEST_JUDGES = 40
_SURPRISING = 0.01
"""How unlikely so many false alarms must be, at the level of the audit, to count as a fault."""


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


def check_plugin(plugin: ModuleType | Path, *, sources: Samples | None = None) -> list[str]:
    """Return the problems of a plugin, one line each; an empty list means that it fits.

    `plugin` is an imported module, or the path of a `hooks.py`. Its hooks are called as a run calls
    them, with made records and on a run that has no figures yet, each twice: names and arguments
    of hooks, collisions, what is returned, judge formats with texts that try to speak for the
    judge, strategies and selectors on a few instructions, gates where nothing was measured,
    recipes by axolotl and tasks by lm-eval where these are installed. `ste_iteration_finished` and
    `ste_generate_dataset` are not called, as they may write or send something.

    `sources`: name of a source → a small file that it reads, or its settings as in a config. What
    is not named there is not read.
    """
    return plugin_problems(plugin, sources or {}, Path())


def probe_judge(probes: Mapping[str, BiasProbe], judge: Judge) -> list[Row]:
    """Return what the probes find of a synthetic judge on the 60 made pairs, as an audit does."""
    engine = FakeEngine(lambda request: f"It is better. Final verdict: [[{judge(request)}]]")
    asker = JudgeAsker(BRIEF, "synthetic", JudgingConfig(format="brief"))

    def complete(requests: Sequence[ChatRequest], _: str, __: JudgeRequests) -> list[Completion]:
        return list(engine.complete(requests))

    def ask(arms: Sequence[Arm]) -> Sequence[Sides | None]:
        return asker.sides(arms, complete)

    return examine(probes, made_pairs(), ask, 0, asker.can_ask)


def check_probe(probe: BiasProbe, biased_judge: Judge) -> list[str]:
    """Return the problems of a probe, one line each; an empty list means that it may be trusted.

    It has to find its bias in `biased_judge`, which has that bias, and to stay silent on honest
    ones, a tenth of whose verdicts are drawn. Both judge `made_pairs()`, in the format `brief`;
    `read_shown(request)` gives a judge what it is shown.
    """
    problems = [
        f"change: returned another pair when called again with {pair.key}. Draw by its key alone."
        for pair in made_pairs()
        if probe.arms(pair, 0) != probe.arms(pair, 0)
    ][:1]
    found = worst(probe_judge({"probe": probe}, biased_judge))
    if found.measured is None:
        return [*problems, "change: returned None for most of the made pairs. Change more of them."]
    if not found.failed:
        problems.append(
            f"not found in the biased judge: the figure is {found.measured.figure:.2f} (threshold "
            f"{probe.threshold:g}), p {found.measured.p:.2g}."
        )
    judges = (honest_judge(seed) for seed in range(_HONEST_JUDGES))
    alarms = sum(worst(probe_judge({"probe": probe}, judge)).failed for judge in judges)
    if binomial_tail(alarms, _HONEST_JUDGES, LEVEL) < _SURPRISING:
        problems.append(
            f"found in {alarms} of {_HONEST_JUDGES} honest judges, which lack the bias."
        )
    return problems
