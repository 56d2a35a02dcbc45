"""Whether a judgment's reasons name the fault that was put into the worse answer."""

import re

from ste_plugin.records import ResponsePair

_WORD = re.compile(r"\w+")


def names_fault(pair: ResponsePair, reasons: str) -> bool:
    """Return whether reasons speak of what is wrong, or of what should stand there.

    They do where half of the words are in them that only the fault has, or only its correction. A
    judge that repeats both answers does so, too: that a fault is named is needed for having found
    it, and not enough. A pair without a named fault has none to be found.

    >>> pair = ResponsePair("k", "i", "Where?", "In Rome.", "In Oslo.", "s", "Oslo", "Rome")
    >>> names_fault(pair, "B says Oslo, which is wrong."), names_fault(pair, "A is clearer.")
    (True, False)
    """
    wrong, right = (_words(text) for text in (pair.fault, pair.correction))
    said = _words(reasons)
    return any(own and 2 * len(own & said) >= len(own) for own in (wrong - right, right - wrong))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
