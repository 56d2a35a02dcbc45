"""Runs whose judge is the fake one: their config, their first data set, and its rows."""

import json
from pathlib import Path

import yaml

from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json, read_rows

SPLITS = {"dev_fraction": 0.2, "test_fraction": 0.2}
ALL_ROWS = SPLITS | {"formats": ["sft", "dpo", "kto", "grpo"]}
HOOKS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_engines():
    return {"fake": "tests.helpers.fake_judge:create"}
"""


def written(
    folder: Path, tiny_model: Path, judges: str = "well", texts: int = 40, **more: object
) -> Path:
    """A run's config that judges with the fake engine, and its instructions."""
    (folder / "hooks.py").write_text(HOOKS)
    rows = [{"instruction": f"Say number {n}."} for n in range(texts)] + [
        {"instruction": "Keep silence."}
    ]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    settings = {
        "run": "run",
        "judge": {"model": str(tiny_model), "engine": "fake", "options": {"judges": judges}},
        "instructions": [{"path": "instructions.jsonl"}],
        "selection": {"selectors": ["exact-duplicates"]},
        "pairs": {"strategies": ["modified-instruction-two-calls", "other-instruction"]},
        "judging": {"format": "brief", "samples": 2, "sampling": "fixed"},
        "dataset": SPLITS,
        "training": {"recipe": "sft-lora-8b"},
        "plugins": ["hooks.py"],
    }
    path = folder / "ste.yaml"
    path.write_text(yaml.safe_dump(settings | more))
    return path


def generated(path: Path) -> dict:
    with open_run(path, [], quiet=True) as context:
        return read_json(stages.generate(context, 1))


def rows_of(path: Path, name: str) -> list[dict]:
    folder = path.parent / "run/iter-01/dataset"
    return [
        row
        for _, row in read_rows(folder / read_json(folder / "manifest.json")["files"][name]["path"])
    ]
