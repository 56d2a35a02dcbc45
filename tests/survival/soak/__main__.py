"""`python -m tests.survival.soak`: kill runs; say where the kills fell and what they broke."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .killing import Soak, Tally
from .scene import Scene, fake_seed


def main() -> int:
    """Return 1 where anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no run after that"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--a-run", type=float, default=12, help="kills a run on average")
    parser.add_argument(
        "--hosts",
        choices=("stubs", "real"),
        default="stubs",
        help="axolotl and lm-eval, or programs that stand for them and take no time",
    )
    parser.add_argument(
        "--small", action="store_true", help="one iteration, one training, one evaluation a judge"
    )
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        stubs = asked.hosts == "stubs"
        seed = fake_seed(Path(folder, "seed")) if stubs else real_seed(Path(folder, "seed"))
        scene = Scene(
            Path(folder, "scene"),
            seed,
            stubs=stubs,
            small=asked.small,
            pause_s=0.02,
            iterations=1 if asked.small else 2,
        )
        soak = Soak(scene, asked.seed, asked.a_run, say)
        tally = soak.go(asked.kills, began + asked.minutes * 60)
    say(told(tally, time.monotonic() - began))
    return bool(tally.faults)


def real_seed(folder: Path) -> Path:
    """Return the folder of a tiny model that axolotl and lm-eval load."""
    from tests.helpers.tiny_model import save_tiny_model

    return save_tiny_model(folder)


def told(tally: Tally, seconds: float) -> str:
    """Return the tally as a table: stages down, kinds of ends across."""
    kinds = sorted({kind for kind, _ in tally.ends})
    stages = Counter(stage for (_, stage), n in tally.ends.items() for _ in range(n))
    lines = [f"{'':24}" + "".join(f"{kind:>9}" for kind in [*kinds, "all"])]
    for stage, n in stages.most_common():
        lines.append(f"{stage:24}" + "".join(f"{tally.ends[k, stage]:9}" for k in kinds) + f"{n:9}")
    lines.append(
        f"{tally.kills} kills, {tally.runs} runs finished, {len(tally.faults)} faults, "
        f"{seconds / 60:.1f} minutes; the slowest end after a signal took {tally.slowest_s:.1f} s"
    )
    return "\n".join([*lines, *tally.faults])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
