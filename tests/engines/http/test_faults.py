"""The HTTP engine against a real server that fails in every way servers fail."""

import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from ste_plugin.engines.http.errors import parse_retry_after_s
from ste_plugin.errors import EngineError
from tests.helpers.chat_server import (
    CUT_BODY,
    CUT_CHUNKS,
    EMPTY,
    GARBAGE,
    HANG,
    ONE_SHORT,
    RESET,
    Refuse,
    babble,
    chat_server,
)
from tests.helpers.http_engine import FORCED, always, answers, engine, refused, wanted


def flaky(seed: int) -> Any:
    """Let three calls in ten fail, each in another way."""
    ways = [
        Refuse(429, headers=(("Retry-After", "0"),)),
        Refuse(500),
        Refuse(502),
        Refuse(503),
        Refuse(408),
        Refuse(409),
        Refuse(429),
        HANG,
        RESET,
        GARBAGE,
        EMPTY,
        ONE_SHORT,
        CUT_BODY,
        CUT_CHUNKS,
    ]
    source = random.Random(seed)
    plan = [source.choice(ways) if source.random() < 0.3 else None for _ in range(2000)]
    for index, way in enumerate(ways):  # each at least once, and early
        plan[3 * index] = way
    return plan.__getitem__


@pytest.mark.parametrize("samples", [True, False])
def test_a_server_that_fails_three_times_in_ten_gives_the_same_completions(samples):
    requests = [r for i in range(30) for r in wanted(f"Prompt {i}", samples=1 + i % 3)]
    requests += wanted("Greedy", samples=3, temperature=0.0)
    requests += wanted("Forced", prefix=FORCED, choices=("A", "B"))
    options = {"samples": samples, "prefill": "vllm", "concurrency": 8}
    with chat_server(babble) as server:
        perfect = answers(engine(server.base_url, **options), requests)
    with chat_server(babble, fault=flaky(7)) as server:
        model = engine(server.base_url, timeout_s=1.0, max_attempts=30, **options)
        got = list(model.complete(requests))
    assert Counter(c.key for c in got) == Counter(r.key for r in requests)
    found = {c.key: c for c in got}
    assert [found[r.key] for r in requests] == perfect


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Refuse(429, "slow down"), "HTTP 429: slow down.\nLower options.concurrency"),
        (Refuse(502, "bad gateway"), "HTTP 502: bad gateway"),
        (Refuse(503, "loading"), "HTTP 503: loading"),
        (RESET, "The connection ended before the reply did"),
        (CUT_BODY, "The connection ended before the reply did"),
        (CUT_CHUNKS, "The connection ended before the reply did"),
        (GARBAGE, "the reply is not JSON"),
        (EMPTY, "0 choices where n=1"),
    ],
)
def test_a_fault_that_stays_is_told_after_the_last_attempt(fault, told):
    with chat_server(babble, fault=always(fault)) as server:
        message = refused(server)
    assert len(server.bodies) == 3
    assert "3 attempt(s)" in message
    assert told in message


def test_a_server_without_n_is_told_apart():
    with (
        chat_server(babble, fault=always(ONE_SHORT)) as server,
        pytest.raises(EngineError, match=r"2 choices where n=3(?s:.*)options.samples: false"),
    ):
        list(engine(server.base_url, samples=True).complete(wanted(samples=3)))


def test_a_silent_server_is_told_with_the_time_waited():
    with chat_server(babble, fault=always(HANG)) as server:
        message = refused(server, timeout_s=0.5)
    assert "ReadTimeout after 0.5 s" in message
    assert "options.timeout_s" in message


def test_a_server_that_is_down_is_told_with_its_address_and_what_to_do():
    with chat_server(babble) as server:
        pass
    message = refused(server)
    assert server.base_url in message
    assert "ConnectError" in message
    assert "Start the server, or set judge.options.base_url" in message


def test_any_other_refusal_is_told_at_once_and_cut_short():
    with chat_server(babble, fault=always(Refuse(400, "bad " * 500))) as server:
        message = refused(server)
    assert len(server.bodies) == 1
    assert f"{server.base_url}/chat/completions (model 'tiny'): HTTP 400: bad bad" in message
    assert len(message) < 600


def test_an_unknown_model_is_told_with_those_that_are_served():
    with chat_server(babble, models=("tiny", "small")) as server:
        message = refused(server, model="huge")
    assert "The model huge does not exist" in message
    assert "lists: small, tiny" in message


def test_a_base_url_without_its_last_part_is_the_first_suspect():
    with chat_server(babble) as server:
        server.base_url = server.base_url.removesuffix("/v1")
        message = refused(server)
    assert "ending in /v1" in message
    assert "base_url is the first suspect" in message


def test_what_the_other_calls_in_flight_gave_is_not_lost_to_a_failure():
    fault = {0: Refuse(403, "no")}.get
    requests = [r for i in range(4) for r in wanted(f"Prompt {i}")]
    got = []
    with chat_server(babble, fault=fault, gather=4) as server, pytest.raises(EngineError):
        for completion in engine(server.base_url, concurrency=4).complete(requests):
            got.append(completion.key)
    assert len(got) == 3


def test_retry_after_is_read_as_seconds_or_date_and_capped():
    now = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
    read = {
        "2.5": 2.5,
        "-3": 0.0,
        "nan": 0.0,
        "inf": 60.0,
        "86400": 60.0,
        "": 0.0,
        "soon": 0.0,
        "Wed, 01 Jan 2025 12:00:07 GMT": 7.0,
        "Wed, 01 Jan 2025 11:00:00 GMT": 0.0,
    }
    assert {header: parse_retry_after_s(header, now) for header in read} == read


def test_calls_are_in_flight_together_and_never_more_than_allowed():
    requests = [r for i in range(20) for r in wanted(f"Prompt {i}")]
    with chat_server(babble, gather=5) as server:
        got = list(engine(server.base_url, concurrency=5).complete(requests))
    assert len(got) == 20
    assert server.most_in_flight == 5


def test_a_closed_iterator_asks_for_nothing_more():
    requests = [r for i in range(200) for r in wanted(f"Prompt {i}")]
    with chat_server(babble) as server:
        completions = engine(server.base_url, concurrency=2).complete(requests)
        next(completions)
        completions.close()
        assert len(server.bodies) < 20


INTERRUPTED = """
import sys
from pathlib import Path
from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Message, Place, Sampling
from ste_plugin.engines.http.engine import create

HERE = Place(Path(), Path())
engine = create(ModelConfig(model="tiny", options={"base_url": sys.argv[1]}), HERE)
requests = [ChatRequest("m", (Message("user", str(i)),), Sampling()) for i in range(50)]
try:
    list(engine.complete(requests))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_ends_calls_that_wait_for_an_answer():
    with chat_server(babble, fault=always(HANG)) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, server.base_url], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.arrived.wait(60)
            process.send_signal(signal.SIGINT)
            # Without an end to its calls it would wait for options.timeout_s, 10 minutes.
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (out.strip(), process.returncode) == ("interrupted", 0)
