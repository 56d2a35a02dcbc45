"""Whether a judgment's reasons name the fault that was put into the worse answer."""

from itertools import pairwise

from ste_plugin.records import ResponsePair
from ste_plugin.text.words import bare_words, is_unspaced


def names_fault(pair: ResponsePair, reasons: str) -> bool:
    """Return whether reasons speak of what is wrong, or of what should stand there.

    They do where half of the words are in them that only the fault has, or only its correction. A
    judge that repeats both answers does so, too: that a fault is named is needed for having found
    it, and not enough. A pair without a named fault has none to be found.

    >>> pair = ResponsePair("k", "i", "Where?", "In Rome.", "In Oslo.", "s", "Oslo", "Rome")
    >>> names_fault(pair, "B says Oslo, which is wrong."), names_fault(pair, "A is clearer.")
    (True, False)
    """
    wrong, right = (_phrases(text) for text in (pair.fault, pair.correction))
    told = f" {' '.join(bare_words(reasons))} "
    return any(
        own and 2 * sum(f" {phrase} " in told for phrase in own) >= len(own)
        for own in (wrong - right, right - wrong)
    )


def _phrases(text: str) -> set[str]:
    """Return the words of a text; in scripts without spaces two characters: one says too little."""
    words = bare_words(text)
    spaced = {word for word in words if not is_unspaced(word)}
    return spaced | {f"{a} {b}" for a, b in pairwise(words) if not {a, b} & spaced} or set(words)
