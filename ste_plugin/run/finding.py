"""What is found where an installation is looked over."""

from ste_plugin.records import Record


class CheckResult(Record, frozen=True):
    """One thing that was looked at."""

    what: str
    found: str
    ok: bool
    """False where something that `ste` needs does not work."""
    cure: str = ""
    """What to do about it; where it is `ok`, a hint that may be left."""

    @property
    def label(self) -> str:
        """Return how a list marks it: ok, hint or PROBLEM."""
        if not self.ok:
            return "PROBLEM"
        return "hint" if self.cure else "ok"
