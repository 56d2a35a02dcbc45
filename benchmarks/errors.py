"""(11) How often gates and audits err on judges and pairs that are drawn: nothing is timed."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement
from ste_plugin.audit.shortcuts.examine import examine
from ste_plugin.audit.shortcuts.sample import PairSample
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval
from tests.helpers.drawn_judges import BIASED, Kind, drawn_gates
from tests.helpers.planted_pairs import honest, planted

SETS = 200
SOUND = {
    "a seed that says A in 80%": BIASED,
    "a seed that says A in 97%": Kind(right=0.75, always_a=0.95),
    "a seed with no verdict in 30%": Kind(right=0.6, silent=0.3),
    "a seed right in 75% of orders": Kind(),
}
COLLAPSED = {
    "always says A": Kind(always_a=1.0),
    "says A in 95%": Kind(always_a=0.9),
    "says A in 90%": Kind(always_a=0.8),
}
UNEQUAL = {
    "100 pairs in one and 1 in each of 20": [100] + [1] * 20,
    "1, 2, 5, 20 or 60 pairs": [1] * 10 + [2] * 5 + [5] * 4 + [20] * 3 + [60] * 2,
}
"""Few prompts have most pairs: how many each has."""


def measure(_: Inputs) -> Iterator[Measurement]:
    """Yield how often each errs, of sets drawn by the seeds 0, 1, …"""
    yield from _coverage()
    for name, kind in SOUND.items():
        for pairs, each in ((40, 1), (80, 2)):
            stopped = _stopped([kind] * 3, pairs, each)
            yield _alarms(f"{name}, {pairs} dev pairs of {pairs // each} prompts: as good", stopped)
    for name, kind in COLLAPSED.items():
        for pairs in (20, 40):
            found = _stopped([Kind(), Kind(), kind], pairs, 1)
            told = f"(11) collapsed, {name}, {pairs} dev pairs: stopped of {SETS}"
            yield Measurement(told, str(found))
    yield from _shortcuts()


def _alarms(name: str, stopped: int, sets: int = SETS) -> Measurement:
    most = 0.05 * sets
    return Measurement(
        f"(11) {name}; stopped of {sets}", str(stopped), f"at most {most:.0f}", stopped <= most
    )


def _stopped(kinds: list[Kind], pairs: int, each: int) -> int:
    """Return in how many sets the last judge breaks a gate; the first is the seed."""
    draws = map(np.random.default_rng, range(SETS))
    return sum(any(f.failed for f in drawn_gates(d, kinds, pairs, each)) for d in draws)


def _coverage() -> Iterator[Measurement]:
    for prompts in (10, 40, 100):
        for share in (0.5, 0.9, 0.98):
            held = [_held(share, [each] * prompts, like) for each, like in ((1, 0.0), (4, 0.3))]
            yield Measurement(
                f"(11) 95% interval of a share of {share:.0%}, {prompts} prompts: held in 2,000 "
                "sets of one pair per prompt, and of four that are alike (0.3)",
                "; ".join(f"{count:,}" for count in held),
                "at least 1,840",
                min(held) >= 1840,
            )
    for name, sizes in UNEQUAL.items():
        for share in (0.5, 0.9):
            count = _held(share, sizes, 0.5)
            yield Measurement(
                f"(11) 95% interval of a share of {share:.0%}, prompts with {name}, alike (0.5): "
                "held in 2,000 sets",
                f"{count:,}",
                "at least 1,700",
                count >= 1700,
            )


def _held(share: float, sizes: Sequence[int], likeness: float) -> int:
    """Return in how many sets of prompts with so many pairs each the interval holds the share."""
    count = 0
    for draw in map(np.random.default_rng, range(2000)):
        shares = np.full(len(sizes), share)
        if likeness:
            both = (1 - likeness) / likeness
            shares = draw.beta(share * both, (1 - share) * both, len(sizes))
        hits = draw.binomial(sizes, shares)
        interval = clustered_interval(zip(map(float, hits), map(float, sizes), strict=True))
        count += interval is not None and interval[0] <= share <= interval[1]
    return count


def _shortcuts() -> Iterator[Measurement]:
    """Yield how often chance is left out, and the threshold exceeded, where nothing can be told."""
    for count, each in ((60, 1), (120, 2)):
        left_out = failed = figures = 0
        for seed in range(100):
            pairs = planted(honest, count=count, seed=seed, each=each)
            sample = PairSample(pairs, len(pairs))
            for area in examine(sample, sample.strategies)[pairs[0].strategy].areas.values():
                low, high = area.interval
                figures += 1
                left_out += not low <= 0.5 <= high
                failed += low > 0.7
        yield Measurement(
            f"(11) shortcuts, {count} honest pairs of {count // each} instructions: intervals that "
            f"leave chance out, and failures, of {figures} figures",
            f"{left_out}; {failed}",
            f"at most {0.08 * figures:.0f}; 0",
            left_out <= 0.08 * figures and not failed,
        )
