"""Personal data: taken out of instructions as they are read, and kept out once it was forgotten."""

from ste_plugin.instructions.privacy.intake import apply_privacy, read_scrub_counts
from ste_plugin.instructions.privacy.scrubbing import ScrubReport, scrub

__all__ = ["ScrubReport", "apply_privacy", "read_scrub_counts", "scrub"]
