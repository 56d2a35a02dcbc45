"""Phone numbers: libphonenumber's matches that are also written as people write them."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ste_plugin.errors import ConfigError

_PHONE = re.compile(
    r"[+(]{0,2}[0-9]+(?:(?:[ ./-]|\)[ -]?|[ -]\()[0-9]+)*\)?(?:[;,]? ?(?:ext\.? ?|x|#)[0-9]+)?"
)
"""As people write one: single spaces, dots, hyphens, brackets, an extension."""
_DECIMAL, _PLAIN_DIGITS = re.compile(r"[0-9]+[.,][0-9]+"), re.compile(r"[0-9]+")
_PHONE_WORD = re.compile(
    r"\b(?:(?:tele)?phone|tel|mobile|cell(?:phone)?|call|fax|whatsapp|sms|contact"
    r"|(?:my|his|her|our) number)\b(?!>)",
    re.I,
)
_LINE = re.compile(r"[^\n\r]+")
_MIN_DIGITS = 7


def phone_finder(
    library: Any, regions: Iterable[str]
) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Return a finder of the numbers of these regions, and of numbers of all that begin with +.

    Raises: ConfigError for an unknown region.
    """
    if unknown := sorted(set(regions) - set(library.SUPPORTED_REGIONS)):
        raise ConfigError(
            f"privacy.phone_regions: no region {unknown[0]!r}; expected two letters of ISO 3166, "
            "such as US, GB (not UK), DE."
        )

    def phones(text: str) -> Iterator[tuple[int, int]]:
        # line by line, as digits at the end of one hide a number in the next
        for line in _LINE.finditer(text):
            if sum(map(str.isdecimal, line[0])) >= _MIN_DIGITS:
                yield from (
                    (line.start() + a, line.start() + b) for a, b in phones_in_line(line[0])
                )

    def phones_in_line(line: str) -> Iterator[tuple[int, int]]:
        for region in regions or (None,):
            # a number may hide the one after it: mask it and search again
            masked = line
            while spans := [
                (m.start, m.end)
                for m in library.PhoneNumberMatcher(masked, region, leniency, len(line))
                if is_phone(line, m.start, m.end)
            ]:
                yield from spans
                for a, b in spans:
                    masked = f"{masked[:a]}{'|' * (b - a)}{masked[b:]}"

    leniency = library.Leniency.STRICT_GROUPING
    return phones


def is_phone(line: str, start: int, end: int) -> bool:
    """Return whether a valid number is written as one: bare digits need a word like "call"."""
    written = line[start:end].lstrip("[{ -")
    before, after = line[max(0, start - 30) : start], line[end : end + 2]
    if not _PHONE.fullmatch(written) or _is_within_decimals(before, after):
        return False
    if written.startswith("+"):
        return not before[-1:].isalnum()
    written = written.strip("()")
    if _DECIMAL.fullmatch(written) or ("." in written and re.search("[ -]", written)):
        return False
    return not _PLAIN_DIGITS.fullmatch(written) or bool(_PHONE_WORD.search(before))


def _is_within_decimals(before: str, after: str) -> bool:
    return bool(re.search(r"[0-9][.,]\Z", before) or re.match(r"[.,/][0-9]", after))
