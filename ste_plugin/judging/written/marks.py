"""What in an instruction or an answer could speak for a format's prompt, or for its judge."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ste_plugin.judging.rating import LIKE_SCORE
from ste_plugin.judging.written.format_file import FormatFile
from ste_plugin.judging.written.reading import words_of
from ste_plugin.judging.written.templates import ANSWER, rendered_without_columns
from ste_plugin.judging.written.verdict_settings import LETTER, SCORE

_BRACKETS = re.compile(r"[<>\[\]]")
_SHOWN = {name: f"\ue000{name}\ue000" for name in ("instruction", "answer_a", "answer_b", ANSWER)}
"""What stands for each text while the words around it are looked for."""
_LONGEST_LABEL = 60


class Marks(NamedTuple):
    """Patterns of marks, by how they are made harmless."""

    in_brackets: tuple[re.Pattern[str], ...] = ()
    """Those with brackets, which become round."""
    labels: tuple[re.Pattern[str], ...] = ()
    """Labels without any, at the beginning of a line: a part of them is put into brackets."""
    verdicts: tuple[re.Pattern[str], ...] = ()
    """Verdicts without any: the letter is put into brackets."""

    def broken(self, text: str) -> str:
        """Return a text in which no mark without brackets stands as a format writes it."""
        for label in self.labels:
            text = label.sub(lambda m: f"{m[1]}{_in_part(m[2])}", text)
        for verdict in self.verdicts:
            text = verdict.sub(lambda m: f"{m[1]}({m[2]})", text)
        return text


def _in_part(label: str) -> str:
    """Return a label with its first word, or the punctuation of its only one, in brackets."""
    first, blank, rest = label.partition(" ")
    if rest:
        return f"({first}){blank}{rest}"
    return re.sub(r"(\W+)", r"(\1)", label) if not label.isalnum() else f"({label})"


def marks_of(file: FormatFile, rubric: str) -> Marks:
    """Return the marks of a format: the words before and behind each text, and its verdicts."""
    labels = list(dict.fromkeys(_labels(file, rubric)))
    ends = list(dict.fromkeys(_verdict_ends(file)))
    words = "|".join(re.escape(w) for w in sorted(words_of(file), key=len, reverse=True)) or r"\d+"
    in_brackets = [f"(?i:{_spaced(label)})" for label in labels if _BRACKETS.search(label)]
    # the word as it is read: in another case, or as part of another word, it is code, as x[[b]]
    verdict = rf"\s*(?:{words})(?!\w)"
    in_brackets += [f"(?i:{_spaced(end)}){verdict}" for end in ends if _BRACKETS.search(end)]
    in_brackets += [LIKE_SCORE.pattern] * file.rates
    return Marks(
        tuple(map(re.compile, in_brackets)),
        tuple(_line(label) for label in labels if not _BRACKETS.search(label)),
        tuple(
            re.compile(rf"({_spaced(end)}\s*)({words})", re.IGNORECASE)
            for end in ends
            if not _BRACKETS.search(end)
        ),
    )


def _verdict_ends(file: FormatFile) -> Iterator[str]:
    """Yield the words that stand right before a verdict."""
    marks = file.verdict.marks if file.verdict else None
    place = SCORE if file.rates else LETTER
    for before in ((marks or "").partition(place)[0], file.closing):
        if line := before.rpartition("\n")[2].strip():
            yield line


def _labels(file: FormatFile, rubric: str) -> Iterator[str]:
    first, second = file.letters
    values = {"rubric": rubric, "first": first, "second": second} | file.sample | _SHOWN
    for turn in file.turns:
        try:
            text = rendered_without_columns(turn.template, values)
        except ValueError:  # it needs a row, of which nothing is known yet
            continue
        for shown in _SHOWN.values():
            for before, behind in _around(text, shown):
                yield from (x for x in (before, behind) if 1 < len(x) <= _LONGEST_LABEL)


def _around(text: str, shown: str) -> Iterator[tuple[str, str]]:
    """Yield the line, or the rest of the line, before and behind each place of a text."""
    parts = text.split(shown)
    for before, behind in pairwise(parts):
        last = before.rstrip().rpartition("\n")[2].strip()
        first = behind.lstrip().partition("\n")[0].strip()
        yield (x if "\ue000" not in x else "" for x in (last, first))  # type: ignore[misc]


def _spaced(label: str) -> str:
    """Return an expression for a label, whatever blanks are in it."""
    return r"\s+".join(map(re.escape, label.split()))


def _line(label: str) -> re.Pattern[str]:
    """Return a pattern of a label at the beginning of a line; one of words alone fills its line."""
    ends = r"(?=[ \t]*$)" if label[-1].isalnum() else ""
    return re.compile(rf"^([ \t]*)({_spaced(label)}){ends}", re.IGNORECASE | re.MULTILINE)
