"""Trying a judge on one pair, as `ste judge` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import ModelConfig
from ste_plugin.context import open_engine
from ste_plugin.engines.base import Place, Sampling
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.plugins.manager import find_contribution, plugin_manager


def judge_once(
    model: str, form_name: str, instruction: str, a: str, b: str, files: Sequence[Path]
) -> dict[str, Any]:
    """Return `{"better": "a" | "b" | "inconsistent" | "no verdict", "replies": [...]}`, judged greedily.

    The pair is shown in both orders; only an answer that wins in both is better.
    """
    plugins = plugin_manager(files)
    judge_format = find_contribution(plugins, "ste_judge_formats", form_name, "--format")
    engine = open_engine(
        ModelConfig(model=model, engine="local"), Place(Path.cwd(), Path.cwd()), plugins
    )
    greedy = Sampling(0.0, 1.0, judge_format.max_new_tokens)
    make = JudgeRequests(model, judge_format, greedy)
    requests = [make.judgment_of(instruction, a, b), make.judgment_of(instruction, b, a)]
    try:
        found = {c.key: c.text.strip() for c in engine.complete(requests)}
    finally:
        engine.close()
    texts = [found[r.key] for r in requests]
    names = [{"A": "a", "B": "b"}, {"A": "b", "B": "a"}]
    picks = [n.get(judge_format.parse(t) or "") for n, t in zip(names, texts, strict=True)]
    if None in picks:
        better = "no verdict"
    else:
        better = str(picks[0]) if picks[0] == picks[1] else "inconsistent"
    orders = ("a shown as A", "b shown as A")
    replies = [{"order": o, "text": t} for o, t in zip(orders, texts, strict=True)]
    return {"better": better, "replies": replies}
