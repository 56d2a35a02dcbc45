"""Judges that say nothing: noticed before everything that they reward has earned the same."""

from collections import Counter
from collections.abc import Sequence

from ste_plugin.errors import DataError
from ste_plugin.integrations.scoring import DRAW, By, score_of
from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.silence import is_unread, why_silent

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
        self._by_stages = False
        """Whether what judges is a cascade."""

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
        self._by_stages = self._by_stages or any(each.stage for each in asked)
        if self._drawn.total() >= UNDECIDED_PAIRS:
            raise DataError(_undecided(self._drawn, asked, by_stages=self._by_stages))


def _undecided(drawn: Counter[str], asked: Sequence[Comparison], *, by_stages: bool) -> str:
    """Return that nothing was decided, and what to do, by why most were drawn.

    `asked`: the latest of them. `by_stages`: whether a cascade was asked, which has no probability
    where it abstains, so that nothing is gained by those.
    """
    (most, _), *_ = drawn.most_common()
    cures = {
        "orders differ": "It follows the order in which answers are shown: `ste audit` of its run "
        "measures that. Take another judge or format, or by: probability.",
        "tie": "It finds all of them alike: take a format without a tie, or by: probability.",
        "unsure": _OF_CASCADE,
    }
    if by_stages and most in cures:
        cures[most] = _OF_CASCADE
    said = ", ".join(f"{why}: {n}" for why, n in drawn.most_common())
    unread = [each for each in asked if is_unread(each)]
    return (
        f"the judge found no winner in any of the first {drawn.total()} comparisons ({said}), so "
        f"that every completion earned the same. {cures.get(most) or why_silent(unread)}"
    )


_OF_CASCADE = (
    "It is a cascade, and none of its stages is sure enough of these answers, so that it abstains; "
    "by: probability does not change that. Fit one that answers more (`ste cascade fit`): with a "
    "judge that reasons (--reasoning), or for a larger --error."
)
