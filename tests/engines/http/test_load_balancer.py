"""Several servers behind one HTTP engine: which are asked, which cool down, calls in flight."""

import threading
import time
from contextlib import ExitStack, closing

import pytest

from ste_plugin.errors import ConfigError, EngineError
from tests.helpers.chat_server import HANG, RESET, ChatServer, Refuse, Script, babble, chat_server
from tests.helpers.http_engine import always, answers, engine, prompts, wanted

NOWHERE = "http://127.0.0.1:9/v1"
"""The port of the discard service, where nobody listens."""


def among(*servers: ChatServer | str, **weights: float) -> list[dict]:
    urls = [s if isinstance(s, str) else s.base_url for s in servers]
    given = [weights.get(name, 1.0) for name in "abc"]
    return [{"base_url": u, "weight": w} for u, w in zip(urls, given, strict=False)]


def after(seconds: float) -> Script:
    def late(body, index):
        time.sleep(seconds)
        return babble(body, index)

    return late


def test_calls_in_flight_follow_the_weights():
    with (
        chat_server(babble, gather=(8, 12)) as large,
        chat_server(babble, gather=4) as small,
    ):
        model = engine(endpoints=among(large, small, a=3.0, b=1.0), concurrency=4)
        got = list(model.complete(prompts(60)))
    assert len({c.key for c in got}) == len(got) == 60
    assert (large.most_in_flight, small.most_in_flight) == (12, 4)


def test_few_calls_are_shared_out_by_weight_though_one_server_could_take_all():
    all_are_there = threading.Barrier(8, timeout=60)

    def together(body, index):
        all_are_there.wait()
        return babble(body, index)

    with chat_server(together) as large, chat_server(together) as small:
        list(engine(endpoints=among(large, small, a=3.0, b=1.0)).complete(prompts(8)))
    assert (len(large.bodies), len(small.bodies)) == (6, 2)


def test_answers_do_not_depend_on_which_server_gives_them():
    requests = [r for i in range(20) for r in wanted(f"Prompt {i}", samples=3)]
    with ExitStack() as stack:
        one, other, third = (stack.enter_context(chat_server(babble)) for _ in range(3))
        spread = answers(engine(endpoints=among(one, other, third)), requests)
        alone = answers(engine(one.base_url), requests)
    assert spread == alone


@pytest.mark.parametrize("fault", [Refuse(500), Refuse(503), Refuse(429), RESET])
def test_the_calls_of_a_server_that_fails_go_to_the_others(fault):
    with chat_server(babble, fault=always(fault)) as bad, chat_server(babble) as good:
        got = list(engine(endpoints=among(bad, good), max_attempts=5).complete(prompts(40)))
    assert len({c.key for c in got}) == len(got) == 40
    assert len(good.bodies) == 40


def test_a_server_where_nobody_listens_costs_no_call_even_with_a_single_attempt():
    with chat_server(babble) as good:
        model = engine(endpoints=among(NOWHERE, good), max_attempts=1)
        assert len(list(model.complete(prompts(40)))) == 40


def test_a_call_that_failed_at_servers_that_are_down_waits_for_the_one_that_answers():
    with chat_server(after(0.02)) as good:
        servers = among(NOWHERE, "http://127.0.0.1:7/v1", good)
        model = engine(endpoints=servers, max_attempts=1, concurrency=1)
        assert len(list(model.complete(prompts(20)))) == 20


def test_an_overloaded_server_is_left_alone_for_a_while_though_the_other_is_at_its_limit():
    with chat_server(babble, fault=always(Refuse(429))) as busy, chat_server(after(0.3)) as full:
        model = engine(endpoints=among(busy, full), concurrency=1, backoff_s=30.0, max_attempts=6)
        completions = model.complete(prompts(2))
        next(completions)
        asked = len(busy.bodies)
        completions.close()
    assert asked <= 2  # once by each call


def test_too_many_calls_after_a_rest_are_no_reason_to_rest_again():
    fault = {**dict.fromkeys(range(8), Refuse(500)), **dict.fromkeys(range(8, 11), Refuse(429))}.get
    with chat_server(babble, fault=fault, gather=8) as server:
        model = engine(server.base_url, concurrency=8, max_attempts=4, backoff_s=0.05)
        assert len(list(model.complete(prompts(8)))) == 8


