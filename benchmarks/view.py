"""(10) Looking at a run of `--judgments`, a million: index, first page, filters, search, memory.

`view_worker.py` does it in a process of its own, so that the memory measured is the viewer's alone.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement
from ste_plugin.records import ORDERS, OTHER, Judgment, ResponsePair, content_key
from ste_plugin.storage.jsonl import encode_record

ROUNDS, SAMPLES = 2, 2
MEGABYTES, FIRST_PAGE_S = 300, 1.0
HERE = Path(__file__).parent
_WORDS = 5000
_ENDS = ("", "a", "er", "ing", "o", "y", "en", "is", "al", "um")
_ENDINGS = [f"{a}{b}" for a in ("l", "n", "r", "st", "nd", "ck", "m", "sh", "v") for b in _ENDS]


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield what it takes to make the index, to open it again, and to use it."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "run"
        write_run(root, inputs.judgments)
        size = sum(path.stat().st_size for path in root.rglob("*.jsonl"))
        made, used = (run(root, step) for step in ("make", "use"))
    yield Measurement(
        f"(10) index of {inputs.judgments:,} judgments ({size / 1e6:,.0f} MB), made once",
        f"{made['index_s']:.0f} s, {made['index_mb']:.0f} MB; of their words "
        f"{made['words_s']:.0f} s more, {made['words_mb']:.0f} MB; peak {made['megabytes']:.0f} MB",
        f"at most {MEGABYTES} MB",
        made["megabytes"] <= MEGABYTES,
    )
    yield Measurement(
        "(10) opened again: until the first page is there",
        f"{used['first_s']:.2f} s",
        f"at most {FIRST_PAGE_S:.0f} s",
        used["first_s"] <= FIRST_PAGE_S,
    )
    yield Measurement(
        "(10) then: a filtered page, a rare filter, next of a rare one, a search, a common word",
        ", ".join(f"{1e3 * used[name]:.0f} ms" for name in used["steps"]),
    )
    yield Measurement(
        "(10) peak memory of the viewer",
        f"{used['megabytes']:.0f} MB",
        f"at most {MEGABYTES} MB",
        used["megabytes"] <= MEGABYTES,
    )


def run(root: Path, step: str) -> dict[str, Any]:
    """Return what a process of its own measured."""
    command = [sys.executable, str(HERE / "view_worker.py"), step, str(root)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=HERE.parent, env=environment, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_run(root: Path, judgments: int) -> None:
    """Write a run's folder with pairs and judgments of several rounds, of made-up words."""
    draw = random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in _ENDINGS][:_WORDS]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))

    def text(count: int) -> str:
        return " ".join(draw.choices(words, cum_weights=weights, k=count))

    (root / "pool").mkdir(parents=True)
    (root / "run.yaml").write_text("config: {}\n")
    keys = []
    with (root / "pool" / "pairs.jsonl").open("wb") as file:
        for number in range(judgments // (ROUNDS * SAMPLES * len(ORDERS))):
            key = content_key("pair", number)
            strategy = ("modified-instruction", "other-instruction", "padded")[number % 3]
            pair = ResponsePair(key, key, text(20), text(60), text(60), strategy)
            file.write(encode_record(pair))
            keys.append(key)
    for number in range(1, ROUNDS + 1):
        folder = root / f"iter-{number:02d}"
        folder.mkdir()
        with (folder / "judgments.jsonl").open("wb") as file:
            for key in keys:
                for gold in ORDERS:
                    for sample in range(SAMPLES):
                        verdict = gold if draw.random() < 0.7 else OTHER[gold]
                        said = f"{text(80)}\n\nFinal verdict: [[{verdict}]]"
                        judgment = Judgment(
                            f"{key}-{number}-{gold}-{sample}",
                            key,
                            gold,
                            sample,
                            said,
                            verdict,
                            draw.random() < 0.001,
                        )
                        file.write(encode_record(judgment))
