"""Made pairs and an honest judge of them: what a probe has to stay silent on.

Each question is about a thing of its own; the better answer is about it, the worse one as long and
as fluent, about another. A judge that reads can tell them apart, and nobody else.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from ste_plugin.engines.base import ChatRequest, Message
from ste_plugin.pairs.restyling import sentences
from ste_plugin.records import ORDERS, ResponsePair, Verdict, content_key

Judge = Callable[[ChatRequest], Verdict]
"""A request for a judgment → the letter that a synthetic judge prefers."""

_COLOURS = ("green", "red", "copper", "wooden", "paper", "striped")
_NOUNS = ("kettle", "lamp", "bicycle", "tent", "violin", "rug", "clock", "kite", "oven", "canoe")
_ASKED = (
    "How do I look after a {}?",
    "What should I know before I buy a {}?",
    "Tell me what a {} is good for.",
)
_SENTENCES = (
    "A {} lasts for years where it is kept dry.",
    "Dust is what harms the {} most.",
    "Let somebody who knows the {} look at it once a year.",
    "Never lend your {} to a stranger.",
    "The {} is sold in most towns.",
)
_SHOWN = re.compile(
    r"(?P<rubric>.*?)\[Instruction\]\n(?P<instruction>.*)\n\n\[Answer A\]\n(?P<a>.*)"
    r"\n\n\[Answer B\]\n(?P<b>.*)",
    re.DOTALL,
)


class Shown(NamedTuple):
    """What a judge is shown by a request."""

    rubric: str
    instruction: str
    a: str
    b: str
    later: tuple[Message, ...]
    """What was said after the first prompt."""


def read_shown(request: ChatRequest) -> Shown:
    """Return what a request in one of the formats that ship shows its judge."""
    match = _SHOWN.fullmatch(request.messages[0].content)
    if match is None:
        raise ValueError("not a prompt of a judge format that ships")
    return Shown(
        match["rubric"], match["instruction"], match["a"], match["b"], request.messages[1:]
    )


def made_pairs() -> list[ResponsePair]:
    """Return 60 pairs of 60 questions, always the same."""
    things = [f"{colour} {noun}" for colour in _COLOURS for noun in _NOUNS]
    return [_pair(i, thing, things[(i + 7) % len(things)]) for i, thing in enumerate(things)]


def _pair(number: int, thing: str, other: str) -> ResponsePair:
    instruction = _ASKED[number % len(_ASKED)].format(thing)
    count, first = 3 + number % 2, number % len(_SENTENCES)
    chosen = [_SENTENCES[(first + i) % len(_SENTENCES)] for i in range(count)]
    better, worse = (" ".join(s.format(each) for s in chosen) for each in (thing, other))
    key = content_key("made", instruction)
    return ResponsePair(key, key, instruction, better, worse, "modified-instruction")


def honest_judge(seed: int = 0, noise: float = 0.1) -> Judge:
    """Return a judge that prefers the answer with more sentences on what was asked.

    A share of its verdicts, `noise`, is drawn; so are those on answers between which it cannot
    tell. What it draws for a prompt depends on that prompt and the seed alone.
    """

    def judge(request: ChatRequest) -> Verdict:
        shown = read_shown(request)
        on_a, on_b = (_on_topic(shown.instruction, answer) for answer in (shown.a, shown.b))
        if _uniform(seed, request, "noise") < noise or on_a == on_b:
            return ORDERS[_uniform(seed, request, "letter") < 0.5]
        return "A" if on_a > on_b else "B"

    return judge


def _on_topic(instruction: str, answer: str) -> float:
    """Return the share of an answer's sentences on the thing that was asked about."""
    asked = re.search(rf"(?:{'|'.join(_COLOURS)}) (?:{'|'.join(_NOUNS)})", instruction)
    said = [s.replace("*", "") for s in sentences(answer)]
    return sum(asked[0] in s for s in said) / len(said) if asked and said else 0.0


def _uniform(seed: int, request: ChatRequest, what: str) -> float:
    return int(content_key(what, seed, request.prompt_key), 16) / 16**16
