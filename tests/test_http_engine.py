"""The HTTP engine against a real server that fails in every way servers fail."""

import os
import random
import signal
import subprocess
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chat_server import (
    EMPTY,
    GARBAGE,
    HANG,
    ONE_SHORT,
    RESET,
    ChatServer,
    Refuse,
    Said,
    babble,
    chat_server,
)
from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.engines.http import HttpEngine, create
from ste_plugin.engines.http_refusal import retry_after_s
from ste_plugin.errors import ConfigError, EngineError, SteError

KEY = "sk-Very5ecret-0123456789"
FORCED = "I compared both.\n\nFinal verdict: [["


def engine(base_url: str, model: str = "tiny", **options: Any) -> HttpEngine:
    settings = {"base_url": base_url, "backoff_s": 0.001, "max_attempts": 3} | options
    return create(ModelConfig(model=model, engine="http", options=settings), Path())


def wanted(
    text: str = "Name a fruit.", samples: int = 1, prefix: str = "",
    choices: tuple[str, ...] = (), **sampling: Any,
) -> list[ChatRequest]:  # fmt: skip
    how = Sampling(**({"temperature": 1.0, "max_new_tokens": 64} | sampling))
    turns = (Message("user", text),)
    return [ChatRequest("tiny@main", turns, how, i, prefix, choices) for i in range(samples)]


def answers(model: HttpEngine, requests: list[ChatRequest]) -> list[Completion]:
    found = {c.key: c for c in model.complete(requests)}
    return [found[r.key] for r in requests]


def refused(server: ChatServer, **options: Any) -> str:
    with pytest.raises(EngineError) as caught:
        list(engine(server.base_url, **options).complete(wanted()))
    return str(caught.value)


def always(fault: Any) -> Any:
    return lambda _number: fault


def says(said: Any) -> Any:
    return lambda _body, _index: said


# Answers


def test_samples_of_one_prompt_share_one_call_where_the_server_can():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=5))
    assert [body["n"] for body in server.bodies] == [5]
    assert len({c.text for c in got}) > 1


def test_samples_get_a_call_and_a_seed_each_where_it_cannot():
    with chat_server(babble) as server:
        answers(engine(server.base_url, samples=False), wanted(samples=5))
    assert len({body["seed"] for body in server.bodies}) == 5
    assert not any("n" in body for body in server.bodies)


def test_completions_follow_the_index_of_the_choice_whatever_their_order():
    with chat_server(lambda _body, index: f"sample {index}") as server:
        got = answers(engine(server.base_url), wanted(samples=3))
    assert [c.text for c in got] == ["sample 0", "sample 1", "sample 2"]


def test_more_samples_than_a_server_takes_at_once_go_in_several_calls():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=130))
    assert sorted(body.get("n", 1) for body in server.bodies) == [2, 128]
    assert len(got) == 130


def test_greedy_samples_are_asked_for_once_without_a_seed():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=4, temperature=0.0))
    assert len(server.bodies) == 1
    assert not {"seed", "n"} & set(server.bodies[0])
    assert len({c.text for c in got}) == 1


def test_every_call_says_how_to_sample():
    with chat_server(babble) as server:
        answers(engine(server.base_url), wanted(temperature=0.7, top_p=0.9, max_new_tokens=5))
    body = server.bodies[0]
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.7, 0.9, 5)


def test_a_request_that_occurs_twice_is_answered_once():
    with chat_server(babble) as server:
        got = list(engine(server.base_url).complete([*wanted(), *wanted()]))
    assert len(got) == len(server.bodies) == 1


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
def test_tokens_add_up_to_what_the_server_counted(samples):
    words = ["a", "b c", "d e f", "g", "h", "i j k l", "m"]
    with chat_server(lambda _body, index: words[index]) as server:
        got = answers(engine(server.base_url), wanted("three words here", samples=samples))
    assert [c.prompt_tokens for c in got] == [3] + [0] * (samples - 1)
    assert sum(c.completion_tokens for c in got) == len(" ".join(words[:samples]).split())


