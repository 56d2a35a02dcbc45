"""Reading which of given choices a reply in a server's own words names."""

import re
from collections.abc import Sequence

_ANNOUNCING = re.compile(
    r"the|my|final|overall|so|thus|therefore|better|best|correct|answer|verdict|choice|decision"
    r"|judge?ment|winner|letter|response|assistant|option|one|is|i|choose|pick|prefer",
    re.IGNORECASE | re.ASCII,
)
"""Words that may stand before a choice, as in "My final verdict is"."""
_CLAUSE_END = re.compile(r"[.,;!?\n]")
_MAX_CLAUSE = 200
_CLOSES = re.compile(r"\s*$|[^\S\n]*(\n|[.;:!)\]}*_`\"'”’])")
"""What a choice that ends a clause is followed by."""
_NUMBERS = re.compile(r"[*_]*[.)]")
"""What makes a number at the head of a clause that of a list."""
_NOTHING_FOLLOWS = re.compile(r"[^\w]*$")


def read_choice(said: str, choices: Sequence[str]) -> str | None:
    """Return the one choice that a reply without its thinking gives as its answer, or None.

    It stands alone, in marks or behind words that announce it, and no other one is named. A letter
    that is a word of a sentence ("A tie.", "A response to this …") is none, nor is the number of a
    list ("1. It has …"). Blanks around a choice are those of the words that it continues: a reply
    in a server's own words has none.

    >>> read_choice("**B**.", "AB"), read_choice("Verdict: B.", "AB"), read_choice("A tie.", "AB")
    ('B', 'B', None)
    """
    places = {c: found for c in choices if (found := _places(said, c.strip()))}
    if len(places) != 1:
        return None
    ((choice, found),) = places.items()
    return choice if any(_stands(said, *place) for place in found) else None


def same_choice(said: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a reply is, blanks around it aside; None where it is anything else.

    >>> same_choice("A", [" A", " B"]), same_choice("A.", "AB")
    (' A', None)
    """
    return next((c for c in choices if c.strip() == said.strip()), None)


def _places(said: str, choice: str) -> list[tuple[int, int]]:
    """Return where a choice is a word of its own that no sentence goes on behind."""
    pattern = rf"(?<![^\W_]){re.escape(choice)}(?![^\W_])(?!\s+[a-z])"
    return [match.span() for match in re.finditer(pattern, said)]


def _stands(said: str, start: int, end: int) -> bool:
    """Return whether what is there is the answer: it ends its clause, and only announcing words
    come before it there."""
    clause = _CLAUSE_END.split(said[max(0, start - _MAX_CLAUSE) : start])[-1]
    announced = all(map(_ANNOUNCING.fullmatch, re.findall(r"[^\W_]+", clause)))
    in_list = said[start:end].isdigit() and _NUMBERS.match(said, end) is not None
    if in_list and not _NOTHING_FOLLOWS.match(said, end):
        return False
    return announced and _CLOSES.match(said, end) is not None