def test_a_server_that_is_down_cools_down_and_is_hardly_asked():
    with chat_server(babble, fault=always(Refuse(502))) as bad, chat_server(babble) as good:
        model = engine(endpoints=among(bad, good), backoff_s=60.0)
        assert len(list(model.complete(prompts(100)))) == 100
    # Eight to begin with, and two that took the places of the first two to fail.
    assert len(bad.bodies) <= 10


def test_a_server_that_comes_back_is_asked_again():
    def until_asked_again():
        for request in prompts(20_000):
            if len(shaky.bodies) > 14:
                return
            yield request

    with (
        chat_server(babble, fault=lambda number: Refuse(503) if number < 12 else None) as shaky,
        chat_server(babble) as steady,
    ):
        model = engine(endpoints=among(shaky, steady), concurrency=8, max_attempts=30)
        assert len(list(model.complete(until_asked_again()))) < 20_000
    assert len(shaky.bodies) > 14


def test_only_when_all_are_down_does_the_run_stop_with_the_last_words_of_each():
    with (
        chat_server(babble, fault=always(Refuse(502, "no upstream"))) as bad,
        chat_server(babble, fault=always(Refuse(429, "no credit"))) as poor,
        pytest.raises(EngineError) as caught,
    ):
        list(engine(endpoints=among(bad, poor, NOWHERE)).complete(prompts(30)))
    told = str(caught.value)
    assert f"{bad.base_url}/chat/completions (model 'tiny'): HTTP 502: no upstream." in told
    assert f"{poor.base_url}/chat/completions (model 'tiny'): HTTP 429: no credit." in told
    assert f"{NOWHERE}/chat/completions (model 'tiny'): ConnectError" in told


def test_a_server_that_is_down_ends_many_calls_as_soon_as_one():
    with chat_server(babble, fault=always(Refuse(500))) as server:
        with pytest.raises(EngineError, match="HTTP 500"):
            list(engine(server.base_url, max_attempts=4).complete(prompts(100)))
        assert len(server.bodies) <= 8 * 4


def test_each_endpoint_has_its_own_key_and_name_for_the_model(monkeypatch):
    monkeypatch.setenv("KEY_A", "sk-a")
    monkeypatch.setenv("KEY_B", "sk-b")
    with (
        chat_server(babble, gather=1, models=("org/tiny",)) as a,
        chat_server(babble, gather=1) as b,
    ):
        each = [
            {"base_url": a.base_url, "api_key_env": "KEY_A", "model": "org/tiny"},
            {"base_url": b.base_url},
        ]
        list(engine(endpoints=each, api_key_env="KEY_B").complete(prompts(20)))
    assert set(a.authorizations) == {"Bearer sk-a"}
    assert set(b.authorizations) == {"Bearer sk-b"}
    assert {body["model"] for body in a.bodies} == {"org/tiny"}


def test_a_key_that_one_server_refuses_ends_the_run_with_its_address():
    with chat_server(babble, fault=always(Refuse(401))) as bad, chat_server(babble) as good:
        with pytest.raises(EngineError, match="HTTP 401") as caught:
            list(engine(endpoints=among(bad, good)).complete(prompts(4)))
        assert bad.base_url in str(caught.value)


def test_calls_in_flight_grow_to_the_bound_within_a_few_rounds():
    with chat_server(babble, gather=(8, 16, 32, 64)) as server:
        got = list(engine(server.base_url, concurrency=64).complete(prompts(200)))
    assert server.most_in_flight == 64
    assert len(got) == 200


def test_a_server_that_says_too_many_is_given_fewer_and_nothing_is_lost():
    max_in_flight = 6
    with chat_server(babble, gather=(8,)) as server:
        server.fault = lambda _number: Refuse(429) if server.in_flight > max_in_flight else None
        model = engine(server.base_url, concurrency=64, max_attempts=50)
        got = list(model.complete(prompts(200)))
    assert len({c.key for c in got}) == len(got) == 200
    refused = len(server.bodies) - 200
    assert 0 < refused < 200


