"""A data set asked of a server that fails three times in ten is the one that a perfect server
gives."""

import hashlib
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json
from tests.helpers.chat_server import (
    CUT_BODY,
    CUT_CHUNKS,
    EMPTY,
    GARBAGE,
    HANG,
    NOT_THE_FIRST,
    ONE_SHORT,
    ONE_TWICE,
    RESET,
    Refuse,
    chat_server,
)
from tests.survival.soak.outcome import differences, outputs

FAULTS = (
    Refuse(429, headers=(("Retry-After", "0"),)),
    Refuse(429),
    Refuse(500),
    Refuse(502),
    HANG,
    RESET,
    CUT_BODY,
    CUT_CHUNKS,
    GARBAGE,
    EMPTY,
    ONE_SHORT,
    ONE_TWICE,
    NOT_THE_FIRST,
)
SEEDS = range(int(os.environ.get("STE_SERVER_SEEDS", "1")))


class Flaky:
    """Lets three calls in ten fail, and counts the ways."""

    def __init__(self, seed: int) -> None:
        self._chance, self.injected = random.Random(seed), Counter[str]()
        self._plan = list(FAULTS)  # each once for certain

    def __call__(self, number: int) -> Any:
        if self._chance.random() >= 0.3:
            return None
        fault = self._plan.pop() if self._plan else self._chance.choice(FAULTS)
        self.injected[named(fault)] += 1
        return fault


def named(fault: str | Refuse) -> str:
    if isinstance(fault, str):
        return fault
    return f"{fault.status}{' with Retry-After' * bool(fault.headers)}"


def said(body: dict[str, Any], index: int) -> str:
    """Label, answer or judge, by the prompt and the seed alone."""
    prompt = body["messages"][0]["content"]
    seed = body["seed"] + index if body["temperature"] else 0
    drawn = hashlib.sha256(json.dumps([body["messages"], seed]).encode()).digest()[0]
    if choices := body.get("structured_outputs"):
        return choices["choice"][drawn % 2]
    if "[Answer A]" in prompt:
        return (
            "Hard to say."
            if drawn < 40
            else f"Sample {drawn}. Final verdict: [[{'AB'[drawn % 2]}]]"
        )
    if "Reply with the new instruction alone" in prompt:
        return f"Tell me about topic {drawn} at once, please"
    return f"Reply {drawn} to <{prompt}>"


def written(folder: Path, model: Path, base_url: str, samples: bool | str) -> Path:
    rows = [{"instruction": f"Say number {n}."} for n in range(24)]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    endpoints = [{"base_url": base_url, "model": "tiny"}]
    options = {
        "endpoints": endpoints,
        "concurrency": 8,
        "prefill": "vllm",
        "samples": samples,
        "backoff_s": 0.001,
        "timeout_s": 2.0,
        "max_attempts": 50,
    }
    config = {
        "run": "run",
        "judge": {"model": str(model), "engine": "http", "options": options},
        "instructions": [{"path": "instructions.jsonl"}],
        "pairs": {"strategies": ["modified-instruction-two-calls", "other-instruction"]},
        "judging": {
            "format": "brief",
            "samples": 4,
            "sampling": "until_both",
            "force_verdict": True,
        },
        "dataset": {"dev_fraction": 0.2, "test_fraction": 0.2},
        "training": {"recipe": "sft-lora-8b"},
    }
    path = folder / "ste.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def generated(config: Path) -> dict[str, Any]:
    with open_run(config, [], quiet=True) as context:
        return read_json(stages.generate(context, 1))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("samples", [True, "auto"])
def test_a_server_that_fails_three_times_in_ten_changes_nothing(
    tiny_model, tmp_path, samples, seed
):
    model = tmp_path / "tiny"
    model.symlink_to(tiny_model)
    with chat_server(said) as server:
        config = written(tmp_path, model, server.base_url, samples)
        perfect = generated(config)
    expected, calls = outputs(tmp_path / "run"), len(server.bodies)
    (tmp_path / "run").rename(tmp_path / "perfect")
    faults = Flaky(seed)
    with chat_server(said, fault=faults) as server:
        found = generated(written(tmp_path, model, server.base_url, samples))
    assert set(faults.injected) == {named(fault) for fault in FAULTS}
    assert sum(faults.injected.values()) > calls // 5
    told = differences(outputs(tmp_path / "run"), expected)
    other = {line.split(":")[0].rpartition("/")[2] for line in told}
    # the port; and where a sample is left out and asked for by itself, more is paid for
    tokens = {"manifest.json", "judging.completions.jsonl"} if samples == "auto" else set()
    assert other <= {"run.yaml"} | tokens
    if samples == "auto":
        for manifest in (perfect, found):
            assert manifest["counts"].pop("prompt_tokens") > 0
            assert manifest["counts"].pop("generated_tokens") > 0
    assert found == perfect
    sys.stdout.write(f"faults injected: {dict(faults.injected.most_common())}\n")
