"""Reading a verdict in a reply, by the kind that a format's file names."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ste_plugin.judging.rating import higher
from ste_plugin.judging.verdict import TIE, Reading, Said
from ste_plugin.judging.written.format_file import FormatFile
from ste_plugin.judging.written.linear import compile_linear
from ste_plugin.judging.written.verdict_settings import LETTER, SCORE, JsonPaths

Words = Mapping[str, Reading]
"""What a judge writes → what that says."""
NUMBER = r"[-+]?\d{1,15}(?:\.\d{1,15})?"
_NO_OTHER_NUMBER = r"(?!\d|[.,]\d|\s*(?:[-–]|to\b|or\b)\s*\d)"
"""What stands behind a score where nothing is marked there: "7-8", "7 or 8" and "3,5" are none."""
_NUMBER = re.compile(rf"\s*{NUMBER}\s*")
_MAX_OBJECTS = 100
"""Places of a reply at which a JSON object is looked for."""
_BLANK = r"[^\S\n]"
NOTHING = re.compile(r"(?!)")


def words_of(file: FormatFile) -> dict[str, Reading]:
    """Return what a judge may write, by what it says."""
    if file.rates:
        return {}
    if not file.scale:
        first, second = file.letters
        words: dict[str, Reading] = {first: "A", second: "B"}
        return words | ({file.tie: TIE} if file.tie else {})
    middle = (len(file.scale) - 1) / 2
    return {
        step: "A" if place < middle else "B" if place > middle else TIE
        for place, step in enumerate(file.scale)
    }


def read_verdict(file: FormatFile, said: str) -> Said:
    """Return the verdict in what a judge said after its thoughts, or the score of one answer.

    None for no single one.
    """
    if file.verdict is None:
        return None
    found = [reading for reading in _finder(file)(said) if reading is not None]
    if not found:
        return None
    if file.verdict.take != "only":
        return found[0 if file.verdict.take == "first" else -1]
    return found[0] if len(set(found)) == 1 else None


def mark_of(file: FormatFile) -> Any:
    """Return what a verdict looks like in a reply, as a pattern; of JSON, nothing does."""
    verdict = file.verdict
    if verdict and verdict.marks and file.rates:
        before, after = verdict.marks.split(SCORE)
        ends = "" if after else _NO_OTHER_NUMBER
        return re.compile(rf"{re.escape(before)}(?P<score>{NUMBER}){ends}{re.escape(after)}")
    if verdict and verdict.marks:
        return marks_pattern(verdict.marks, tuple(words_of(file)))
    return compile_linear(verdict.pattern) if verdict and verdict.pattern else NOTHING


def marks_pattern(marks: str, words: Sequence[str]) -> re.Pattern[str]:
    """Return what matches one of the words between its marks; one word is no part of another.

    Where nothing is marked behind it, it is no word of a sentence ("Winner: A tie"), so that no
    small word follows on its line, and none of two ("Winner: A/B").
    """
    before, after = marks.split(LETTER)
    choice = "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
    begins = r"(?<!\w)" if not before or before[-1].isalnum() else ""
    ends = r"(?![\w>=<])" if not after or after[0].isalnum() else ""
    if not after:
        ends += rf"(?!{_BLANK}+[a-z])(?!{_BLANK}*[/&+,|]{_BLANK}*(?:{choice})(?!\w))"
    return re.compile(f"{re.escape(before)}{begins}(?P<letter>{choice}){ends}{re.escape(after)}")


def _rated(said: str, file: FormatFile) -> Iterator[Said]:
    """Yield each score of one answer that lies within the file's."""
    path = file.verdict.json_.score if file.verdict and file.verdict.json_ else None
    if path:
        found = [value for each in _objects(said) if (value := _at(each, path)) is not None]
    else:
        found = [match.group("score") for match in mark_of(file).finditer(said)]
    lowest, highest = file.scores or (float("-inf"), float("inf"))
    for value in found:
        score = _score(value)
        yield score if score is not None and lowest <= score <= highest else None


def _finder(file: FormatFile) -> Callable[[str], Iterator[Said]]:
    verdict, words = file.verdict, words_of(file)
    assert verdict
    if file.rates:
        return partial(_rated, file=file)
    if verdict.json_:
        return partial(_in_json, paths=verdict.json_, words=words)
    return partial(_in_matches, pattern=mark_of(file), words=words, scores=verdict.scores)


def _in_matches(said: str, pattern: Any, words: Words, *, scores: bool) -> Iterator[Reading]:
    for match in pattern.finditer(said):
        if scores:
            yield _higher(match.group("first"), match.group("second"))
        else:
            yield _meaning(match.group("letter"), words)


def _in_json(said: str, paths: JsonPaths, words: Words) -> Iterator[Reading]:
    for found in _objects(said):
        if paths.letter:
            value = _at(found, paths.letter)
            if value is not None:
                yield _meaning(value, words)
        else:
            values = [_at(found, path) for path in (paths.first, paths.second) if path]
            if any(value is not None for value in values):
                yield _higher(*values)


def _objects(text: str) -> Iterator[Any]:
    """Yield each JSON object of a text that stands in no other; one that repeats a key is none."""
    decoder, at = json.JSONDecoder(object_pairs_hook=_without_repetition), 0
    for _ in range(_MAX_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            found, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
        else:
            yield found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


def _at(value: Any, path: str) -> Any:
    """Return what a path of keys and places leads to; None where it leads nowhere."""
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _meaning(value: Any, words: Words) -> Reading:
    """Return what a word says; in other letters, too, where no two words differ by those alone."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    word = str(value).strip()
    folded = {known.casefold(): meaning for known, meaning in words.items()}
    if word not in words and len(folded) == len(words):
        return folded.get(word.casefold())
    return words.get(word)


def _higher(first: Any, second: Any) -> Reading:
    return higher(_score(first), _score(second))


def _score(value: Any) -> float | None:
    """Return a plain number; None for anything else, as no score."""
    plain = not isinstance(value, bool) and _NUMBER.fullmatch(str(value))
    return float(value) if plain else None
