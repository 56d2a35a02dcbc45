"""Trying a judge on one pair, as `ste judge` does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import ModelConfig
from ste_plugin.context import open_engine
from ste_plugin.engines.base import Completion, Place, Sampling
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging.verdict import TIE
from ste_plugin.plugins.judge_formats import find_judge_format
from ste_plugin.plugins.manager import plugin_manager

_ORDERS = {"a shown as A": {"A": "a", "B": "b"}, "b shown as A": {"A": "b", "B": "a"}}
"""Presentation order → which response each letter stands for."""
_ALONE = ("a alone", "b alone")
"""What the same two prompts show in a format that rates each answer."""


def judge_once(
    model: ModelConfig,
    format_name: str,
    instruction: str,
    a: str,
    b: str,
    files: Sequence[Path],
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `{"better": "a" | "b" | "tie" | "inconsistent" | "no verdict", "replies": [...]}`.

    Judged greedily. The pair is shown in both orders; only an answer that wins in both is better,
    and only what is a tie in both is one. `columns`: of a row, where the format shows any.
    """
    plugins = plugin_manager(files)
    judge_format = find_judge_format(plugins, format_name, "--format").for_row(columns or {})
    place = Place(Path.cwd(), Path.cwd())
    engine = open_engine(model, place, plugins)
    make = JudgeRequests(model.model, judge_format, Sampling(0.0, 1.0, judge_format.max_new_tokens))
    requests = [
        make.judgment_of_answers(instruction, a, b),
        make.judgment_of_answers(instruction, b, a),
    ]
    try:
        completions = {c.key: c for c in engine.complete(requests)}
    finally:
        engine.close()
    replies = [completions[request.key] for request in requests]
    said = [
        judge_format.parse(reply.text) if reply.finish_reason == "stop" else None
        for reply in replies
    ]
    verdicts = map(judge_format.decide, said, reversed(said))
    picks = [
        TIE if verdict == TIE else responses[verdict] if verdict else None
        for responses, verdict in zip(_ORDERS.values(), verdicts, strict=True)
    ]
    shown = _ALONE if judge_format.pointwise else _ORDERS
    return {
        "better": _better(*picks),
        "replies": [_reply(o, r) for o, r in zip(shown, replies, strict=True)],
    }


def _reply(order: str, reply: Completion) -> dict[str, str]:
    """Return what is told of a reply: a thought, or why it does not count, where there is that."""
    told = {"order": order, "text": reply.text.strip()}
    if reply.thinking:
        told["thinking"] = reply.thinking.strip()
    if reply.finish_reason != "stop":
        told["ended"] = "cut off by the token limit, so that its verdict does not count"
    elif reply.thinking and not told["text"]:
        told["ended"] = "a thought that never ends, so that there is no verdict"
    return told


def _better(first: str | None, second: str | None) -> str:
    if first is None or second is None:
        return "no verdict"
    return first if first == second else "inconsistent"
