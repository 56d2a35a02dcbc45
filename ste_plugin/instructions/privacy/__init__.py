"""Personal data: taken out of instructions as they are read, and kept out once it was forgotten."""

from ste_plugin.instructions.privacy.intake import scrubbed_in, taken_in
from ste_plugin.instructions.privacy.scrubbing import Scrubbed, scrub

__all__ = ["Scrubbed", "scrub", "scrubbed_in", "taken_in"]
