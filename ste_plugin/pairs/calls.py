"""How a pair strategy's calls are made, what can be read of the replies, and what comes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ste_plugin.engines.base import UNUSABLE, Completion

UNFINISHED = {
    "length": "cut off by the token limit",
    "budget": "not asked for, as the budget was used up",
    **UNUSABLE,
}
"""Finish reason of a reply that cannot be used → why, for drops."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How a strategy's calls are made, where not as usual: it says so in an attribute `calls`."""

    sampled: bool = False
    """Whether each prompt is asked `pairs.samples` times. Samples that were cut off or are empty
    are left out of the replies."""
    sees_answer: bool = False
    """Whether the good answer comes before the replies, as the first of them."""
    by_weaker: bool = False
    """Whether `pairs.weaker` is asked, rather than the generator."""
    asked_as: str = ""
    """The name in the keys of its requests, where strategies share replies; else its own."""


ONE_BY_ONE = Calls()
"""Each prompt is asked once, of the generator, and builds on nothing but the replies."""
SEEING_THE_ANSWER = Calls(sees_answer=True)
BY_WEAKER = Calls(by_weaker=True)


@dataclass(frozen=True, slots=True)
class MadePair:
    """What a strategy makes that has more to give than the worse answer."""

    worse: str
    better: str = ""
    """Empty where that is the good answer."""
    fault: str = ""
    correction: str = ""
    """As in `ResponsePair`."""


def calls_of(strategy: object) -> Calls:
    """Return how a strategy's calls are made."""
    calls: Calls = getattr(strategy, "calls", ONE_BY_ONE)
    return calls


def find_problem(replies: Sequence[Completion], calls: Calls) -> str:
    """Return why no pair can be made of replies, in words for drops; empty where one may be.

    Where prompts are sampled, a single reply that can be used is enough, unless the budget has left
    some out: what most of them say is then not known.
    """
    problems = [problem for reply in replies if (problem := _problem(reply))]
    if not calls.sampled or len(problems) == len(replies):
        return next(iter(problems), "")
    return UNFINISHED["budget"] if UNFINISHED["budget"] in problems else ""


def usable_texts(replies: Sequence[Completion]) -> list[str]:
    """Return the texts of the replies that are whole and say something."""
    return [reply.text for reply in replies if not _problem(reply)]


def _problem(reply: Completion) -> str:
    if reply.finish_reason in UNFINISHED:
        return UNFINISHED[reply.finish_reason]
    return "" if reply.text.strip() else "empty"
