"""(3) Wall time of ste's judging stage over the same requests given straight to the same engine.

Seeds come from the requests, so both sides generate the same tokens. They take turns, the first of
each turn alternating. The ratio is that of the fastest turns, as other work on a machine only ever
slows one down; beside it stands how much of the stage's time passes outside the engine, measured within
one run, where no noise of the model's enters.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from benchmarks.places import Places
from benchmarks.server import NAME, served
from benchmarks.stage import Settings, iteration, judged, requests
from benchmarks.table import NotRun, Row
from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.judging.builtin import BRIEF

T = TypeVar("T")
AT_MOST = 1.05
SAMPLES, TOKENS = 2, 16
PAIRS = {"transformers": 4, "vLLM": 20}
TURNS = 7


def measure(places: Places) -> Iterator[Row]:
    """Yield the ratio with transformers in this process and with a vLLM server."""
    judge: Settings = {"model": str(places.need("model")), "engine": "local"}
    yield compared("transformers", judge, places, lambda: None)
    try:
        with served(places) as server:
            options = {"base_url": server.base_url}
            judge = {"model": NAME, "engine": "http", "options": options}
            yield compared("vLLM", judge, places, server.forget)
    except NotRun as reason:
        yield Row("(3) ste's judging stage over vLLM alone", f"not run: {reason}")


def compared(name: str, judge: Settings, places: Places, before_each: Callable[[], None]) -> Row:
    """Return the row of one engine."""
    pairs = places.response_pairs(PAIRS[name])
    judging = {
        "format": "brief", "sampling": "fixed", "samples": SAMPLES, "max_new_tokens": TOKENS,
    }  # fmt: skip
    taken: dict[str, list[float]] = {"ste": [], "straight": []}
    with iteration(judge, judging) as at:
        engine = at.context.models.use(at.judge)
        wanted = requests(pairs, BRIEF, at.judge, SAMPLES, TOKENS)
        list(engine.complete(wanted))  # loads the model
        clock = Clock(engine)
        for turn in range(TURNS):
            for side in sorted(taken, reverse=bool(turn % 2)):
                before_each()
                (at.folder / "judging.completions.jsonl").unlink(missing_ok=True)
                clock.inside = 0.0
                began = time.perf_counter()
                if side == "ste":
                    _, file = judged(at, pairs)
                    assert all(request.key in file for request in wanted), "not the same requests"
                else:
                    list(engine.complete(wanted))
                taken[side].append(time.perf_counter() - began)
                clock.note(side, taken[side][-1])
    return _row(name, len(wanted), taken, clock)


def _row(name: str, count: int, taken: dict[str, list[float]], clock: "Clock") -> Row:
    fastest = {side: min(found) for side, found in taken.items()}
    middle = {side: statistics.median(found) for side, found in taken.items()}
    ratio = fastest["ste"] / fastest["straight"]
    return Row(
        f"(3) ste's judging stage over the same {count} requests straight to {name}",
        f"{ratio:.3f} of the fastest ({fastest['ste']:.2f} s, {fastest['straight']:.2f} s; medians "
        f"{middle['ste']:.2f} s, {middle['straight']:.2f} s; {TURNS} turns); "
        f"{clock.outside():.2%} of the stage outside the engine",
        f"at most {AT_MOST}",
        ratio <= AT_MOST,
    )


class Clock:
    """How long an engine itself works: between being asked for a completion and giving it."""

    def __init__(self, engine: Engine) -> None:
        """Stand between an engine and whoever asks it, from now on."""
        self.inside = 0.0
        self._shares: list[float] = []
        self._complete = engine.complete
        engine.__dict__["complete"] = self.complete

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield the engine's completions."""
        answers = self._complete(self._steps(requests, -1))
        yield from self._steps(answers, +1)

    def note(self, side: str, seconds: float) -> None:
        """Remember the share of one run of the stage that passed outside."""
        if side == "ste":
            self._shares.append(1 - self.inside / seconds)

    def outside(self) -> float:
        """Return the median share."""
        return statistics.median(self._shares)

    def _steps(self, coming: Iterable[T], sign: int) -> Iterator[T]:
        iterator = iter(coming)
        while True:
            began = time.perf_counter()
            try:
                one = next(iterator)
            except StopIteration:
                return
            finally:
                self.inside += sign * (time.perf_counter() - began)
            yield one
