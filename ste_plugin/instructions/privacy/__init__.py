"""Personal data: replaced in instructions as they are read, and kept out once it was forgotten."""

from ste_plugin.instructions.privacy.scrubbing import (
    Scrubber,
    ScrubReport,
    add_report,
    apply_privacy,
    read_scrub_counts,
    remove_report,
    scrub,
)

__all__ = [
    "ScrubReport",
    "Scrubber",
    "add_report",
    "apply_privacy",
    "read_scrub_counts",
    "remove_report",
    "scrub",
]
