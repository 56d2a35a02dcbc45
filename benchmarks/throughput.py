"""(4) Everything that is not the model, on a thousand to a million judgments.

Each size is a process of its own that reads a prepared pool of pairs and goes through the whole
stage: plan, hash, give to an engine that answers at once, append, parse, select, write the rows
that the recipe trains on and the manifest. Counting tokens is left out: that is the judge's own
tokenizer. Time is processor time, so that other processes do not count.
"""

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement

SIZES = (1_000, 10_000, 100_000, 1_000_000)
RULES = {"fixed": 15.0, "until_correct": 1.57}
"""Sampling rule → judgments that it draws a pair and order at accuracy 0.75."""
SHORT = 10_000
AT_LEAST, EXPONENT, MEGABYTES = 20_000, 1.05, 500


def measure(_: Inputs) -> Iterator[Measurement]:
    """Yield speed, growth and memory under the rule that draws all 15 and under the default."""
    for rule in RULES:
        results = [run_quickest(size, rule) for size in SIZES]
        speeds = [r["judgments"] / r["seconds"] for r in results]
        shown = ", ".join(
            f"{s:,.0f} at {r['judgments']:,}" for s, r in zip(speeds, results, strict=True)
        )
        yield Measurement(
            f"(4) judgments per second on one core beside the model, `{rule}`",
            shown,
            f"at least {AT_LEAST:,}",
            min(speeds) >= AT_LEAST,
        )
        slope = fit_exponent(results)
        yield Measurement(
            f"(4) seconds grow with judgments to the power, `{rule}`",
            f"{slope:.3f}",
            f"at most {EXPONENT}",
            slope <= EXPONENT,
        )
        peak = max(r["megabytes"] for r in results)
        memory = ", ".join(f"{r['megabytes']:.0f}" for r in results)
        yield Measurement(
            f"(4) peak MB at these sizes, `{rule}`",
            memory,
            f"at most {MEGABYTES}",
            peak <= MEGABYTES,
        )


def run_quickest(size: int, rule: str) -> dict[str, float]:
    """Return the quickest of five processes where one takes less than a second, else of one."""
    runs = [run_in_process(size, rule) for _ in range(5 if size <= SHORT else 1)]
    return min(runs, key=lambda result: result["seconds"])


def run_in_process(size: int, rule: str) -> dict[str, float]:
    """Return what a process of its own measured."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.throughput", str(size), rule, folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def fit_exponent(results: list[dict[str, float]]) -> float:
    """Return the slope of log seconds against log judgments, by least squares."""
    points = [(math.log(f["judgments"]), math.log(f["seconds"])) for f in results]
    x, y = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def run(size: int, rule: str, folder: Path) -> dict[str, float]:
    """Return judgments, seconds of the processor, and peak megabytes."""
    import ste_plugin.dataset.build  # noqa: F401 (its import is not timed)
    from benchmarks.stage import count_one_token_per_example, make_pairs, write_run
    from ste_plugin.run import stages
    from ste_plugin.run.open_run import open_run
    from ste_plugin.storage.jsonl import read_json

    pairs = make_pairs(math.ceil(size / 2 / RULES[rule]))
    judge, judging = {"model": "none", "engine": "instant"}, {"sampling": rule, "samples": 15}
    config = write_run(folder, pairs, judge, judging)
    with open_run(config, [], quiet=True) as context, count_one_token_per_example():
        began = time.process_time()
        manifest = read_json(stages.generate(context, 1))
        seconds = time.process_time() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    judgments = manifest["counts"]["judgments"]
    return {"judgments": judgments, "seconds": seconds, "megabytes": megabytes}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))))  # noqa: T201
