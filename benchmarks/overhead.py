"""(3) Wall time of ste's judging stage over the same requests given straight to the same engine.

Seeds come from the requests, so both sides generate the same tokens. They take turns, the first of
each turn alternating. The ratio is that of the fastest turns, as other work on a machine only ever
slows one down. Beside it stands the share of the stage's time that passes outside the engine,
measured within one run, so that the model's noise does not enter.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from benchmarks.inputs import Inputs
from benchmarks.server import NAME, serve_model
from benchmarks.stage import Settings, iteration, requests, run_judging
from benchmarks.table import Measurement, MissingInput
from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.judging.builtin import BRIEF

T = TypeVar("T")
AT_MOST = 1.05
SAMPLES, TOKENS = 2, 16
PAIRS = {"transformers": 4, "vLLM": 20}
TURNS = 7


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield the ratio with transformers in this process and with a vLLM server."""
    judge: Settings = {"model": str(inputs.need("model")), "engine": "local"}
    yield compare("transformers", judge, inputs, lambda: None)
    try:
        with serve_model(inputs) as server:
            options = {"base_url": server.base_url}
            judge = {"model": NAME, "engine": "http", "options": options}
            yield compare("vLLM", judge, inputs, server.empty_cache)
    except MissingInput as reason:
        yield Measurement("(3) ste's judging stage over vLLM alone", f"not run: {reason}")


def compare(
    name: str, judge: Settings, inputs: Inputs, before_each: Callable[[], None]
) -> Measurement:
    """Return the measurement of one engine."""
    pairs = inputs.response_pairs(PAIRS[name])
    judging = {
        "format": "brief",
        "sampling": "fixed",
        "samples": SAMPLES,
        "max_new_tokens": TOKENS,
    }
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
                    _, file = run_judging(at, pairs)
                    assert all(request.key in file for request in wanted), "not the same requests"
                else:
                    list(engine.complete(wanted))
                taken[side].append(time.perf_counter() - began)
                clock.note(side, taken[side][-1])
    return _measurement(name, len(wanted), taken, clock)


def _measurement(
    name: str, count: int, taken: dict[str, list[float]], clock: "Clock"
) -> Measurement:
    fastest = {side: min(seconds) for side, seconds in taken.items()}
    median = {side: statistics.median(seconds) for side, seconds in taken.items()}
    ratio = fastest["ste"] / fastest["straight"]
    return Measurement(
        f"(3) ste's judging stage over the same {count} requests straight to {name}",
        f"{ratio:.3f} of the fastest ({fastest['ste']:.2f} s, {fastest['straight']:.2f} s; medians "
        f"{median['ste']:.2f} s, {median['straight']:.2f} s; {TURNS} turns); "
        f"{clock.outside():.2%} of the stage outside the engine",
        f"at most {AT_MOST}",
        ratio <= AT_MOST,
    )


class Clock:
    """How long an engine itself works: between being asked for a completion and giving it."""

    def __init__(self, engine: Engine) -> None:
        """Wrap the engine's `complete` from now on."""
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

    def _steps(self, items: Iterable[T], sign: int) -> Iterator[T]:
        iterator = iter(items)
        while True:
            began = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.inside += sign * (time.perf_counter() - began)
            yield item
