"""`python -m lm_eval run …`: logs a sample for every pair, as lm-eval does, and loads no model."""

import argparse
import hashlib
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

PAUSE_S = 0.01
SCORES = [["-1.0", "False"], ["-2.0", "False"]] * 2


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in ("model_args", "tasks", "output_path"):
        parser.add_argument(f"--{name}")
    told, _ = parser.parse_known_args(arguments)
    model = json.loads(told.model_args)["pretrained"]
    weights = (Path(model) / "model.safetensors").read_bytes()
    stamp = datetime.now().isoformat().replace(":", "-")
    out = Path(told.output_path)
    out.parent.mkdir(parents=True, exist_ok=True)
    pairs = Path(os.environ["STE_JUDGE_DATA"]).read_text().splitlines()
    with out.with_name(f"samples_{told.tasks}_{stamp}.jsonl").open("w", buffering=1) as file:
        for pair in map(json.loads, pairs):
            file.write(json.dumps(sample(pair, weights)) + "\n")
            time.sleep(PAUSE_S)
    results = {"results": {told.tasks: {}}, "date": time.time()}
    out.with_name(f"results_{stamp}.json").write_text(json.dumps(results))


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


if __name__ == "__main__":
    main(sys.argv[2:])
