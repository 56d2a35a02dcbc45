"""What happens to instructions between their source and everything else: scrubbed, and kept forgotten."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.instructions.privacy.forgotten import drop_forgotten
from ste_plugin.instructions.privacy.scrubbing import scrub
from ste_plugin.records import Drop, Instruction
from ste_plugin.storage.jsonl import read_json, replace_json

if TYPE_CHECKING:
    from ste_plugin.config import PrivacyConfig

REPORT = "privacy.json"


def apply_privacy(
    instructions: Sequence[Instruction], settings: "PrivacyConfig", root: Path, pool: Path
) -> tuple[list[Instruction], list[Drop]]:
    """Return the instructions that a run may use, scrubbed, and a Drop for each that it has forgotten.

    Where anything is scrubbed, `pool`/privacy.json tells what was found, in counts alone.
    Raises: ConfigError where a library or a model that a kind needs is not installed.
    """
    clean, report = scrub(instructions, settings)
    if settings.scrub:
        replace_json(pool / REPORT, report.told())
    return drop_forgotten(clean, root)


def read_scrub_counts(pool: Path) -> dict[str, Any]:
    """Return `{"scrubbed": {kind: count}}` of a pool, empty where nothing was looked for."""
    place = pool / REPORT
    return {"scrubbed": read_json(place)["found"]} if place.exists() else {}
