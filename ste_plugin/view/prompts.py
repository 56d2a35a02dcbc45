"""The prompt that a judge was sent: as lm-eval logged it, or rebuilt by the run's judge format."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pluggy

from ste_plugin.errors import ConfigError, DataError, SteError
from ste_plugin.judging import JudgeFormat
from ste_plugin.plugins.judge_formats import format_of_manifest
from ste_plugin.plugins.manager import find_contribution, plugin_manager
from ste_plugin.records import ORDERS
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.jsonl import read_json
from ste_plugin.view.texts import PairText, replies_in


class Prompt(NamedTuple):
    """A prompt, or why it is not known."""

    order: str
    """Letter under which the better answer is shown; empty where there is no such thing."""
    text: str
    note: str
    """How exact the text is."""
    shown: str = ""
    """What it shows where, in words; empty where there is no order."""


def shown(order: str, *, alone: bool = False) -> str:
    """Return what the prompt of an order shows; `alone`: each answer is rated by itself."""
    if not alone:
        return f"Better answer shown as {order}"
    return "Better answer shown alone" if order == "A" else "Worse answer shown alone"


FindFormat = Callable[[Path], JudgeFormat]
"""Returns the judge format of a run. Raises: SteError where it is not known here."""


def format_finder(plugins: pluggy.PluginManager) -> FindFormat:
    """Return how the judge format of a run is found: among those of these plugins."""

    def find(root: Path) -> JudgeFormat:
        name = read_run_yaml(root / "run.yaml").judging.format
        try:
            found: JudgeFormat = find_contribution(
                plugins, "ste_judge_formats", name, "judging.format"
            )
        except ConfigError as error:
            raise ConfigError(
                f"{error} To see prompts, install the plugin that has it, or name its file with "
                "--plugin."
            ) from error
        return found

    return find


def sampled_prompts(
    root: Path, judge: str, pair: PairText, find_format: FindFormat
) -> list[Prompt]:
    """Return the prompts of both orders that judgments of a data set were sampled with."""
    try:
        judge_format = _told_in(root / judge / "dataset" / "manifest.json") or find_format(root)
    except SteError as error:
        return [Prompt("", "", f"The prompt cannot be rebuilt. {error}")]
    sent = _version_sent(root / judge / "dataset" / "manifest.json")
    if sent not in ("", judge_format.version):
        return [
            Prompt(
                "",
                "",
                f"The prompt cannot be rebuilt: it was sent by version {sent} of the format, and "
                f"this is {judge_format.version}.",
            )
        ]
    note = "Rebuilt by the run's judge format; the model's chat template is put around it."
    prompts = []
    judge_format = judge_format.for_row(pair.columns)
    for gold in ORDERS:
        told = shown(gold, alone=judge_format.pointwise)
        turns = judge_format.render_pair(pair.question, pair.better[0], pair.worse[0], gold)
        roles = len(turns) > 1
        text = "\n\n".join(f"[{t.role}]\n{t.content}" if roles else t.content for t in turns)
        prompts.append(Prompt(gold, text, note, told))
    return prompts


def _told_in(manifest: Path) -> JudgeFormat | None:
    """Return the format whose words a data set's manifest holds; None where it only names one."""
    try:
        told = read_json(manifest)["judge_format"]
        if "definition" not in told:
            return None
    except (DataError, LookupError, TypeError):
        return None
    return format_of_manifest(plugin_manager(), told, str(manifest))


def _version_sent(manifest: Path) -> str:
    """Return the format's version that a data set was made by; empty where it is not told."""
    try:
        return str(read_json(manifest)["judge_format"]["version"])
    except (DataError, LookupError, TypeError):
        return ""


def logged_prompts(sample: Mapping[str, Any], judged: Mapping[str, Any]) -> list[Prompt]:
    """Return the prompts that lm-eval logged of one pair."""
    orders, note = judged.get("shown") or [], "As lm-eval sent it."
    alone, found = "ratings_a" in judged, []
    for place, (text, _) in enumerate(replies_in(sample)):
        gold = orders[place] if place < len(orders) else ""
        found.append(Prompt(gold, text, note, shown(gold, alone=alone) if gold else ""))
    return found or [Prompt("", "", "Only likelihoods were measured.")]
