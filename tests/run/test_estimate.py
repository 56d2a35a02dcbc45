"""What a whole run takes is estimated from few requests, and says how rough that is."""

from itertools import count

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.run.estimate import StageEstimate, Watch, estimate_stage, samples_range, total
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.testing import FakeEngine

PRICES = {"prompt_per_million": 1_000_000, "completion_per_million": 2_000_000}


def requests(number):
    return [ChatRequest("m", (Message("user", f"Ask {n}"),), Sampling()) for n in range(number)]


def watched(engine, number):
    """A watch whose every look at the clock takes a second, after some requests."""
    watch = Watch(clock=count(step=1.0).__next__)
    return watch, list(watch.over(engine).complete(requests(number)))


def store_of(path, completions):
    store = CompletionStore(path)
    with store.open_appender() as appender:
        for completion in completions:
            appender.add(completion)
    return store


def rate(samples, correct=1):
    return PassRate("p", "A", samples, correct, None, 0.0, 1.0)


class AllAtOnce(FakeEngine):
    def complete(self, requests):
        yield from super().complete(list(requests))


def test_a_watch_tells_how_long_requests_took_and_how_many_were_in_flight():
    one_by_one, found = watched(FakeEngine(lambda _: "fine"), 3)
    assert (one_by_one.seconds, one_by_one.most_at_once) == ([1.0] * 3, 1)
    together, _ = watched(AllAtOnce(lambda _: "fine"), 3)
    assert (together.seconds, together.most_at_once) == ([3.0] * 3, 3)
    assert len(found) == 3


def test_a_stage_is_scaled_from_its_tokens_and_times(tmp_path):
    watch, found = watched(AllAtOnce(lambda _: "one two three"), 4)
    store = store_of(tmp_path / "c.jsonl", found)
    model = ModelConfig(model="m", options={"prices": PRICES})
    assert estimate_stage("answers", watch, model, [store], (10, 20)) == StageEstimate(
        "answers", (40, 80), (80, 160), (120, 240), (40, 80), (320.0, 640.0)
    )


def test_more_at_once_than_here_are_quicker_and_no_prices_are_no_cost(tmp_path):
    watch, found = watched(AllAtOnce(lambda _: "one"), 4)
    store = store_of(tmp_path / "c.jsonl", found)
    model = ModelConfig(model="m", options={"concurrency": 8})
    estimate = estimate_stage("answers", watch, model, [store], (10, 10))
    assert estimate.seconds == (20, 40)
    assert estimate.cost is None


def test_tokens_that_nobody_counts_are_estimated(tmp_path):
    store = store_of(tmp_path / "c.jsonl", [Completion("0" * 16 + "-0", "x" * 30, "stop", 0, 0)])
    estimate = estimate_stage("answers", Watch(), ModelConfig(model="m"), [store], (2, 2))
    assert estimate.generated_tokens == (20, 20)
    assert estimate.seconds == (0, 0)


def test_samples_range_as_far_as_they_vary_between_tasks():
    assert samples_range([rate(15)] * 9, 15) == (1.0, 1.0)
    low, high = samples_range([rate(1)] * 8 + [rate(7)] * 2, 15)
    assert 0.45 <= low < 1 < high == pytest.approx(1.73, abs=0.1)
    assert samples_range([rate(15), rate(14)], 15)[1] <= 15 / 14.5


def test_a_total_has_the_cost_of_the_stages_with_prices():
    paid = StageEstimate("a", (1, 2), (3, 4), (5, 6), (7, 8), (9, 10))
    free = StageEstimate("b", (1, 1), (1, 1), (1, 1), (1, 1), None)
    assert total([paid, free]) == StageEstimate("total", (2, 3), (4, 5), (6, 7), (8, 9), (9, 10))
    assert total([free, free]).cost is None
