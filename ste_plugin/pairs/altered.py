"""Answers that are nearly right at no cost: the good one with a few words altered in it."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ste_plugin.inference.requests import Prompt
from ste_plugin.pairs.calls import MadePair
from ste_plugin.pairs.strategies import Answers, Instructions, Replies
from ste_plugin.records import Drop, Instruction, content_key

_PIECES = re.compile(
    r"^\d+[.)](?=\s)| [+-] |\s+|\d+(?:\.\d+)?|[^\W\d]\w*(?:'[a-z]+)?|[<>=!]=|.",
    re.DOTALL | re.MULTILINE,
)
"""A list's number, a sign between spaces, space, a number, a word, a comparison, or a mark."""
_OPPOSITES = (
    *(("<", ">"), ("<=", ">="), ("==", "!="), (" + ", " - "), ("and", "or"), ("True", "False")),
    *(("min", "max"), ("more", "less"), ("most", "least"), ("always", "never"), ("all", "no")),
    *(("before", "after"), ("first", "last"), ("increase", "decrease"), ("high", "low")),
    *(
        ("is", "isn't"),
        ("are", "aren't"),
        ("can", "cannot"),
        ("does", "doesn't"),
        ("with", "without"),
    ),
    *(
        ("good", "bad"),
        ("large", "small"),
        ("right", "wrong"),
        ("start", "stop"),
        ("true", "false"),
    ),
)
_OPPOSITE = {one: other for pair in _OPPOSITES for one, other in (pair, pair[::-1])}
_WORDS_PER_CHANGE = 20
_LEAST_LETTERS = 3
"""Of both of two words that change places."""


@dataclass(frozen=True, slots=True)
class AlteredAnswer:
    """Every twentieth word or so altered, at least one: a number, an opposite, two words swapped.

    The two answers are alike otherwise, so that neither length nor style nor subject tells which
    is better: a judge has to look for where they differ.
    """

    version: str = content_key(_PIECES.pattern, _OPPOSITES, _WORDS_PER_CHANGE, _LEAST_LETTERS)

    def next_prompt(self, instruction: Instruction, replies: Replies) -> Prompt | None:
        return None

    def worse(
        self, instruction: Instruction, replies: Replies, better: Answers, pool: Instructions
    ) -> MadePair | Drop:
        made = altered(better[instruction.key], instruction.key)
        return made or Drop("pairs", instruction.key, "nothing in the better answer to alter")


def altered(text: str, key: str) -> MadePair | None:
    """Return an answer with words altered, drawn by `key`; None where it has none to alter.

    The fault names what was put in, and the correction what it stands for; both are empty where
    words only changed places.
    """
    draw = random.Random(content_key("altered", key))
    pieces = _PIECES.findall(text)
    replaced = [n for n, piece in enumerate(pieces) if _is_known(piece)]
    swapped = [n for n in range(len(pieces) - 2) if _can_swap(*pieces[n : n + 3])]
    changes = max(1, sum(piece[0].isalnum() for piece in pieces) // _WORDS_PER_CHANGE)
    faults: list[tuple[str, str]] = []
    for place in _places((replaced, swapped), changes, draw):
        if _is_known(was := pieces[place]):
            pieces[place] = _other(was, draw)
            faults.append((pieces[place], was))
        else:
            pieces[place], pieces[place + 2] = pieces[place + 2], was
    worse = "".join(pieces)
    if worse == text:
        return None
    fault, correction = (
        (" ".join(words) for words in zip(*faults, strict=True)) if faults else ("", "")
    )
    return MadePair(worse, fault=fault, correction=correction)


def _is_known(piece: str) -> bool:
    return piece in _OPPOSITE or (piece[0].isdecimal() and piece[-1].isdecimal())


def _other(piece: str, draw: random.Random) -> str:
    """Return another number of as many digits, or the opposite of a word or sign."""
    if piece in _OPPOSITE:
        return _OPPOSITE[piece]
    last = (int(piece[-1]) + draw.randint(1, 9)) % 10
    return f"{piece[:-1]}{last}"


def _can_swap(one: str, between: str, two: str) -> bool:
    both = all(w.isalpha() and len(w) >= _LEAST_LETTERS and not _is_known(w) for w in (one, two))
    return both and between.isspace() and one.casefold() != two.casefold()


def _places(kinds: Sequence[Sequence[int]], count: int, draw: random.Random) -> list[int]:
    """Return up to so many places, the kinds by turns of a coin; a change takes three pieces."""
    done: list[int] = []
    for _ in range(count):
        free = [[n for n in kind if all(abs(n - other) > 2 for other in done)] for kind in kinds]
        if not any(free):
            break
        done.append(draw.choice(draw.choice([kind for kind in free if kind])))
    return done


ALTERED = {"altered-answer": AlteredAnswer()}
