"""A finding: one figure of an audit, the threshold that it is held to, and what it means."""

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
    """Of how many pairs, prompts or rows."""
    failed: bool
    """Whether the figure breaks its threshold."""
    words: str
    """What it means, as one sentence for people."""
    cure: str = ""
    """What to do about it, where it failed."""

    @property
    def undecided(self) -> bool:
        """Whether there was too little to compute the figure of."""
        return self.figure is None
