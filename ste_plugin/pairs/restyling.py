"""Answers dressed up: longer, in Markdown, with an authority or an opener, but no better for it.

Pure functions, with two sets of words: pairs are trained on one, and judges are tested on the
other, so that a judge which learnt the very phrases is not taken for one that is not moved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ste_plugin.records import content_key

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_MARKDOWN = re.compile(r"^\s*(?:#{1,6}\s|[-*+]\s|\d+[.)]\s|```|>\s)|\*\*\S|`\S", re.MULTILINE)
_KEPT_WORDS = 3
"""Words of a sentence that are put in bold."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words that answers are dressed up with; none says anything about the question."""

    fillers: tuple[str, ...]
    """Each followed by the answer once more."""
    endings: tuple[str, ...]
    """Sentences that say nothing, behind it all."""
    headings: tuple[str, ...]
    authorities: tuple[str, ...]
    """Each followed by the answer."""
    openers: tuple[str, ...]
    empty: tuple[str, ...]
    """What is no answer at all."""


TRAINED = Wording(
    fillers=(
        "To go through this once more with care:",
        "The same again, step after step:",
        "Put differently, and in more detail:",
    ),
    endings=(
        "There is a lot more that could be added to all of this, and every part of it deserves "
        "time and attention.",
        "As always, the details depend on many things, each of which may be worth a closer look.",
    ),
    headings=("### Overview", "# Summary", "#### Details"),
    authorities=(
        "As experts with decades of experience agree:",
        "According to the official guidelines of the leading professional body:",
        "This was checked by a team of senior scientists:",
    ),
    openers=(
        "What a fantastic thing to ask! It is my pleasure to help you with that.",
        "Absolutely! Here is exactly what you were looking for.",
        "Thank you so much for this wonderful message. Let us get right into it.",
    ),
    empty=(
        "What a fantastic thing to ask!",
        "Absolutely! Here is exactly what you were looking for:",
        "Let us work through this carefully.",
        "Answer:",
        "Of course.",
        "...",
        "-",
        ";",
    ),
)
"""What pair strategies use."""

HELD_OUT = Wording(
    fillers=(
        "In other words, and to say it again in full:",
        "To repeat the most important points at length:",
    ),
    endings=(
        "All in all, this is a broad subject that can be seen from several sides, and it is worth "
        "keeping each of them in mind.",
    ),
    headings=("## Answer", "## Key points"),
    authorities=(
        "Professors at Harvard and Oxford have confirmed the following answer:",
        "As the standard textbook on this subject states:",
    ),
    openers=(
        "Great question! I am happy to help you with this.",
        "Sure, I would be glad to assist you today!",
    ),
    empty=("Great question! I am happy to help.", "Solution", ":"),
)
"""What judges are tested on."""


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text.

    >>> sentences("It is 5. See here:\\nx = 5")
    ['It is 5.', 'See here:', 'x = 5']
    """
    return [part.strip() for part in _SENTENCE_END.split(text.strip()) if part.strip()]


def has_markdown(text: str) -> bool:
    """Return whether a text has headings, lists, bold words or code already."""
    return _MARKDOWN.search(text) is not None


def drawn(words: Sequence[str], *parts: object) -> str:
    """Return one of the words, the same one for the same parts."""
    return words[int(content_key("restyling", *map(str, parts)), 16) % len(words)]


def padded(text: str, wording: Wording, key: str) -> str:
    """Return an answer that says everything twice, and then nothing: more than twice as long."""
    filler, ending = drawn(wording.fillers, key), drawn(wording.endings, key)
    return f"{text.strip()}\n\n{filler} {text.strip()}\n\n{ending}"


def as_markdown(text: str, wording: Wording, key: str) -> str:
    """Return an answer as a list under a heading, the beginning of each sentence in bold."""
    items = [f"- {_bold_start(sentence)}" for sentence in sentences(text)]
    return "\n".join([drawn(wording.headings, key), "", *items])


def with_authority(text: str, wording: Wording, key: str) -> str:
    """Return an answer behind the claim that somebody important says so."""
    return f"{drawn(wording.authorities, key)} {text.strip()}"


def with_opener(text: str, wording: Wording, key: str) -> str:
    """Return an answer behind an opener that says nothing."""
    return f"{drawn(wording.openers, key)} {text.strip()}"


def _bold_start(sentence: str) -> str:
    words = sentence.split()
    return " ".join([f"**{' '.join(words[:_KEPT_WORDS])}**", *words[_KEPT_WORDS:]])
