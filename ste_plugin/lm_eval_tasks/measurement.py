"""How an evaluation is made, as results.json and lm-eval's own results and samples tell it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.lm_eval_tasks.benchmarks import files_of
from ste_plugin.lm_eval_tasks.judged_file import pairs_hash
from ste_plugin.lm_eval_tasks.pairs_file import Document
from ste_plugin.lm_eval_tasks.settings import DEFAULTS, JudgeSettings
from ste_plugin.storage.jsonl import read_json

HOW = "ste_judge"
"""What it is called in the metadata of lm-eval's results."""
JUDGED = "judged"
"""What is called in lm-eval's samples how they were made, and the verdicts in words."""
_RECORDED_ELSEWHERE = ("data", "format", "plugins")
"""Settings that are not among `settings` of results.json."""
_RECORDED_WHERE_SET = (
    "chat_template_kwargs",
    "thinking",
    "omit",
    "columns",
    "labels",
    "lists",
    "bad_rows",
)
"""Settings that older results.json know nothing of: by default they are the same evaluation."""


def described(
    settings: JudgeSettings, judge_format: JudgeFormat | None, rows: Sequence[Document]
) -> dict[str, Any]:
    """Return what is judged and how, as JSON has it: all that figures depend on but the judge.

    Without a format, of a task that has prompts of its own, nothing is said of one.
    """
    told = recorded(settings)
    asked: dict[str, Any] = {"settings": told}
    if judge_format:
        tokens = settings.max_new_tokens or judge_format.max_new_tokens
        asked = {
            "judge_format": judge_format.version,
            "settings": told | {"max_new_tokens": tokens},
        }
    return {
        "data": str(settings.data) if settings.data else None,
        "data_sha256": _sha256(*(path.read_bytes() for path in files_of(settings))),
        "pairs_sha256": pairs_hash(row.to_doc() for row in rows),
        **asked,
    }


def recorded(settings: JudgeSettings) -> dict[str, Any]:
    """Return the settings that results.json holds as such, as JSON has them."""
    found = {k: v for k, v in asdict(settings).items() if k not in _RECORDED_ELSEWHERE}
    default = asdict(DEFAULTS)
    unset = [name for name in _RECORDED_WHERE_SET if found[name] in (default[name], None)]
    return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items() if k not in unset}


def refuse_to_replace(file: Path, model: str, settings: JudgeSettings) -> None:
    """Raise ConfigError where there is an evaluation already, which is not this one."""
    if not file.exists():
        return

    def words(model: Any, data: Any, form: str) -> str:
        return f"{model} on {data or 'the published pairs'} in the format {form}"

    there = read_json(file)
    form = str(there.get("judge_format")).rpartition("-")[0]  # behind it a hash of its words
    found = words(there.get("model"), there.get("data"), form)
    wanted = words(model, settings.data, settings.format)
    other = "one has other weights, pairs, words or settings"
    differs = f"is one of {wanted}" if wanted != found else other
    raise ConfigError(
        f"{file}: found an evaluation of {found}; this {differs}, and would replace it. Give it a "
        "folder of its own (--out), or delete that one."
    )


def _sha256(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()
