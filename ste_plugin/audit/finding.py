"""A finding: one figure of an audit, the threshold that it is held to, and what it means."""

from typing import Literal

from ste_plugin.records import Record


class Finding(Record, frozen=True):
    """One figure that an audit looked at, whether it is a problem or not."""

    check: str
    """Which part of the audit: shortcuts, probes, contamination, collapse, or a plugin's."""
    name: str
    """What was looked at, as `length` or `question removed`; unique with `subject`."""
    subject: str
    """Of what: a pair strategy, an iteration, a benchmark, …"""
    figure: float | None
    """None where there was too little to compute it of."""
    interval: tuple[float, float] | None
    """95%; None where it is a count, or where there was too little."""
    threshold: float | None
    """What the figure is held to; None where it is only told."""
    n: int
    """Of how many cases: pairs, verdicts, prompts or rows."""
    failed: bool
    """Whether the figure breaks its threshold."""
    words: str
    """What it means, as one sentence for people."""
    cure: str = ""
    """What to do about it, where it failed."""
    limit: Literal["most", "least", "size"] = "most"
    """Whether the threshold is the most that the figure should be, the least, or the most that it
    should be off 0 on either side."""

    @property
    def undecided(self) -> bool:
        """Whether there was too little to compute the figure of."""
        return self.figure is None

    @property
    def unsure(self) -> bool:
        """Whether the figure is beyond its threshold, but not surely enough to have failed."""
        if self.failed or self.figure is None or self.threshold is None:
            return False
        if self.limit == "least":
            return self.figure < self.threshold
        return (abs(self.figure) if self.limit == "size" else self.figure) > self.threshold

    @property
    def kept(self) -> bool:
        """Whether the figure was held to a threshold, and keeps it."""
        held = self.figure is not None and self.threshold is not None
        return held and not self.failed and not self.unsure
