"""Engines without a model that write answers as pair strategies ask for them, and judge them."""

import json
from pathlib import Path

import yaml

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Place
from ste_plugin.testing import FakeEngine

HOOKS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_engines():
    return {"writer": "tests.helpers.fake_writers:create"}
"""
STRONG = {"model": "strong", "engine": "writer"}
WEAK = {"model": "weak", "engine": "writer"}


def create(model: ModelConfig, _: Place) -> FakeEngine:
    """Return an engine that signs its plain answers with the model's name."""
    return FakeEngine(lambda request: said(request, model.model))


def said(request: ChatRequest, name: str = "strong") -> str:
    asked = request.messages[-1].content
    if "[Answer A]" in asked:
        first = asked.split("[Answer A]\n")[1].split("\n\n[Answer B]")[0]
        reason = "It should say reply." if request.sample_index % 2 else "It is better."
        return f"{reason} Final verdict: [[{'B' if 'silence' in first else 'A'}]]"
    if "so that it is false" in asked:
        return "reply -> silence"
    if "the word Answer" in asked:  # of eight samples five say 5, and one is too long
        late = "word " * 99 if request.sample_index == 6 else ""
        return f"{late}Let me see.\nAnswer: {7 if request.sample_index in (2, 5) else 5}"
    if "Do not answer yet" in asked:
        return "Say it.\nCheck it."
    if "takes these steps" in asked:
        return "A long reply in steps."
    return "" if "silence" in asked else f"A {name} reply to {asked.splitlines()[0]}"


def written(folder: Path, strategies: list[str], texts: int = 20, **more: object) -> Path:
    """A run's config, whose generator is the strong writer, and its instructions."""
    (folder / "hooks.py").write_text(HOOKS)
    rows = [{"instruction": f"Say number {n}.", "result": 5} for n in range(texts)]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    settings = {
        "run": "run",
        "judge": STRONG,
        "instructions": [{"path": "instructions.jsonl", "columns": {"final_answer": "result"}}],
        "selection": {"selectors": ["exact-duplicates"]},
        "pairs": {"strategies": strategies, "max_new_tokens": 90, **more.pop("pairs", {})},
        "dataset": {"dev_fraction": 0.2, "test_fraction": 0.2},
        "training": {"recipe": "sft-lora-8b"},
        "plugins": ["hooks.py"],
    }
    path = folder / "ste.yaml"
    path.write_text(yaml.safe_dump(settings | more))
    return path
