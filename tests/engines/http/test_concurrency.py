"""How many calls a server is given at once, and how many per minute."""

import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.http.concurrency import ConcurrencyLimiter
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import no_reply_error
from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.http.rate_limit import RateLimiter, TokenEstimator
from ste_plugin.engines.http.response import PROMPT_TOO_LONG, SAMPLES_REFUSED, Reply, Said

SAID = Reply((Said("[[A]]", "stop"),), 20, 5)
SECONDS = st.floats(0, 600)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("record_answer"), SECONDS, st.integers(1, 200)),
        st.tuples(st.just("record_refusal"), SECONDS, SECONDS),
        st.tuples(st.just("allow_one_probe"), SECONDS),
        st.tuples(st.just("begin_stage")),
    ),
    max_size=300,
)


def an_endpoint(**limits: int) -> Endpoint:
    options = EndpointOptions(base_url="http://localhost/v1", **limits)
    return Endpoint(options, key="", concurrency=64, backoff_s=0.0)


def after(bound: int, events: list[tuple]) -> ConcurrencyLimiter:
    limiter = ConcurrencyLimiter(bound)
    for name, *values in events:
        getattr(limiter, name)(*values)
    return limiter


def rounds(limiter: ConcurrencyLimiter, seconds: float, count: int) -> list[int]:
    """Answer that many rounds, each up to the limit; return the limit after each."""
    sizes = []
    for _ in range(count):
        for _ in range(limiter.limit):
            limiter.record_answer(seconds, limiter.limit)
        sizes.append(limiter.limit)
    return sizes


@given(st.integers(1, 200), EVENTS)
def test_the_limit_is_never_below_one_nor_above_its_bound(bound, events):
    limiter = ConcurrencyLimiter(bound)
    assert 1 <= limiter.limit <= bound
    for name, *values in events:
        getattr(limiter, name)(*values)
        assert 1 <= limiter.limit <= bound


@given(st.integers(1, 200), EVENTS, SECONDS)
def test_a_server_that_answers_evenly_gets_its_bound_back_whatever_was_before(
    bound, events, seconds
):
    limiter = after(bound, events)
    assert rounds(limiter, seconds, 150)[-1] == bound


def test_the_limit_doubles_while_latency_stays_near_its_floor():
    assert rounds(ConcurrencyLimiter(128), 5.0, 5) == [16, 32, 64, 128, 128]


def test_a_batching_server_whose_latency_triples_on_the_way_is_still_filled():
    limiter, latency = ConcurrencyLimiter(128), {8: 5.0, 16: 6.0, 32: 8.0, 64: 11.0, 128: 15.0}
    sizes = [rounds(limiter, latency[limiter.limit], 1)[0] for _ in range(5)]
    assert sizes == [16, 32, 64, 128, 128]


def test_a_server_that_only_queues_is_not_given_ever_more():
    limiter, width = ConcurrencyLimiter(1000), 8
    sizes = [rounds(limiter, 5.0 * limiter.limit / width, 1)[0] for _ in range(100)]
    assert max(sizes[10:]) < 64
    assert min(sizes[10:]) >= 24


def test_a_server_that_has_become_slower_for_good_is_believed():
    limiter = ConcurrencyLimiter(64)
    rounds(limiter, 1.0, 3)
    assert rounds(limiter, 60.0, 8)[-1] == 8
    assert rounds(limiter, 60.0, 20)[-1] == 64


def test_latency_under_two_seconds_is_no_sign_of_load():
    limiter = ConcurrencyLimiter(128)
    rounds(limiter, 0.01, 1)
    assert rounds(limiter, 1.9, 3)[-1] == 128


def test_calls_refused_together_halve_the_limit_once():
    limiter = ConcurrencyLimiter(64)
    rounds(limiter, 5.0, 3)
    for _ in range(20):
        limiter.record_refusal(began=1.0, now=2.0)
    assert limiter.limit == 32
    limiter.record_refusal(began=3.0, now=4.0)
    assert limiter.limit == 16


