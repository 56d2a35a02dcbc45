"""What an answer looks like, its meaning aside: lengths, formats, first and last words."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from math import log
from sys import intern
from typing import NamedTuple

from ste_plugin.text.thinking import split_thinking
from ste_plugin.text.words import split_run

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MOST_CHARACTERS = 8_000
"""Of an answer whose words are counted: what an audit holds grows with them."""


class Measure(NamedTuple):
    """Something that an answer has more or less of."""

    more: str
    """What the better answer does if it has more, as `is longer`."""
    less: str
    """And if it has less, in a word."""
    count: Callable[[str], int]


def _count(pattern: str) -> Callable[[str], int]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: sum(1 for _ in compiled.finditer(text))


def _more(what: str, pattern: str) -> Measure:
    return Measure(f"has more {what}", "fewer", _count(pattern))


MEASURES = (
    Measure("is longer", "shorter", len),
    _more("words", _WORD.pattern),
    _more("lines", r"^.*\S.*$"),
    _more("paragraphs", r"\n\s*\n\s*\S"),
    _more("list items", r"^\s*[-*•+]\s+\S"),
    _more("numbered items", r"^\s*\(?\d{1,3}[.):]\s+\S"),
    _more("headings", r"^\s*(?:#{1,6}\s+\S|\*\*[^*\n]+\*\*:?\s*$)"),
    _more("bold words", r"\*\*[^*\n]+\*\*|__[^_\n]+__"),
    _more("blocks of code", r"^\s*(?:```|~~~)"),
    _more("words set as code", r"(?<!`)`[^`\n]+`(?!`)"),
    _more("table rows", r"^\s*\|.*\|\s*$"),
    _more("links", r"https?://|\]\("),
    _more("full stops", r"[.。](?:\s|$)"),
    _more("commas", r"[,、，]"),
    _more("colons", r"[:：]"),
    _more("exclamation marks", r"[!！]"),
    _more("question marks", r"[?？]"),
    _more("brackets", r"[(（\[]"),
    _more("quotation marks", r"[\"“”„«»「」]"),
    _more("digits", r"\d"),
    _more("capital letters", r"[A-ZÀ-ÖØ-ÞА-Я]"),
)
"""The first is length in characters."""

_BEGINNINGS = (
    ("a heading", re.compile(r"\s*#{1,6}\s")),
    ("a list", re.compile(r"\s*(?:[-*•+]|\d{1,3}[.)])\s")),
    ("a block of code", re.compile(r"\s*(?:```|~~~)")),
    ("bold words", re.compile(r"\s*\*\*")),
    ("a quotation mark", re.compile(r"\s*[\"'“„«「]")),
    ("a number", re.compile(r"\s*\d")),
    ("a small letter", re.compile(r"\s*[a-zà-öø-ÿ]")),
    ("white space", re.compile(r"\s")),
)
_ENDINGS = (
    ("a full stop", re.compile(r"[.。]\s*$")),
    ("an exclamation mark", re.compile(r"[!！]\s*$")),
    ("a question mark", re.compile(r"[?？]\s*$")),
    ("a colon", re.compile(r"[:：]\s*$")),
    ("an ellipsis", re.compile(r"(?:\.\.\.|…)\s*$")),
    ("a block of code", re.compile(r"(?:```|~~~)\s*$")),
    ("a letter, without a stop", re.compile(r"[^\W\d_]\s*$")),
    ("a digit, without a stop", re.compile(r"\d\s*$")),
    ("white space", re.compile(r"\s$")),
)


def measure(text: str) -> list[float]:
    """Return an answer's measures, in the order of `MEASURES`, on a log scale."""
    return [log(1 + m.count(text)) for m in MEASURES]


def format_signs(text: str) -> Iterator[str]:
    """Yield what can be said of an answer's form, as `ends with a colon`."""
    if not text.strip():
        yield "is empty"
        return
    if split_thinking(text).thinking:
        yield "begins with a thought"
    yield from (f"begins with {name}" for name, sign in _BEGINNINGS if sign.match(text))
    end = text[-80:]
    yield from (f"ends with {name}" for name, sign in _ENDINGS if sign.search(end))


def opening_signs(words: list[str]) -> Iterator[str]:
    """Yield how an answer of these words begins and ends, up to three words each."""
    for size in range(1, min(3, len(words)) + 1):
        yield f"begins with “{' '.join(words[:size])}”"
        yield f"ends with “{' '.join(words[-size:])}”"


def word_signs(words: list[str]) -> Iterator[str]:
    """Yield that an answer has a word, once for each."""
    return map(partial(str.format, "has the word “{}”"), dict.fromkeys(words))


def words_of(text: str) -> list[str]:
    """Return an answer's words in small letters; characters, of scripts without spaces.

    >>> words_of("**Sure!** It's 用Python")
    ['sure', "it's", '用', 'python']
    """
    runs = _WORD.findall(text[:_MOST_CHARACTERS].casefold())
    return [intern(word) for run in runs for word in split_run(run)]


def word_grams(words: list[str]) -> list[str]:
    """Return words and two in a row, where they begin and end an answer included.

    >>> word_grams(["sure", "thing"])
    ['sure', 'thing', '^ sure', 'sure thing', 'thing $']
    """
    return words + [f"{first} {second}" for first, second in pairwise(["^", *words, "$"])]


def describe_gram(gram: str) -> str:
    """Return what one of `word_grams` is called.

    >>> describe_gram("^ sure"), describe_gram("thing $"), describe_gram("sure thing")
    ('“sure” at the beginning', '“thing” at the end', '“sure thing”')
    """
    if gram == "^ $":
        return "no word at all"
    word = gram.removeprefix("^ ").removesuffix(" $")
    place = " at the beginning" if gram.startswith("^ ") else ""
    return f"“{word}”{place}{' at the end' if gram.endswith(' $') else ''}"
