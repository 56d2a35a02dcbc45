"""The words of a text as it is compared: how it is stored and marked up does not count."""

import re
import unicodedata
from collections.abc import Sequence

_PUNCTUATION = ".,;:!?\"'()"
_WIDE_PUNCTUATION = "。、，．：；！？「」『』（）《》〈〉【】…—～・“”‘’។៕"
_UNSPACED = (  # the blocks of scripts that are written without spaces between words
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
    "\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
SPACED = rf"[^\W{_UNSPACED}]"
"""A regular expression for a letter or digit of a script that has spaces between words."""
_BARE_WORD = re.compile(f"[{_UNSPACED}]|{SPACED}+")
_BARE_BYTES = bytes(ord(chr(n).lower() if re.match(r"\w", chr(n)) else " ") for n in range(128))
_BARE_BYTES += bytes(range(128, 256))
"""ASCII in small letters, with a space for every sign that is in no word."""
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_WIDE = "".join(map(chr, range(0xFF01, 0xFF5F)))
_ALIKE = str.maketrans(
    "‘’“”\u2010\u2011" + _WIDE, "''\"\"--" + "".join(map(chr, range(0x21, 0x7F))), _UNSEEN
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_CHARACTER_OR_REST = re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}]+")

_LINE_MARK = (
    r"(?:[*+-](?!\S)|>|[-=*_]{3,}(?!\S)"
    r"|(?:`{3,}|~{3,})(?:\w*[ \t]*(?![^\r\n]))?)[ \t]*"
)
_LINE_MARKS = re.compile(rf"^[ \t]*(?:{_LINE_MARK})+", re.MULTILINE)
"""Of items of a list, quotes, rules, and the fences of code."""
_BROKEN_WORD = re.compile(r"-(?<=[^\W\d_]-)[ \t]*\r?\n[ \t]*(?=[^\W\d_])")
_MARK = "*_~`"
_MARKS = re.compile(rf"(?<![^\W_])(?<![{_MARK}])[{_MARK}]+|[{_MARK}]++(?![^\W_])")
"""Those around words: in `2**3` and `snake_case` they are part of one."""
_QUOTED_CHARS = 300
_HYPHEN = re.compile(r"-(?<=[^\W\d_]-)(?=[^\W\d_])")


def words_of(text: str) -> list[str]:
    """Return the words of a text.

    >>> words_of("Say: 用Python!")
    ['say', '用', 'python']
    >>> words_of("> **Sort** the `list`, _not_ the exam-\\n> ple.")
    ['sort', 'the', 'list', 'not', 'the', 'example']
    """
    return [word for run in fold(text).split() for word in split_run(run)]


def bare_words(text: str) -> list[str]:
    """Return the words of a text without any sign, those within words included.

    For texts that may be spaced and punctuated otherwise and yet say the same.

    >>> bare_words("Well-known: f(x)=2*x, 用Python")
    ['well', 'known', 'f', 'x', '2', 'x', '用', 'python']
    """
    if text.isascii():  # ten times quicker than a regular expression
        return text.encode().translate(_BARE_BYTES).decode().split()
    return _BARE_WORD.findall(fold(text))


def is_unspaced(word: str) -> bool:
    """Return whether a word is a character of a script that is written without spaces."""
    return _CHARACTER.fullmatch(word) is not None


def fold(text: str) -> str:
    r"""Return a text without what looks or reads the same but is stored otherwise.

    Letter case, forms of Unicode (NFD as macOS writes it, wide letters), curly quotes, characters
    that are not seen, Markdown's marks at the beginning of a line, and lines that end in a word.

    >>> fold("Cafe\u0301 “Ｏｋ” soft\u00adly")
    'café "ok" softly'
    """
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFC", text.translate(_ALIKE)).casefold()
    text = _LINE_MARKS.sub("", text)
    return _BROKEN_WORD.sub("-", text)


def split_run(run: str) -> list[str]:
    """Return what counts as the words of a run without spaces.

    Punctuation and Markdown's marks around words do not count, nor do hyphens within and the marks
    of headings; other signs on their own do.

    >>> split_run("(**well-known**),")
    ['wellknown']
    """
    if not run.strip("#"):
        return []
    plain = run.strip(_PUNCTUATION)
    if plain.isalnum() and plain.isascii():
        return [plain]
    plain = _HYPHEN.sub("", _MARKS.sub("", run))
    if not _CHARACTER.search(plain):
        return [plain.strip(_PUNCTUATION) or run]
    parts = _CHARACTER_OR_REST.findall(plain)
    words = [part.strip(_PUNCTUATION + _WIDE_PUNCTUATION + _MARK) for part in parts]
    return [word for word in words if word] or [run]


def quote(words: Sequence[str]) -> str:
    """Return words as they are quoted: 300 characters at most."""
    text = " ".join(words)
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}…"
