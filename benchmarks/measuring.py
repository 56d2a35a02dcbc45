"""(8) Time to measure one judge on four sets of pairs with lm-eval: this build beside an older one.

The builds take turns, and each starts as a process of its own. Processor time stands beside wall
time, as other work on the machine slows the one less. Both must report the same figures.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement

SETS, PAIRS = 4, 40
AT_MOST = 0.45
THIS_BUILD = Path(__file__).parents[1]
MEASURE = """
import sys
from contextlib import nullcontext
from pathlib import Path
from ste_plugin.config import EvaluationConfig, HostConfig
from ste_plugin.lm_eval_tasks import runner
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

model, out, *sets = sys.argv[1:]
host = HostConfig()
open_process = getattr(runner, "open_process", None)
with open_process(host) if open_process else nullcontext() as process:
    for data in map(Path, sets):
        runner.evaluate(
            model,
            Path(out) / data.stem,
            settings=JudgeSettings(data, "verdict", force=True),
            config=EvaluationConfig(batch_size=16),
            host=host,
            **({"process": process} if process else {}),
        )
"""


class Taken(NamedTuple):
    """What measuring all sets took."""

    wall_s: float
    cpu_s: float


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield the ratio of wall times, with that of processor times."""
    builds = {"old": inputs.need("old"), "new": THIS_BUILD}
    model = inputs.need("model")
    with tempfile.TemporaryDirectory() as place:
        sets = write_sets(Path(place), inputs)
        taken: dict[str, list[Taken]] = {name: [] for name in builds}
        for turn in range(inputs.repetitions):
            outs = {name: Path(place) / f"{name}-{turn}" for name in builds}
            for name in sorted(builds, reverse=bool(turn % 2)):
                taken[name].append(run(builds[name], model, outs[name], sets))
            for data in sets:
                old, new = (figures(out / data.stem) for out in outs.values())
                assert {key: new.get(key) for key in old} == old, "not the same figures"
    wall, cpu = ([min(t[n] for t in taken["new"]), min(t[n] for t in taken["old"])] for n in (0, 1))
    ratio = wall[0] / wall[1]
    yield Measurement(
        f"(8) measuring a judge on {SETS} sets of {PAIRS} pairs, beside the older build",
        f"{ratio:.2f} of its wall time ({wall[0]:.0f} s, {wall[1]:.0f} s), {cpu[0] / cpu[1]:.2f} "
        f"of its processor time ({cpu[0]:.0f} s, {cpu[1]:.0f} s), the same figures; fastest of "
        f"{inputs.repetitions}",
        f"at most {AT_MOST}",
        ratio <= AT_MOST,
    )


def write_sets(folder: Path, inputs: Inputs) -> list[Path]:
    """Write the sets of pairs; return their files."""
    pairs = inputs.response_pairs(SETS * PAIRS)
    paths = [folder / f"set-{n}.jsonl" for n in range(SETS)]
    for n, path in enumerate(paths):
        rows = [
            {
                "id": pair.key,
                "subset": pair.strategy,
                "prompt": pair.instruction,
                "chosen": pair.better,
                "rejected": pair.worse,
            }
            for pair in pairs[n * PAIRS :][:PAIRS]
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def run(build: Path, model: Path, out: Path, sets: list[Path]) -> Taken:
    """Measure the model on all sets with a build; return what that took."""
    command = [sys.executable, "-c", MEASURE, model, out, *sets]
    env = {**os.environ, "PYTHONPATH": str(build), "HF_HUB_OFFLINE": "1"}
    before, began = _processor_s(), time.monotonic()
    subprocess.run(list(map(str, command)), env=env, cwd=out.parent, check=True)
    return Taken(time.monotonic() - began, _processor_s() - before)


def figures(out: Path) -> Mapping[str, Any]:
    """Return the figures of one set."""
    overall: Mapping[str, Any] = json.loads((out / "results.json").read_text())["overall"]
    return overall


def _processor_s() -> float:
    """Return the processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
