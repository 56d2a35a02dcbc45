"""Which instructions are kept: labels by an LLM, then selectors that need none."""

from ste_plugin.instructions.selection.labels import (
    CATEGORIES,
    LABEL_VERSION,
    Labels,
    label,
    label_prompt,
    parse_labels,
    retry_prompt,
    with_labels,
)
from ste_plugin.instructions.selection.selectors import SELECTORS, select

__all__ = [
    "CATEGORIES",
    "LABEL_VERSION",
    "SELECTORS",
    "Labels",
    "label",
    "label_prompt",
    "parse_labels",
    "retry_prompt",
    "select",
    "with_labels",
]
