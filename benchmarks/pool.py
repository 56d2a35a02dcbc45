"""(7) The pool from reading to its pairs, beside the model: time, growth and memory.

Each step is a process of its own (`pool_worker.py`). Where the folder of an older build is given,
both take turns on the same texts; the ratio is that of the quickest turns, in processor time, as
other work on a machine only ever adds to it.
"""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.pool_worker import planted
from benchmarks.table import Measurement, MissingInput
from benchmarks.throughput import fit_exponent
from ste_plugin.config import SelectionConfig
from ste_plugin.instructions.selection.shingles import shingles

COMPARED, PLANTED = 10_000, 20_000
SIZES = (10_000, 100_000, 1_000_000)
NEAR_DUPLICATES, REST, EXPONENT, MEGABYTES = 0.1, 1 / 3, 1.05, 1000
HERE = Path(__file__).parent


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield each step beside an older build, its growth and memory, and what was missed."""
    for step, at_most in (("near-duplicates", NEAR_DUPLICATES), ("rest", REST)):
        yield compare(step, at_most, inputs)
        yield from growth(step)
    yield from growth("kept-out")
    yield from growth("whole")
    yield find_misses()


def compare(step: str, at_most: float, inputs: Inputs) -> Measurement:
    """Return a step's processor time over that of an older build."""
    claim = f"(7) {step}: processor time over that of an older build, {COMPARED:,} instructions"
    try:
        other = inputs.need("old")
    except MissingInput as reason:
        return Measurement(claim, f"not run: {reason}")
    runs: dict[Path, list[dict[str, Any]]] = {HERE.parent: [], other: []}
    for _ in range(inputs.repetitions):
        for folder, results in runs.items():
            results.append(run(step, COMPARED, folder))
    ours, theirs = (min(r["seconds"] for r in results) for results in runs.values())
    same = [r[-1].get("digest") for r in runs.values()]
    files = "" if None in same else f", {'the same' if same[0] == same[1] else 'OTHER'} files"
    figure = f"{ours / theirs:.3f} ({ours:.2f} s to {theirs:.2f} s{files})"
    return Measurement(claim, figure, f"at most {at_most:.2f}", ours / theirs <= at_most)


def growth(step: str) -> Iterator[Measurement]:
    """Yield how a step's time and memory grow with the instructions."""
    results = [run(step, size) | {"judgments": size} for size in SIZES]
    slope = fit_exponent(results)
    speeds = ", ".join(f"{1e6 * r['seconds'] / r['judgments']:.0f}" for r in results)
    sizes = ", ".join(f"{size:,}" for size in SIZES)
    yield Measurement(
        f"(7) {step}: seconds grow with instructions to the power",
        f"{slope:.3f} ({speeds} µs each at {sizes})",
        f"at most {EXPONENT}",
        slope <= EXPONENT,
    )
    yield Measurement(
        f"(7) {step}: peak MB at these sizes",
        ", ".join(f"{r['megabytes']:.0f}" for r in results),
        f"at most {MEGABYTES}",
        results[-1]["megabytes"] <= MEGABYTES,
    )


def run(step: str, count: int, folder: Path = HERE.parent) -> dict[str, Any]:
    """Return what a step's process measured with the build in a folder."""
    command = [sys.executable, str(HERE / "pool_worker.py"), step, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=folder, env=environment, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def find_misses() -> Measurement:
    """Compare what is dropped with a count of all overlaps, which leaves no pair out."""
    threshold = SelectionConfig().near_duplicate_threshold
    sets = [shingles(text) for text in planted(PLANTED)]
    kept = set(run("planted", PLANTED)["kept"])
    expected = set(_keep_by_counting(sets, threshold))
    return Measurement(
        f"(7) near duplicates missed, and others dropped, of {PLANTED:,} with planted ones",
        f"{len(kept - expected)} and {len(expected - kept)}, {PLANTED - len(expected):,} dropped",
        "0 and 0",
        kept == expected,
    )


def _keep_by_counting(sets: list[frozenset[str]], threshold: float) -> Iterator[int]:
    """Yield the positions of sets that resemble none that was kept, by counting every overlap."""
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for position, own in enumerate(sets):
        common = Counter(other for element in own for other in holders[element])
        ratios = (n / (len(own) + len(sets[other]) - n) for other, n in common.items())
        if not any(ratio >= threshold for ratio in ratios):
            yield position
            for element in own:
                holders[element].append(position)
