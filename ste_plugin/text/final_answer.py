r"""The final answer of a reply: what it puts in a box, behind "Answer:", or at its end.

Answers are compared in a normal form: numbers by their value, words without case and punctuation.
"""

import re
from fractions import Fraction

_MARKS = (
    re.compile(r"####[^\S\n]*(?P<answer>\S[^\n]*)"),
    re.compile(
        r"\banswer(?:(?:\s+(?:to|for)\b[^\n.:]{0,60}?)?\s+is\b|[^\w\n]{0,3}:)[\s:*]*"
        r"(?P<answer>\S[^\n]*)",
        re.IGNORECASE,
    ),
)
"""What announces a final answer; the first may be a heading, too."""
_BOX = re.compile(r"\\boxed\s*\{")
_NUMBER = re.compile(
    r"(?<![\w^])(?<!\d[.,/:])"
    r"-?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?"
    r"(?![\w^]|[.,/:]\d)"
)
"""A number or a fraction; none that is part of a word, a time, a list or a power."""
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX = re.compile(r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}|\\[()\[\],;!]|\\%|[$*`]")
_LIST_NUMBER = re.compile(r"^\s*\d+[.)]\s")
_WORD = re.compile(r"[\w^/+.<>-]+")
_FEW_WORDS = 5
"""A last line of so many words may be the answer itself."""
_MOST_SIGNS = 1000
"""A longer number is none: it repeats itself, and Python would refuse to read it."""


def find_final_answer(text: str) -> str:
    r"""Return the final answer of a reply in its normal form; empty where it has none.

    It is the last thing in `\boxed{…}`, else what comes last behind `####`, "answer:" or "answer
    is"; else the last number of the last line, or a last line of a few words.

    >>> [find_final_answer(t) for t in ("So it is\n#### 1,234", "The answer is $0.50.", "7+8 = 15")]
    ['1234', '1/2', '15']
    """
    if boxed := _boxed(text):
        return normal_answer(boxed)
    if found := [match for mark in _MARKS for match in mark.finditer(text)]:
        return normal_answer(max(found, key=lambda match: match.start())["answer"])
    last = _LIST_NUMBER.sub("", text.strip().rpartition("\n")[2])
    if numbers := _numbers(_plain(last)):
        return numbers[-1]
    says_it = len(last.split()) <= _FEW_WORDS and not last.endswith(":")
    return normal_answer(last) if says_it else ""


def normal_answer(answer: str) -> str:
    """Return an answer as it is compared: one number by its value, else its words.

    >>> [normal_answer(a) for a in ("x = 72.0 apples", "(B).", "Paris, France", "1 or 2")]
    ['72', 'b', 'paris france', '1 or 2']
    """
    plain = re.split(r"\.\s", _plain(answer).strip(), maxsplit=1)[0].rpartition("=")[2]
    numbers = _numbers(plain)
    if len(numbers) == 1:
        return numbers[0]
    return " ".join(word.strip(".") for word in _WORD.findall(plain.casefold())).strip()


def is_number(answer: str) -> bool:
    """Return whether an answer in its normal form is a number: "twelve" is none, and is 12."""
    return _numbers(answer) == [answer]


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


def _numbers(text: str) -> list[str]:
    """Return the numbers in a text, each by its value."""
    found = []
    for match in _NUMBER.finditer(text):
        over, _, under = match[0].replace(",", "").partition("/")
        if len(match[0]) <= _MOST_SIGNS and (not under or int(under)):
            found.append(str(Fraction(over.strip()) / (int(under) if under else 1)))
    return found
