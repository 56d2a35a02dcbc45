r"""The final answer of a reply: what it puts in a box, behind "Answer:", or at its end.

Answers are compared in a normal form: numbers by their value, words without case and punctuation.
"""

import re
import unicodedata
from fractions import Fraction

from ste_plugin.text.words import SPACED, is_unspaced, words_of

_MARKS = (
    (
        re.compile(r"####[^\S\n]*(?P<answer>\S[^\n]*)"),
        re.compile(
            r"(?:\banswer|答案)[^\w\n]{0,3}[:：][\s:：*]*(?P<answer>\S[^\n]*)", re.IGNORECASE
        ),
    ),
    (
        re.compile(
            r"\banswer(?:\s+(?:to|for)\b[^\n.:]{0,60}?)?\s+is\b[\s:：*]*(?P<answer>\S[^\n]*)",
            re.IGNORECASE,
        ),
        re.compile(r"答案[是为為](?![否什])[\s:：*]*(?P<answer>\S[^\n]*)"),
    ),
)
"""What announces a final answer; the first may be a heading, too. The later ones count without the
others: somebody may hope that "this answer is helpful"."""
_BOX = re.compile(r"\\boxed\s*\{")
_NUMBER = re.compile(
    rf"(?<!{SPACED})(?<!\^)(?<!\d[.,/:])"
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?"
    rf"(?!{SPACED}|\^|[.,/:]\d)"
)
"""A number or a fraction; none that is part of a word, a time, a list or a power."""
_REWRITTEN = (
    (r"[−–]", "-"),
    (r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}|\\[()\[\],;!]|[$`]", r"\1"),
    (r"(?<=[\w)])(\s?)\*\1(?=[\w(])", "×"),
    (r"\*|(?<!\d)!(?!=)", ""),
    (r"(?<=\d)\s*(?=\\[dt]?frac)", " "),
    (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2"),
    (r"\\sqrt(?![a-z])|\bsqrt(?![a-z])", "√"),
    (r"<=|\\leq?(?![a-z])", "≤"),
    (r">=|\\geq?(?![a-z])", "≥"),
    (r"!=|\\neq?(?![a-z])", "≠"),
    (r"([\^_])\s*\{([^{}]*)\}", r"\1\2"),
    (r"(?<=[^\W\d_])_(?=\d)", ""),
)
"""Ways to write what is the same, in LaTeX, Markdown and signs, and the one it is compared in."""
_WRITTEN = [(re.compile(way), one) for way, one in _REWRITTEN]
_RAISED = re.compile("[²³¹⁰⁴-⁹⁺⁻ⁿ]+")
_LOWERED = re.compile("[₀-₉]+")
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.\s?){2,}")
_LIST_NUMBER = re.compile(r"^\s*\d+[.)]\s")
_TITLES = ("Mrs", "Prof", "Gen", "Col", "Capt", "Sgt", "Rev", "Hon", "Sen", "Gov", "Rep")
_SHORTENED = (*_TITLES, r"[^\W\d_]", r"[^\W\d_]{2}")
_SENTENCE_END = re.compile(
    "".join(rf"(?<!\b{each})" for each in _SHORTENED) + r"\.\s+|(?<=\bno)\.\s+(?!\d)|。",
    re.IGNORECASE,
)
"""The full stop of a sentence; none of a title, as in St. Paul, an initial, or No. 5."""
_CHOICE = re.compile(r"[(\s]*[^\W\d_](?:[.:]|\)[.:]?)\s+(?!\w\.)(?=\w)")
"""A letter that is chosen before what it stands for; no initial before another one."""
_ASIDE = re.compile(r"(?<=\S)\s+\([^()]*=[^()]*\)[\s.]*$")
"""A check in brackets behind the answer."""
_EQUALS = re.compile(
    r"(?:\s*+(?:[^\W\d]\w*(?:\([^()=]*\))?|(?:[\d\s.,+/×÷·^()€£%-]|(?<=[\d\s])x(?=\s?\d))++)\s*=)++"
    r"(?=[^=]*\d[^=]*$)"
)
"""A name or a calculation before its value; no part of an equation, nor of several values."""
_GOES_ON = re.compile(r"\s*(?:[,;]?\s*(?:and|or)\b|[,;]\s*\w+\s*=)", re.IGNORECASE)
"""Another value behind the first."""
_TIME = re.compile(r"\d:\d|(?<![^\W\d_])[ap]\.?m\b|午")
"""Of a day, or another two numbers in proportion."""
_ROUNDED = Fraction(100, 99)
"""How many times a number the other may be of which it is a rounded form, as 0.33 of 1/3."""
_SIGNS = "_^/.:-#"
"""What words are made of besides letters and digits."""
_SAY_NOTHING = "=~≈"
"""Signs of mathematics that an answer means the same without."""
_FEW_WORDS = 5
"""A last line of so many words may be the answer itself."""
_MOST_SIGNS = 1000
"""A longer number is none: it repeats itself, and Python would refuse to read it."""


def find_final_answer(text: str) -> str:
    r"""Return the final answer of a reply in its normal form; empty where it has none.

    It is the last thing in `\boxed{…}`, else what comes last behind `####` or "answer:", or else
    behind "answer is"; else the last line: all of it where that is a few words, else its last
    number with the words around that.

    >>> [find_final_answer(t) for t in ("So it is\n#### 1,234", "The answer is $0.50.", "7+8 = 15")]
    ['1234', '1/2', '15']
    """
    if announced := _announced(text):
        return normal_answer(announced)
    last = _LIST_NUMBER.sub("", text.strip().rpartition("\n")[2])
    if last.endswith((":", "：")):
        return ""
    return normal_answer(last if len(words_of(last)) <= _FEW_WORDS else _around_number(last))


def read_known_answer(text: str) -> str:
    """Return the final answer that somebody knows, in its normal form.

    It is found as in a reply, but that a single sentence is the answer as a whole.

    >>> read_known_answer("x = 1, y = 2 or z = 3"), read_known_answer("2 + 3 = 5\\n#### 5")
    ('x 1 y 2 or z 3', '5')
    """
    is_sentence = "\n" not in text.strip() and len(_SENTENCE_END.split(_plain(text).strip())) == 1
    return normal_answer(text) if is_sentence and not _announced(text) else find_final_answer(text)


def normal_answer(answer: str) -> str:
    """Return an answer as it is compared: its words, and its numbers by their value.

    >>> [normal_answer(a) for a in ("x = 72.0 apples", "(B).", "Paris, France", "1 or 2")]
    ['72 apples', 'b', 'paris france', '1 or 2']
    """
    plain = _plain(answer).strip()
    first = _ASIDE.sub("", _SENTENCE_END.split(plain, maxsplit=1)[0])
    before = _EQUALS.match(first)
    value = first[before.end() :] if before else first
    apart = _NUMBER.sub(lambda match: f" {_value(match) or match[0]} ", value)
    words = [word for word in words_of("".join(map(_said, apart))) if word.strip(".:")]
    if len(words) > 1 and _CHOICE.match(plain):
        words[0] += ":"
    return " ".join(words)


def is_same(answer: str, other: str) -> bool:
    """Return whether two answers in their normal form are taken for equal.

    So are the same words; a letter alone and with what it stands for; and the same numbers where
    one answer has all the words of the other: "72" is "72 apples", and "5 hours" is not "5
    minutes". So "5" is both of these, which are not the same: this puts answers into no groups.
    Several numbers have to be among the same words in turn, and "√2" is not "2".
    """
    both = ((answer, other), (other, answer))
    if answer == other or any(two.startswith(f"{one}: ") for one, two in both):
        return True
    figures = _figures(answer)
    if figures != _figures(other) or not _numbers(answer) or _signs(answer) != _signs(other):
        return False
    if len(figures) == 1:
        return _is_part(answer, other)
    return any(_has_in_turn(two.split(), one.split()) for one, two in both)


def is_other(answer: str, than: str) -> bool:
    """Return whether two answers in their normal form mean something else for certain.

    Numbers do where one answer has all the words of the other: 300 minutes may be 5 hours. They do
    not where one is the other in percent or in millions, or may be that rounded. A number and words
    may say the same, and so may times, "5:00 pm" and "17:00", other signs, "√4" and "2", and words
    of which one answer has all of the other. Where letters are chosen, these decide; but a letter
    alone may stand for any words.
    """
    numbers, others = (sorted(map(Fraction, _numbers(each))) for each in (answer, than))
    if len(numbers) != len(others) or _signs(answer) != _signs(than):
        return False
    if _TIME.search(f"{answer}\n{than}"):
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


def _figures(answer: str) -> list[str]:
    """Return the numbers of an answer, and words that begin as one, as 2x and 7:30 do."""
    return [word for word in answer.split() if word[0].isdigit() or is_number(word)]


def _is_part(answer: str, other: str) -> bool:
    """Return whether one of two answers has all the words of the other, their numbers aside."""
    words, others = ({w for w in each.split() if not is_number(w)} for each in (answer, other))
    return words <= others or others <= words


def _has_in_turn(words: list[str], some: list[str]) -> bool:
    """Return whether some words come among others in their order."""
    left = iter(words)
    return all(word in left for word in some)


def _signs(answer: str) -> list[str]:
    """Return the signs of an answer in its normal form by which it means something else."""
    words = "".join(word for word in answer.split() if not is_number(word))
    return [sign for sign in words if sign in "!-" or unicodedata.category(sign) == "Sm"]


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
    first = answer.partition(" ")[0].removesuffix(":")
    is_letter = len(first) == 1 and first.isalpha()
    return first if is_letter and (first == answer or not is_unspaced(first)) else ""


def _announced(text: str) -> str:
    """Return what a reply says is its final answer, as it is written; empty where it says none."""
    if boxed := _boxed(text):
        return boxed
    for marks in _MARKS:
        if found := [match for mark in marks for match in mark.finditer(text)]:
            return max(found, key=lambda match: match.start())["answer"]
    return ""


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
    """Return a text without the signs of LaTeX and Markdown, its other signs written in one way."""
    text = _RAISED.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]), text)
    text = _LOWERED.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = _INITIALS.sub(lambda match: "".join(filter(str.isalpha, match[0])) + " ", text)
    for way, one in _WRITTEN:
        text = way.sub(one, text)
    return text


def _around_number(line: str) -> str:
    """Return the last number of a line with the words of its sentence, back to another number.

    Empty where both are values of one answer.
    """
    for sentence in reversed(_SENTENCE_END.split(_plain(line))):
        if ends := [match.end() for match in _NUMBER.finditer(sentence)]:
            around = sentence[ends[-2] if len(ends) > 1 else 0 :]
            return "" if len(ends) > 1 and _GOES_ON.match(around) else around
    return ""


def _value(match: re.Match[str]) -> str:
    """Return a number by its value; empty where it has none."""
    over, _, under = match[0].replace(",", "").partition("/")
    if len(match[0]) > _MOST_SIGNS or (under and not int(under)):
        return ""
    return str(Fraction(over.strip()) / int(under or 1))


def _said(sign: str) -> str:
    """Return a sign that is part of a word, as vowels are that Unicode counts as marks; one of
    mathematics with space around it, and space alone for any other."""
    category = unicodedata.category(sign)
    if sign.isalnum() or sign in _SIGNS or category[0] == "M":
        return sign
    is_meant = sign == "!" or (category == "Sm" and sign not in _SAY_NOTHING)
    return f" {sign} " if is_meant else " "
