"""What a whole run will take, estimated from the few instructions of a preview."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import sqrt
from statistics import fmean, median, stdev

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Engine
from ste_plugin.engines.http.prices import read_prices
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.records import Record
from ste_plugin.sampling.pass_rates import PassRate

Range = tuple[float, float]
"""The least and the most that is expected."""


class StageEstimate(Record, frozen=True):
    """What one stage of the whole run will take; each figure is a range, low to high."""

    stage: str
    requests: Range
    prompt_tokens: Range
    generated_tokens: Range
    seconds: Range
    cost: Range | None
    """By the prices in the model's options; None without prices."""


class Watch:
    """Measures what engines take: for how long each request, and how many at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.seconds: list[float] = []
        """Of each request, from when it was taken to when it was answered."""
        self.most_at_once = 0

    def over(self, engine: Engine) -> Engine:
        """Return the engine, watched."""
        return _Watched(engine, self)

    def begin(self) -> None:
        """Forget what was measured."""
        self.seconds, self.most_at_once = [], 0

    def measure(self, engine: Engine, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield an engine's completions."""
        taken: dict[str, float] = {}

        def take() -> Iterator[ChatRequest]:
            for request in requests:
                taken[request.key] = self._clock()
                self.most_at_once = max(self.most_at_once, len(taken))
                yield request

        for completion in engine.complete(take()):
            if completion.key in taken:
                self.seconds.append(self._clock() - taken.pop(completion.key))
            yield completion


class _Watched:
    def __init__(self, engine: Engine, watch: Watch) -> None:
        self._engine, self._watch = engine, watch

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        return self._watch.measure(self._engine, requests)

    def close(self) -> None:
        self._engine.close()


def estimate_stage(
    name: str,
    watch: Watch,
    model: ModelConfig,
    stores: Sequence[CompletionStore],
    factors: Range,
) -> StageEstimate:
    """Return what a stage takes whose requests are `factors` times as many as were watched.

    A request takes as long as most did; the first ones, which may wait for a model to load, do not
    count. As many are in flight as were here, or as `options.concurrency` allows.
    """
    read = sum(store.prompt_tokens for store in stores)
    written = sum(store.written_tokens for store in stores)
    one_by_one = median(watch.seconds) * len(watch.seconds) if watch.seconds else 0.0
    at_once = max(1, watch.most_at_once)
    prices, (low, high) = read_prices(model.options), factors
    return StageEstimate(
        name,
        _scaled(len(watch.seconds), factors),
        _scaled(read, factors),
        _scaled(written, factors),
        (
            low * one_by_one / max(at_once, model.options.get("concurrency", 0)),
            high * one_by_one / at_once,
        ),
        _scaled(prices.cost(read, written), factors) if prices else None,
    )


def total(stages: Sequence[StageEstimate]) -> StageEstimate:
    """Return the sum of stages; its cost is that of the stages with prices."""
    costs = [stage.cost for stage in stages if stage.cost is not None]
    return StageEstimate(
        "total",
        _sum(stage.requests for stage in stages),
        _sum(stage.prompt_tokens for stage in stages),
        _sum(stage.generated_tokens for stage in stages),
        _sum(stage.seconds for stage in stages),
        _sum(costs) if costs else None,
    )


def samples_range(rates: Sequence[PassRate], max_samples: int) -> Range:
    """Return the samples that a task takes, relative to the mean of these: 19 times in 20.

    The tasks of a pair whose judge is mostly right take few samples, others many: of few tasks the
    mean is rough.

    >>> samples_range([], 15)
    (1.0, 1.0)
    """
    drawn = [rate.samples for rate in rates if rate.samples]
    if len(drawn) < 2:
        return (1.0, 1.0)
    mean, error = fmean(drawn), 2 * stdev(drawn) / sqrt(len(drawn))
    most = max(max_samples, mean)
    return max(mean - error, 1.0) / mean, min(mean + error, most) / mean


def _scaled(value: float, factors: Range) -> Range:
    low, high = factors
    return value * low, value * high


def _sum(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return sum(lows), sum(highs)
