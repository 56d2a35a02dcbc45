"""How replies end: what is finished, cut off, blocked, broken off, or to be asked for again."""

import pytest

from ste_plugin.errors import EngineError
from tests.helpers.chat_server import Said, babble, chat_server
from tests.helpers.http_engine import answers, engine, prompts, refused, says, wanted

FINISHED = ["stop", "eos", "eos_token", "stop_sequence", "end_turn", "STOP", "COMPLETE"]
CUT = ["length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded"]
BLOCKED = ["content_filter", "SAFETY", "content_filter: RECITATION", "refusal", "sensitive"]
BROKEN = ["tool_calls", "function_call", "repetition", "load", "", None, "something new"]
FAILED = ["error", "abort", "insufficient_system_resource", "network_error"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        *((reason, "stop") for reason in FINISHED),
        *((reason, "length") for reason in CUT),
        *((reason, "blocked") for reason in BLOCKED),
        *((reason, "broken") for reason in BROKEN),
    ],
)
def test_a_reply_is_finished_only_if_its_finish_reason_says_so(said, kept):
    with chat_server(says(Said("x", said))) as server:
        assert answers(engine(server.base_url), wanted())[0].finish_reason == kept


def test_a_reason_that_is_unknown_is_told_once_by_its_name(caplog):
    with chat_server(says(Said("half", "something new"))) as server:
        list(engine(server.base_url).complete(prompts(20)))
    told = [r.getMessage() for r in caplog.records if "something new" in r.getMessage()]
    assert len(told) == 1


def fails_once(said: Said):
    replies = iter([said])
    return lambda body, index: next(replies, None) or babble(body, index)


BROKEN_OFF = [
    *(Said("half", reason) for reason in FAILED),
    Said("half", "stop", error={"code": 502, "message": "upstream closed"}),
    Said(None, None, error={"code": 502, "message": "upstream closed"}),
]


@pytest.mark.parametrize("said", BROKEN_OFF)
def test_a_reply_that_ends_by_an_error_is_asked_for_again(said):
    with chat_server(fails_once(said)) as server:
        got = answers(engine(server.base_url), wanted())
    assert len(server.bodies) == 2
    assert (got[0].finish_reason, got[0].text != "half") == ("stop", True)


def test_an_error_that_stays_is_told_by_its_name_after_the_last_attempt():
    error = {"code": 502, "message": "upstream closed"}
    with chat_server(says(Said("half", "error", error=error))) as server:
        message = refused(server)
    assert "broken off (finish_reason 'error'): upstream closed" in message
    assert len(server.bodies) == 3


def test_of_several_samples_only_those_broken_off_are_asked_for_again():
    def script(body, index):
        together = body.get("n", 1) > 1
        return Said("half", "error") if together and index in (1, 3) else f"sample {index}"

    with chat_server(script) as server:
        got = answers(engine(server.base_url), wanted(samples=5))
    assert [body.get("n", 1) for body in server.bodies] == [5, 1, 1]
    assert [c.finish_reason for c in got] == ["stop"] * 5
    assert [c.text for c in got] == ["sample 0", "sample 0", "sample 2", "sample 0", "sample 4"]
    assert sum(c.completion_tokens for c in got) == 5 * 2 - 2 + 2 * 2


@pytest.mark.parametrize(
    ("error", "told", "calls"),
    [
        ({"code": 429, "message": "Provider returned error"}, "HTTP 429: Provider", 3),
        ({"code": "503", "message": "overloaded"}, "HTTP 503: overloaded", 3),
        ({"message": "no capacity"}, "no capacity", 3),
        ("upstream timed out", "upstream timed out", 3),
        ({"code": 401, "message": "no such key"}, "HTTP 401: no such key", 1),
        ({"code": 400, "message": "bad schema"}, "HTTP 400: bad schema", 1),
    ],
)
def test_an_error_inside_a_successful_reply_is_that_error(error, told, calls):
    with chat_server(babble, around={"error": error, "choices": None}) as server:
        assert told in refused(server)
    assert len(server.bodies) == calls


def test_an_error_beside_the_choices_of_a_successful_reply_counts():
    with chat_server(babble, around={"error": {"code": 502, "message": "cut"}}) as server:
        assert "HTTP 502: cut" in refused(server)


def test_an_empty_error_beside_the_choices_is_none():
    with chat_server(babble, around={"error": None}) as server:
        assert answers(engine(server.base_url), wanted())[0].finish_reason == "stop"


def test_a_refusal_in_place_of_content_is_no_answer():
    said = Said(None, beside={"refusal": "I cannot help with that."})
    with chat_server(says(said)) as server:
        got = answers(engine(server.base_url), wanted())
    assert (got[0].text, got[0].finish_reason) == ("", "blocked")


def test_a_blocked_choice_may_come_without_a_message():
    blocked = [{"index": 0, "finish_reason": "content_filter"}]
    with chat_server(babble, around={"choices": blocked}) as server:
        assert answers(engine(server.base_url), wanted())[0].finish_reason == "blocked"


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY"])
def test_a_choice_that_is_blocked_is_not_asked_for_again(reason):
    with chat_server(says(Said("", reason))) as server:
        got = answers(engine(server.base_url), wanted(choices=("A", "B")))
    assert got[0].finish_reason == "blocked"
    assert len(server.bodies) == 1


def test_choices_that_a_server_breaks_off_are_asked_for_again():
    with chat_server(fails_once(Said("", "error"))) as server:
        model = engine(server.base_url, prefill="vllm")
        got = answers(model, wanted(samples=3, choices=("A", "B")))
    assert {c.text for c in got} <= {"A", "B"}
    assert [body.get("n", 1) for body in server.bodies] == [3, 1]


@pytest.mark.parametrize("content", [17, {"text": "x"}, [["x"]], ["x"]])
def test_content_of_no_known_form_is_told(content):
    with (
        chat_server(says(Said(content))) as server,
        pytest.raises(EngineError, match="not a chat completion"),
    ):
        list(engine(server.base_url).complete(wanted()))