def test_a_server_that_counts_no_tokens_is_taken_as_it_is():
    with chat_server(babble, usage=False) as server:
        got = answers(engine(server.base_url), wanted(samples=2))
    assert [(c.prompt_tokens, c.completion_tokens) for c in got] == [(0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("given", "kept"), [("length", "length"), ("stop", "stop"), ("content_filter", "stop")]
)
def test_only_the_reason_length_counts_as_cut_off(given, kept):
    with chat_server(says(Said("x", given))) as server:
        assert answers(engine(server.base_url), wanted())[0].finish_reason == kept


def test_a_reply_without_content_is_an_empty_text():
    with chat_server(says(None)) as server:
        assert answers(engine(server.base_url), wanted())[0].text == ""


def test_unicode_arrives_unchanged_in_both_directions():
    text = "Ünïcödé 漢字 🎉\u2028\u0000 \u202eعربى"
    with chat_server(lambda body, _index: body["messages"][0]["content"]) as server:
        assert answers(engine(server.base_url), wanted(text))[0].text == text


def test_a_prompt_longer_than_the_context_is_answered_empty_and_cut():
    said = "This model's maximum context length is 64 tokens."
    with chat_server(babble, fault=always(Refuse(400, said))) as server:
        got = answers(engine(server.base_url), wanted(samples=2))
    assert [(c.text, c.finish_reason) for c in got] == [("", "length")] * 2


# Prefixes and choices


def test_with_vllm_the_assistants_own_words_are_continued():
    with chat_server(says(" an apple")) as server:
        answers(engine(server.base_url, prefill="vllm"), wanted(prefix="It is"))
    body = server.bodies[0]
    assert body["messages"][-1] == {"role": "assistant", "content": "It is"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize(
    ("prefill", "field"),
    [
        ("vllm", {"structured_outputs": {"choice": ["A", "B"]}}),
        ("vllm-guided-choice", {"guided_choice": ["A", "B"]}),
    ],
)
def test_with_vllm_choices_are_held_to_by_the_server_over_the_whole_distribution(prefill, field):
    with chat_server(says(Said("B", "length"))) as server:
        model = engine(server.base_url, prefill=prefill)
        got = answers(model, wanted(prefix=FORCED, choices=("A", "B")))
    assert field.items() <= server.bodies[0].items()
    assert server.bodies[0]["top_p"] == 1.0
    assert (got[0].text, got[0].finish_reason) == ("B", "stop")


def test_a_server_that_ignores_the_choices_is_named_with_the_cure():
    with (
        chat_server(says("Well, it depends")) as server,
        pytest.raises(EngineError, match=r"'Well, it depends'(?s:.*)prefill: ask"),
    ):
        list(engine(server.base_url, prefill="vllm").complete(wanted(choices=("A", "B"))))


def test_without_prefill_the_choice_is_asked_for_in_one_more_turn():
    with chat_server(says("**B**.")) as server:
        got = answers(engine(server.base_url), wanted(prefix=FORCED, choices=("A", "B")))
    turns = server.bodies[0]["messages"]
    assert [t["role"] for t in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == "I compared both."
    assert "A, B" in turns[2]["content"]
    assert "`Final verdict: [[`" in turns[2]["content"]
    assert got[0].text == "B"


def test_a_prefix_of_closing_words_alone_adds_no_turn():
    with chat_server(says("A")) as server:
        answers(engine(server.base_url), wanted(prefix="[[", choices=("A", "B")))
    assert [t["role"] for t in server.bodies[0]["messages"]] == ["user"]


def test_an_unclear_choice_is_asked_for_again_with_another_seed_and_all_tokens_count():
    replies = iter(["A or B", "neither", "A"])
    with chat_server(lambda _body, _index: next(replies)) as server:
        got = answers(engine(server.base_url), wanted(choices=("A", "B")))
    assert len({body["seed"] for body in server.bodies}) == 3
    assert (got[0].text, got[0].completion_tokens) == ("A", 5)


@pytest.mark.parametrize(("temperature", "calls"), [(1.0, 4), (0.0, 1)])
def test_a_choice_that_never_comes_ends_with_the_last_reply(temperature, calls):
    requests = wanted(choices=("A", "B"), temperature=temperature)
    with chat_server(says("They are alike.")) as server:
        with pytest.raises(EngineError, match=r"exactly one of(?s:.*)They are alike"):
            list(engine(server.base_url).complete(requests))
        assert len(server.bodies) == calls


def test_thinking_aloud_does_not_count_as_a_choice():
    with chat_server(says("<think>A? B?</think> B")) as server:
        assert answers(engine(server.base_url), wanted(choices=("A", "B")))[0].text == "B"


def test_a_prefix_without_choices_needs_a_server_that_can_continue():
    with chat_server(babble) as server:
        with pytest.raises(EngineError, match="prefill: vllm"):
            list(engine(server.base_url).complete(wanted(prefix="It is")))
        assert server.bodies == []


# Faults


def flaky(seed: int) -> Any:
    """Let three calls in ten fail, each in another way."""
    ways = [Refuse(429, headers=(("Retry-After", "0"),)), Refuse(500), Refuse(503), Refuse(408),
            Refuse(409), HANG, RESET, GARBAGE, EMPTY, ONE_SHORT]  # fmt: skip
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
        (Refuse(503, "loading"), "HTTP 503: loading"),
        (RESET, "set judge.options.base_url"),
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
        list(engine(server.base_url).complete(wanted(samples=3)))


def test_a_silent_server_is_told_with_the_time_waited():
    with chat_server(babble, fault=always(HANG)) as server:
        message = refused(server, timeout_s=0.05)
    assert "ReadTimeout after 0.05 s" in message
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
    fault = {0: Refuse(400, "no")}.get
    requests = [r for i in range(4) for r in wanted(f"Prompt {i}")]
    got = []
    with chat_server(babble, fault=fault, gather=4) as server, pytest.raises(EngineError):
        for completion in engine(server.base_url, concurrency=4).complete(requests):
            got.append(completion.key)
    assert len(got) == 3


def test_retry_after_is_read_as_seconds_or_date_and_capped():
    now = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
    read = {
        "2.5": 2.5, "-3": 0.0, "nan": 0.0, "inf": 60.0, "86400": 60.0, "": 0.0, "soon": 0.0,
        "Wed, 01 Jan 2025 12:00:07 GMT": 7.0, "Wed, 01 Jan 2025 11:00:00 GMT": 0.0,
    }  # fmt: skip
    assert {header: retry_after_s(header, now) for header in read} == read


# Concurrency and interruption


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
from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.engines.http import create

engine = create(ModelConfig(model="tiny", options={"base_url": sys.argv[1]}), Path())
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


# Options and keys


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    return "JUDGE_API_KEY"


def test_the_key_goes_into_the_header_and_nowhere_else(key):
    with chat_server(babble) as server:
        model = engine(server.base_url, api_key_env=key)
        answers(model, wanted())
    assert server.authorizations == [f"Bearer {KEY}"]
    assert KEY not in str(server.bodies)
    assert KEY not in f"{model!r} {model._options!r}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_no_message_even_if_the_server_repeats_it(key, status, caplog):
    caplog.set_level("DEBUG")
    said = "x" * 290 + f" wrong key {KEY}" if status == 400 else f"wrong key {KEY}"
    with (
        chat_server(babble, fault=always(Refuse(status, said))) as server,
        pytest.raises(SteError) as caught,
    ):
        list(engine(server.base_url, api_key_env=key).complete(wanted()))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY[:6] not in told
    assert f"HTTP {status}" in told


@pytest.mark.parametrize(
    ("named", "cure"), [(True, "variable JUDGE_API_KEY"), (False, "options.api_key_env")]
)
def test_a_refused_key_is_told_with_where_it_belongs(key, named, cure):
    with chat_server(babble, fault=always(Refuse(401))) as server:
        assert cure in refused(server, **({"api_key_env": key} if named else {}))


def test_a_missing_environment_variable_is_named():
    assert "NO_SUCH_KEY" not in os.environ
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        engine("http://localhost:1/v1", api_key_env="NO_SUCH_KEY")


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch, value):
    monkeypatch.setenv("JUDGE_API_KEY", value)
    with pytest.raises(ConfigError, match="JUDGE_API_KEY") as caught:
        engine("http://localhost:1/v1", api_key_env="JUDGE_API_KEY")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_ulr": "http://h/v1"}, "base_ulr: unknown; did you mean 'base_url'?"),
        ({"api_key": KEY}, "api_key: unknown; did you mean 'api_key_env'?"),
        ({"api_key_env": KEY}, "api_key_env: expected the name of an environment variable"),
        ({"base_url": "localhost:8000/v1"}, "base_url: expected an address with http"),
        ({"base_url": f"http://me:{KEY}@h/v1"}, "base_url: expected scheme, host"),
        ({"base_url": f"http://h/v1?key={KEY}"}, "base_url: expected scheme, host"),
        ({"concurrency": 0}, "concurrency: Input should be greater than or equal to 1"),
        ({"prefill": "maybe"}, "prefill: Input should be 'ask', 'vllm'"),
        ({}, "base_url: missing"),
    ],
)
def test_a_wrong_option_is_named_with_the_right_one_and_without_its_value(options, told):
    with pytest.raises(ConfigError) as caught:
        create(ModelConfig(model="tiny", engine="http", options=options), Path())
    assert told in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
