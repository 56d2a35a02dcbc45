"""Judges that say nothing: noticed before everything that they reward has earned the same."""

from collections import Counter
from collections.abc import Sequence

from ste_plugin.errors import DataError
from ste_plugin.integrations.scoring import DRAW, By, is_unread, score_of
from ste_plugin.judge.comparison import Comparison

SILENT_BATCHES = 8
"""So many batches in a row without a verdict that can be read are no accident."""
UNDECIDED_PAIRS = 64
"""Nor are so many pairs from the start without a winner: of a judge that finds one in only every
tenth, one in a thousand begins so."""


class SilenceWatch:
    """Watches what a judge says of batch after batch, and ends what it can teach nothing."""

    def __init__(self, by: By) -> None:
        """`by`: what is made of its comparisons."""
        self._by = by
        self._silent_batches = 0
        self._drawn: Counter[str] | None = Counter()
        """Why pairs were drawn, as long as all were."""

    def see(self, compared: Sequence[Comparison]) -> None:
        """Count a batch.

        Raises: DataError where no verdict could be read for SILENT_BATCHES batches, or where none
        of the first UNDECIDED_PAIRS pairs had a winner.
        """
        asked = [each for each in compared if each.abstained != "identical answers"]
        if not asked:
            return
        silent = all(map(is_unread, asked))
        self._silent_batches = self._silent_batches + 1 if silent else 0
        if self._silent_batches >= SILENT_BATCHES:
            raise DataError(
                f"no verdict of the judge could be read for {self._silent_batches} batches, so "
                f"that every completion earned the same. {why_silent(asked)}"
            )
        self._see_draws(asked)

    def _see_draws(self, asked: Sequence[Comparison]) -> None:
        if any(score_of(each, self._by) != DRAW for each in asked):
            self._drawn = None
        if self._drawn is None:
            return
        self._drawn.update(each.abstained or "no verdict" for each in asked)
        if self._drawn.total() >= UNDECIDED_PAIRS:
            raise DataError(_undecided(self._drawn))


def _undecided(drawn: Counter[str]) -> str:
    (most, _), *_ = drawn.most_common()
    cures = {
        "orders differ": "It follows the order in which answers are shown: `ste audit` of its run "
        "measures that. Take another judge or format, or by: probability.",
        "tie": "It finds all of them alike: take a format without a tie, or by: probability.",
    }
    said = ", ".join(f"{why}: {n}" for why, n in drawn.most_common())
    return (
        f"the judge found no winner in any of the first {drawn.total()} comparisons ({said}), so "
        f"that every completion earned the same. {cures.get(most, why_silent(()))}"
    )


def why_silent(asked: Sequence[Comparison]) -> str:
    """Return why no verdict was read of these, by the first of them, and what to do."""
    if problem := next((each.problem for each in asked if each.problem), ""):
        return f"The first of them that could not be compared: {problem}"
    if said := next(filter(None, map(broken_reply, asked)), ""):
        return f"A reply of it is {said}. {_cure(said)}"
    return (
        "Try the judge on a pair of your own (ste_plugin.Judge): a wrong format, or too few "
        "max_new_tokens, leave its replies without a verdict."
    )


def broken_reply(comparison: Comparison) -> str:
    """Return what is wrong with a reply of a comparison that does not count; else nothing."""
    replies = (reply for order in comparison.orders for reply in order.replies)
    return next((reply.problem for reply in replies if reply.problem), "")


def _cure(said: str) -> str:
    if "token limit" in said:
        return "Raise max_new_tokens, or shorten what it is to write."
    if "thought" in said:
        return (
            "Serve the judge without a reasoning parser, or raise max_new_tokens where it thinks "
            "that long."
        )
    return "Try the judge on a pair of your own (ste_plugin.Judge)."
