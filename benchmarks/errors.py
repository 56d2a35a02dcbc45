"""(11) How often gates and audits err on judges and pairs that are drawn: nothing is timed."""

from collections.abc import Iterator

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
AT_ITS_LEVELS = Kind(right=0.8, always_a=0.4, silent=0.1)
"""Says A in 70% of its verdicts, and states none in 10% of its replies: just what is allowed."""


def measure(_: Inputs) -> Iterator[Measurement]:
    """Yield how often each errs, of sets drawn by the seeds 0, 1, …"""
    yield from _coverage()
    for name, kind in SOUND.items():
        for pairs, each in ((40, 1), (200, 2)):
            stopped = _stopped([kind] * 3, pairs, each)
            yield _alarms(f"{name}, {pairs} dev pairs of {pairs // each} prompts: as good", stopped)
    worse = _stopped([Kind(), Kind(), AT_ITS_LEVELS], 200, 1)
    yield Measurement(f"(11) worse than its seed, and just at the levels: of {SETS}", str(worse))
    for name, kind in COLLAPSED.items():
        for pairs in (12, 20, 40, 100):
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
            held = [_held(share, prompts, each, like) for each, like in ((1, 0.0), (4, 0.3))]
            yield Measurement(
                f"(11) 95% interval of a share of {share:.0%}, {prompts} prompts: held in 2,000 "
                "sets of one pair per prompt, and of four that are alike (0.3)",
                "; ".join(f"{count:,}" for count in held),
                "at least 1,840",
                min(held) >= 1840,
            )


def _held(share: float, prompts: int, each: int, likeness: float) -> int:
    count = 0
    for draw in map(np.random.default_rng, range(2000)):
        shares = np.full(prompts, share)
        if likeness:
            both = (1 - likeness) / likeness
            shares = draw.beta(share * both, (1 - share) * both, prompts)
        hits = draw.binomial(each, shares)
        interval = clustered_interval((float(h), float(each)) for h in hits)
        count += interval is not None and interval[0] <= share <= interval[1]
    return count


def _shortcuts() -> Iterator[Measurement]:
    """Yield how often chance is left out, and the threshold exceeded, where nothing can be told."""
    for count, each in ((60, 1), (200, 1), (200, 2)):
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
