"""Personal data: replaced in instructions as they are read, and kept out once it was forgotten."""

from ste_plugin.instructions.privacy.scrubbing import (
    ScrubReport,
    apply_privacy,
    read_scrub_counts,
    scrub,
)

__all__ = ["ScrubReport", "apply_privacy", "read_scrub_counts", "scrub"]
