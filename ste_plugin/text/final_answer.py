r"""The final answer of a reply: what it puts in a box, behind "Answer:", or at its end.

Answers are compared in a normal form: numbers by their value, words without case and punctuation.
"""

import re
import unicodedata
from fractions import Fraction

from ste_plugin.text.words import SPACED, is_unspaced, words_of

_MARKS = (
    re.compile(r"####[^\S\n]*(?P<answer>\S[^\n]*)"),
    re.compile(
        r"\banswer(?:(?:\s+(?:to|for)\b[^\n.:]{0,60}?)?\s+is\b|[^\w\n]{0,3}[:：])[\s:：*]*"
        r"(?P<answer>\S[^\n]*)",
        re.IGNORECASE,
    ),
    re.compile(r"答案(?:[是为為](?![否什])|[^\w\n]{0,3}[:：])[\s:：*]*(?P<answer>\S[^\n]*)"),
)
"""What announces a final answer; the first may be a heading, too."""
_BOX = re.compile(r"\\boxed\s*\{")
_NUMBER = re.compile(
    rf"(?<!{SPACED})(?<!\^)(?<!\d[.,/:])"
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?"
    rf"(?!{SPACED}|\^|[.,/:]\d)"
)
"""A number or a fraction; none that is part of a word, a time, a list or a power."""
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}|\\[()\[\],;!]|[$*`]")
_LIST_NUMBER = re.compile(r"^\s*\d+[.)]\s")
_SENTENCE_END = re.compile(r"\.\s+|。")
_TIME = re.compile(r"\d:\d|(?<![^\W\d_])[ap]\.?m\b|午")
"""Of a day, or another two numbers in proportion."""
_ROUNDED = Fraction(100, 99)
"""How many times a number the other may be of which it is a rounded form, as 0.33 of 1/3."""
_SIGNS = "_^/+.<>:-"
"""What words are made of besides letters and digits."""
_FEW_WORDS = 5
"""A last line of so many words may be the answer itself."""
_MOST_SIGNS = 1000
"""A longer number is none: it repeats itself, and Python would refuse to read it."""


def find_final_answer(text: str) -> str:
    r"""Return the final answer of a reply in its normal form; empty where it has none.

    It is the last thing in `\boxed{…}`, else what comes last behind `####`, "answer:" or "answer
    is"; else the last line: all of it where that is a few words, else its last number with the
    words around that.

    >>> [find_final_answer(t) for t in ("So it is\n#### 1,234", "The answer is $0.50.", "7+8 = 15")]
    ['1234', '1/2', '15']
    """
    if boxed := _boxed(text):
        return normal_answer(boxed)
    if found := [match for mark in _MARKS for match in mark.finditer(text)]:
        return normal_answer(max(found, key=lambda match: match.start())["answer"])
    last = _LIST_NUMBER.sub("", text.strip().rpartition("\n")[2])
    if last.endswith((":", "：")):
        return ""
    return normal_answer(last if len(words_of(last)) <= _FEW_WORDS else _around_number(last))


def normal_answer(answer: str) -> str:
    """Return an answer as it is compared: its words, and its numbers by their value.

    >>> [normal_answer(a) for a in ("x = 72.0 apples", "(B).", "Paris, France", "1 or 2")]
    ['72 apples', 'b', 'paris france', '1 or 2']
    """
    plain = _SENTENCE_END.split(_plain(answer).strip(), maxsplit=1)[0].rpartition("=")[2]
    apart = _NUMBER.sub(lambda match: f" {_value(match) or match[0]} ", plain)
    words = words_of("".join(sign if _is_said(sign) else " " for sign in apart))
    return " ".join(word for word in words if word.strip(".:"))


def is_same(answer: str, other: str) -> bool:
    """Return whether two answers in their normal form are taken for equal.

    So are the same words; and the same numbers where one answer has all the words of the other:
    "72" is "72 apples", and "5 hours" is not "5 minutes". So "5" is both of these, which are not
    the same: this puts answers into no groups.
    """
    if answer == other:
        return True
    numbers, others = _numbers(answer), _numbers(other)
    return bool(numbers) and numbers == others and _is_part(answer, other)


def is_other(answer: str, than: str) -> bool:
    """Return whether two answers in their normal form mean something else for certain.

    Numbers do where one answer has all the words of the other: 300 minutes may be 5 hours. They do
    not where one is the other in percent or in millions, or may be that rounded. A number and words
    may say the same, and so may times, "5:00 pm" and "17:00", and words of which one answer has all
    of the other. Where letters are chosen, these decide; but a letter alone may stand for any
    words.
    """
    numbers, others = (sorted(map(Fraction, _numbers(each))) for each in (answer, than))
    if len(numbers) != len(others) or _TIME.search(f"{answer}\n{than}"):
        return False
    if numbers and not any(map(_differ, numbers, others)):
        return False
    letter, instead = _first_letter(answer), _first_letter(than)
    if letter and instead and (letter != instead or not numbers):
        return letter != instead
    if (letter, instead) in ((answer, ""), ("", than)):
        return False
    return _is_part(answer, than) == bool(numbers)


def is_number(answer: str) -> bool:
    """Return whether an answer in its normal form is a number: "twelve" is none, and is 12."""
    match = _NUMBER.fullmatch(answer)
    return match is not None and _value(match) == answer


def _numbers(answer: str) -> list[str]:
    return [word for word in answer.split() if is_number(word)]


def _is_part(answer: str, other: str) -> bool:
    """Return whether one of two answers has all the words of the other, their numbers aside."""
    words, others = ({w for w in each.split() if not is_number(w)} for each in (answer, other))
    return words <= others or others <= words


def _differ(number: Fraction, other: Fraction) -> bool:
    """Return whether two numbers are none that may be written for each other.

    As 50% is for 1/2, 1.23 million for 1,234,567 and 0.33 for 1/3. Whole numbers are not rounded.
    """
    if number * other <= 0:
        return number != other
    ratio = max(number / other, other / number)
    scale: int = 10 ** (len(str(int(ratio * _ROUNDED))) - 1)
    if scale == 10:  # nothing is written in tens
        return True
    off = max(ratio / scale, scale / ratio)
    are_whole = number.denominator == other.denominator == 1
    return off > (1 if are_whole else _ROUNDED)


def _first_letter(answer: str) -> str:
    """Return the first word of an answer where it is a letter to choose: B of "b paris"."""
    first = answer.partition(" ")[0]
    is_letter = len(first) == 1 and first.isalpha()
    return first if is_letter and (first == answer or not is_unspaced(first)) else ""


def _boxed(text: str) -> str:
    """Return what is in the last box; its braces may hold others."""
    starts = [match.end() for match in _BOX.finditer(text)]
    if not starts:
        return ""
    depth, start = 1, starts[-1]
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[start:at]
    return ""


def _plain(text: str) -> str:
    """Return a text without LaTeX's and Markdown's signs, its minus signs as in numbers."""
    signed = text.replace("\N{MINUS SIGN}", "-")
    return _LATEX.sub(lambda match: match[1] or "", _FRACTION.sub(r"\1/\2", signed))


def _around_number(line: str) -> str:
    """Return the last number of a line with the words of its sentence, back to another number."""
    for sentence in reversed(_SENTENCE_END.split(_plain(line))):
        if ends := [match.end() for match in _NUMBER.finditer(sentence)]:
            return sentence[ends[-2] if len(ends) > 1 else 0 :]
    return ""


def _value(match: re.Match[str]) -> str:
    """Return a number by its value; empty where it has none."""
    over, _, under = match[0].replace(",", "").partition("/")
    if len(match[0]) > _MOST_SIGNS or (under and not int(under)):
        return ""
    return str(Fraction(over.strip()) / int(under or 1))


def _is_said(sign: str) -> bool:
    """Return whether a sign is part of a word, as vowels are that Unicode counts as marks."""
    return sign.isalnum() or sign in _SIGNS or unicodedata.category(sign)[0] == "M"
