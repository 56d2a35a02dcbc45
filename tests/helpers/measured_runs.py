"""Folders of runs that were never run: judges that are right as often as a test says, measured and
compared by the package's own code."""

import random
from pathlib import Path

import yaml

from ste_plugin.context import IterationReport, reported_figures
from ste_plugin.lm_eval_tasks.figures import summarise
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.storage.jsonl import replace_json, replace_rows
from tests.helpers.builders import config

STRATEGIES = ("other-instruction", "modified-instruction")


def judged_pairs(
    n: int, skill: float, seed: int, subsets=STRATEGIES, section=""
) -> list[JudgedPair]:
    """Pairs of a judge that is right with this chance in an order, by the seed alone."""
    draw = random.Random(seed)

    def said(gold: str) -> OrderVerdict:
        right = draw.random() < skill
        return OrderVerdict(gold, gold if right else "AB".replace(gold, ""))

    return [
        JudgedPair(
            f"p{i}",
            subsets[i % len(subsets)],
            f"q{i}",
            (said("A"), said("B")),
            draw.randint(20, 90),
            draw.randint(20, 90),
            section,
        )
        for i in range(n)
    ]


def measured(folder: Path, judged, task="ste_local", **more) -> dict:
    """Write what measuring a judge on one set leaves behind; return its results."""
    write_judged(folder, judged)
    results = {
        "task": task,
        "model": "m",
        "model_fingerprint": "f" * 16,
        "pairs_sha256": "p" * 64,
        "judge_format": "brief-1",
        "settings": {"limit": None, "mode": "verdict"},
        "host": {
            "lm_eval": "0.4.11",
            "ste_plugin": "0.1.0",
            "seconds": 12.5,
            "judgments": 2 * len(judged),
            "prompt_tokens": 300 * len(judged),
            "reply_tokens": 40 * len(judged),
        },
    }
    results |= summarise(judged) | more
    replace_json(folder / "results.json", results)
    return results


def manifest(strategies=STRATEGIES, rows=120) -> dict:
    """What a data set says of itself, as far as a report reads it."""
    kept = {name: rows // len(strategies) for name in strategies}
    return {
        "judge_format": {"name": "brief", "version": "brief-1"},
        "files": {},
        "counts": {
            "judgments": 900,
            "correct": 610,
            "without_verdict": 31,
            "forced": 0,
            "kept": {"train": rows},
            "letters": {"train": {"A": rows // 2, "B": rows - rows // 2}},
            "strategies": {"train": kept},
            "pass_rate": {"mean": 0.61, "se": 0.02, "pairs": 200},
            "prompt_tokens": 81_000,
            "generated_tokens": 42_000,
        },
        "drops": {
            "pairs: better answer cut off by the token limit": 47,
            "dataset: no correct judgment": 18,
            "dataset: surplus of one letter": 5,
        },
    }


def measured_run(
    folder: Path,
    skills=(0.5, 0.65, 0.8),
    sets=None,
    iterations=None,
    best=-1,
    subsets=STRATEGIES,
    **settings,
) -> Path:
    """Write a run's folder: a judge per skill, the seed first, each measured on all sets.

    `best` is the round that is shipped, by default the last; None leaves the run unfinished.
    """
    root = folder / "run"
    given = config(folder, iterations=str(iterations or max(1, len(skills) - 1)), **settings)
    root.mkdir(parents=True, exist_ok=True)
    (root / "run.yaml").write_text(
        yaml.safe_dump({"ste_version": "0", "config": given.model_dump(mode="json")})
    )
    replace_json(
        root / "pool" / "done.json",
        {
            "instructions": 400,
            "pairs": {"train": 280, "dev": 60, "test": 80},
            "drops": {"pairs: better answer cut off by the token limit": 47},
            "files": {},
            "cost": {"prompt_tokens": 23_593, "generated_tokens": 13_904, "cost": None},
        },
    )
    reports = [
        _round(root, number, skill, sets or {"dev": 60, "test": 80}, subsets)
        for number, skill in enumerate(skills)
    ]
    replace_rows(root / "events.jsonl", _events(len(skills)))
    if best is not None:
        best = len(skills) - 1 if best < 0 else best
        rows = [report.to_dict() for report in reports]
        replace_json(
            root / "report.json", {"best": best, "model": "m", "keep": "best", "iterations": rows}
        )
    return root


def _round(root: Path, number: int, skill: float, sets, subsets) -> IterationReport:
    folder = root / f"iter-{number:02d}"
    results = {
        name: measured(folder / "eval" / name, judged_pairs(n, skill, place, subsets))
        for place, (name, n) in enumerate(sets.items())
    }
    if number:
        replace_json(folder / "dataset/manifest.json", manifest(subsets))
    figures = {name: reported_figures(found) for name, found in results.items()}
    report = IterationReport(number, str(folder), "m", figures, 900, 120, 42_000, 81_000, None, 3.5)
    replace_json(folder / "done.json", report.to_dict())
    return report


def _events(rounds: int) -> list[dict]:
    stages = [("generate", 100.0), ("train", 900.0), ("eval dev", 20.0), ("eval test", 31.0)]
    rows = [{"stage": "pool", "iteration": None, "seconds": 115.3}]
    for number in range(rounds):
        took = stages if number else stages[2:]
        rows += [{"stage": s, "iteration": number, "seconds": n} for s, n in took]
    return rows
