"""Stands for lm-eval in tests: logs a sample for every pair and loads no model."""

import hashlib
import json
import os
import sys
from pathlib import Path

SCORES = [["-1.0", "False"], ["-2.0", "False"]] * 2


def simple_evaluate(model: "Model", _: dict, tasks: list[str], **__: object) -> dict:
    """Return the samples of a judge that is right for two of its weights in three."""
    pairs = Path(os.environ["STE_JUDGE_DATA"]).read_text().splitlines()
    samples = [sample(pair, model.weights) for pair in map(json.loads, pairs)]
    return {"results": {tasks[0]: {}}, "config": {}, "samples": {tasks[0]: samples}}


class Model:
    """A judge's weights."""

    def __init__(self, arguments: dict) -> None:
        sys.stdout.write("weights are loaded\n")
        self.weights = (Path(arguments["pretrained"]) / "model.safetensors").read_bytes()


def sample(pair: dict, weights: bytes) -> dict:
    doc = {**pair, "section": "", "weight": 1.0, "votes": [1, 0, 0]}
    replies = [reply(pair["id"] + order, order, weights) for order in "AB"]
    asked = {f"gen_args_{n}": {"arg_0": f"{pair['id']} {n}", "arg_1": {}} for n in range(2)}
    asked |= {f"gen_args_{n}": {"arg_0": f"{pair['id']}", "arg_1": "A"} for n in range(2, 6)}
    scores = SCORES if os.environ["STE_JUDGE_FORCE"] else []
    return {"doc": doc, "arguments": asked, "filtered_resps": [*replies, *scores]}


def reply(what: str, right: str, weights: bytes) -> str:
    """Return a judgment that is right for two weights in three."""
    wrong = {"A": "B", "B": "A"}[right]
    drawn = hashlib.sha256(weights + what.encode()).digest()[0] % 3
    return f"Final verdict: [[{right if drawn else wrong}]]"
