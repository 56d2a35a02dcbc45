"""Judge formats that are written as YAML: their words, and how their verdicts are read."""

from ste_plugin.judging.written.load import format_of, read_format
from ste_plugin.judging.written.written_format import WrittenFormat

__all__ = ["WrittenFormat", "format_of", "read_format"]
