"""What a run ended with: its files without times, and what it was paid for."""

import json
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from .engine import IN_FLIGHT
from .scene import Scene

TIMES = ("minutes", "seconds", "at")
"""Fields that are left out of a comparison."""
LEFT_OUT = (
    "events.jsonl",
    "run.lock",
    "axolotl.log",
    "lm-eval.log",
    "debug.log",
    "prepared",
    "lm-eval",
)
"""Files and folders that tell of times, or that nothing is derived from."""
_ENGINES = 2
"""Generator and judge may both have calls in flight."""


def outputs(run: Path, *, weights: bool = True) -> dict[str, str]:
    """Return file → hash of its content without times; of `model/` the final model and its
    manifest.

    A file of completions holds them in the order of their coming, and is compared as a set.
    """
    return {
        str(path.relative_to(run)): _hash(path)
        for path in sorted(run.rglob("*"))
        if path.is_file() and not _is_left_out(path.relative_to(run), weights)
    }


def _is_left_out(path: Path, weights: bool) -> bool:
    if any(part in LEFT_OUT for part in path.parts) or path.name.endswith(".new"):
        return True
    if "model" not in path.parts:
        return False
    return path.name != "trained.json" and not (weights and "merged" in path.parts)


def _hash(path: Path) -> str:
    content = path.read_bytes()
    if path.name == "report.html":  # tells times, and is made of the other files
        return "whole" if content.endswith(b"</html>\n") else "broken off"
    if path.name.endswith(".completions.jsonl"):
        content = b"\n".join(sorted(content.split(b"\n")))
    elif path.suffix == ".json" and "merged" not in path.parts:
        with suppress(ValueError):  # a damaged one counts as it is
            content = json.dumps(_without_times(json.loads(content)), indent=1).encode()
    return sha256(content).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k not in TIMES}
    return [_without_times(v) for v in value] if isinstance(value, list) else value


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the files that are other than expected."""
    return [
        f"{name}: "
        f"{'missing' if name not in found else 'not expected' if name not in expected else 'other'}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def asked(scene: Scene) -> Counter[str]:
    """Return request key → how often it was paid for."""
    return Counter(line.split()[0] for line in scene.asked.read_text().splitlines())


def answered(run: Path) -> Counter[str]:
    """Return request key → how often its completion is on file."""
    files = run.rglob("*.completions.jsonl")
    return Counter(json.loads(line)["key"] for f in files for line in f.read_bytes().splitlines())


def wasted(scene: Scene) -> Counter[str]:
    """Return process → how many of the requests that it paid for were paid for again later."""
    lines = [line.split() for line in scene.asked.read_text().splitlines()]
    last = {key: number for number, (key, _) in enumerate(lines)}
    return Counter(pid for number, (key, pid) in enumerate(lines) if last[key] > number)


def faults_in_asking(scene: Scene, expected: Counter[str]) -> list[str]:
    """Return what was asked too often, or not at all."""
    paid, kept = asked(scene), answered(scene.run)
    lost, most = max(wasted(scene).values(), default=0), IN_FLIGHT * _ENGINES
    found = {
        f"{lost} answers of one start were paid for again; at most {most} were in flight": lost
        > most,
        f"{len(expected.keys() - paid.keys())} requests never asked": bool(
            expected.keys() - paid.keys()
        ),
        f"{len(paid.keys() - expected.keys())} requests that nobody needs": bool(
            paid.keys() - expected.keys()
        ),
        f"{len(paid.keys() - kept.keys())} answers lost": bool(paid.keys() - kept.keys()),
        f"{sum(n > 1 for n in kept.values())} answers kept twice": max(kept.values()) > 1,
    }
    return [told for told, wrong in found.items() if wrong]
