"""What most people say of a pair: one rule, for all who ask."""


def most_say(better: int, worse: int, ties: int) -> int:
    """Return what more than half of all labels say: 1 for better, -1 for worse, 0 for neither.

    Who says tie counts, too: one voice against nine ties decides nothing.

    >>> most_say(2, 1, 0), most_say(0, 1, 9), most_say(1, 0, 1)
    (1, 0, 0)
    """
    half = (better + worse + ties) / 2
    return (better > half) - (worse > half)