def test_after_a_refusal_the_limit_grows_by_its_root():
    limiter = ConcurrencyLimiter(64)
    rounds(limiter, 5.0, 3)
    limiter.record_refusal(1.0, 2.0)
    assert rounds(limiter, 5.0, 3) == [37, 43, 49]


def test_a_limit_that_is_not_reached_does_not_grow():
    limiter = ConcurrencyLimiter(64)
    for _ in range(100):
        limiter.record_answer(5.0, in_flight=7)
    assert limiter.limit == 8


def test_a_server_that_was_down_is_tried_with_one_call_and_then_filled_quickly():
    limiter = ConcurrencyLimiter(64)
    limiter.allow_one_probe(now=1.0)
    assert limiter.limit == 1
    assert rounds(limiter, 5.0, 6) == [2, 4, 8, 16, 32, 64]


def test_another_stage_with_longer_answers_is_no_reason_to_shrink():
    limiter = ConcurrencyLimiter(32)
    rounds(limiter, 3.0, 3)
    limiter.begin_stage()
    assert rounds(limiter, 60.0, 2) == [32, 32]


def taken_at(per_minute: int, amounts: list[float]) -> list[float]:
    """Take amounts as soon as they may be taken; return when each was."""
    bucket, now, times = RateLimiter(per_minute), 0.0, []
    for amount in amounts:
        while wait := bucket.wait_s(amount, now):
            now += max(wait, 1e-9)
        bucket.take(amount, now)
        times.append(now)
    return times


@given(st.integers(1, 10_000), st.integers(1, 500))
def test_no_minute_holds_more_requests_than_allowed(per_minute, count):
    times = taken_at(per_minute, [1.0] * count)
    assert all(late - early >= 60 for early, late in zip(times, times[per_minute:], strict=False))


@given(st.integers(100, 100_000), st.lists(st.floats(1, 5_000), max_size=100))
def test_no_minute_holds_more_tokens_than_allowed_but_for_one_call(per_minute, amounts):
    times = taken_at(per_minute, amounts)
    for first, start in enumerate(times):
        held = [a for a, t in zip(amounts[first:], times[first:], strict=True) if t < start + 60]
        assert sum(held[:-1]) <= per_minute * 1.001


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600, 60_000])
def test_nearly_as_much_is_let_through_as_allowed(per_minute):
    times = taken_at(per_minute, [1.0] * (10 * per_minute))
    assert times[-1] <= 11 * 60


def test_without_a_limit_nothing_waits():
    bucket = RateLimiter(None)
    for now in itertools.repeat(0.0, 1000):
        assert bucket.wait_s(1e9, now) == 0
        bucket.take(1e9, now)


def test_tokens_that_were_taken_by_an_estimate_and_not_used_come_back():
    bucket = RateLimiter(600)
    bucket.take(1000, 0.0)
    long = bucket.wait_s(10, 0.0)
    bucket.correct(1000, 20)
    assert bucket.wait_s(10, 0.0) < long / 20


def test_estimated_tokens_approach_what_calls_use():
    estimator = TokenEstimator()
    for _ in range(100):
        estimator.update(4000, 300)
    assert estimator.estimate(8000) == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize("refused", [SAMPLES_REFUSED, PROMPT_TOO_LONG])
def test_a_prompt_or_a_number_of_samples_that_is_refused_says_nothing_of_a_servers_speed(refused):
    endpoint = an_endpoint()
    for reply, seconds in ((refused, 0.001), (SAID, 3.0)):
        calls = [endpoint.begin_call(10, now=0.0) for _ in range(8)]
        for call in calls:
            endpoint.end_answered(call, reply, now=seconds)
    assert endpoint.limiter.limit == 16


def test_tokens_that_were_never_read_are_not_counted_against_the_limit():
    endpoint = an_endpoint(tokens_per_minute=60_000)
    for reply in (PROMPT_TOO_LONG, SAMPLES_REFUSED):
        endpoint.end_answered(endpoint.begin_call(50_000, now=0.0), reply, now=0.0)
    not_received = no_reply_error(httpx.ConnectError("refused"), 1.0)
    endpoint.end_failed(endpoint.begin_call(50_000, now=0.0), not_received, now=0.0)
    assert endpoint.wait_s(100, now=0.0) == 0.0