def test_requests_are_taken_only_below_the_limit_of_calls_in_flight():
    taken = 0

    def counted():
        nonlocal taken
        for request in prompts(10_000):
            taken += 1
            yield request

    with chat_server(babble) as server:
        completions = engine(server.base_url, concurrency=16).complete(counted())
        for got, _ in enumerate(completions, start=1):
            # the one beyond tells that a prompt has no more samples
            assert taken <= got + 2 * 16 + 1
            if got == 300:
                break
        completions.close()
    assert taken < 400


def test_a_source_that_ends_early_still_gets_all_that_is_in_flight():
    over = threading.Event()

    def rationed():
        for request in prompts(1000):
            if over.is_set():
                return
            keys.append(request.key)
            yield request

    keys: list[str] = []
    with chat_server(babble) as server:
        got = []
        for completion in engine(server.base_url, concurrency=8).complete(rationed()):
            got.append(completion.key)
            if len(got) == 50:
                over.set()
    assert sorted(got) == sorted(keys)
    assert 50 <= len(got) < 100


@pytest.mark.parametrize("limit", ["requests_per_minute", "tokens_per_minute"])
def test_a_limit_per_minute_holds_calls_back_and_closing_ends_the_wait(limit):
    with chat_server(babble) as server, closing(engine(server.base_url, **{limit: 1})) as model:
        completions = model.complete(prompts(20))
        next(completions)
        completions.close()
        assert len(server.bodies) == 1


def test_a_pause_that_one_server_asks_for_sends_calls_to_the_other():
    pause = Refuse(429, headers=(("Retry-After", "50"),))
    with chat_server(babble, fault=always(pause)) as busy, chat_server(babble) as free:
        got = list(engine(endpoints=among(busy, free)).complete(prompts(50)))
    assert len(got) == len(free.bodies) == 50
    assert len(busy.bodies) <= 8


def test_closing_ends_the_wait_for_a_pause_that_the_server_asks_for():
    pause = Refuse(429, headers=(("Retry-After", "50"),))
    fault = {1: pause}.get
    with chat_server(babble, fault=fault) as server:
        completions = engine(server.base_url, concurrency=1).complete(prompts(20))
        next(completions)
        completions.close()
        assert len(server.bodies) <= 2


def test_a_server_that_hangs_is_reported_after_the_timeout():
    with (
        chat_server(babble, fault=always(HANG)) as server,
        pytest.raises(EngineError, match="ReadTimeout"),
    ):
        list(engine(server.base_url, timeout_s=0.5, max_attempts=2).complete(prompts(5)))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"endpoints": []}, "base_url: missing"),
        ({"endpoints": [{"weight": 2}]}, "endpoints.0.base_url: missing"),
        ({"endpoints": [{"base_url": NOWHERE, "wieght": 2}]}, "did you mean 'weight'"),
        (
            {"endpoints": [{"base_url": NOWHERE, "weight": 0}]},
            "endpoints.0.weight: expected more than 0",
        ),
        ({"endpoints": [{"base_url": "here"}]}, "endpoints.0.base_url: expected an address"),
        ({"base_url": NOWHERE, "endpoints": [{"base_url": NOWHERE}]}, "found both"),
        (
            {"base_url": NOWHERE, "prices": {"prompt": 1}},
            "there are: prompt_per_million, completion",
        ),
        ({"base_url": NOWHERE, "samples": "maybe"}, "samples: expected True, False or 'auto'"),
        (
            {"base_url": NOWHERE, "requests_per_minute": 0},
            "requests_per_minute: expected 1 or more",
        ),
    ],
)
def test_a_wrong_setting_is_named(options, told):
    with pytest.raises(ConfigError) as caught:
        engine(**({"base_url": None} | options))
    assert told in str(caught.value)


def test_a_stage_that_begins_beside_another_forgets_nothing_about_their_servers(monkeypatch):
    begun = []
    with chat_server(babble) as server:
        model = engine(server.base_url, samples=False, concurrency=1)
        monkeypatch.setattr(model.endpoint, "begin_stage", lambda: begun.append("stage"))

        def asked():
            yield from wanted("Name a fruit.")
            list(model.complete(prompts(2)))
            yield from wanted("Name a colour.")

        assert len(list(model.complete(asked()))) == 2
        assert len(begun) == 1
        list(model.complete(wanted()))
    assert len(begun) == 2
