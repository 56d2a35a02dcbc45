"""Lines of batch files: written as the HTTP engine posts, read as it reads, whoever wrote them."""

import json

import pytest

from ste_plugin.engines.http.batch import (
    BatchFormat,
    CallId,
    Response,
    UnansweredCall,
    read_response,
)
from ste_plugin.engines.http.request import Call
from ste_plugin.errors import EngineError
from tests.helpers.chat_server import chat_server
from tests.helpers.http_engine import FORCED, answers, engine, wanted

NOWHERE = "http://127.0.0.1:9/v1"


def lines(form, requests):
    return [json.loads(form.encode(call)) for call in form.plan(requests)]


def said(text="An apple.", **more):
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return {"model": "tiny", "choices": [choice], "usage": usage, **more}


def read(row, requests=None, **options):
    form = BatchFormat(engine(NOWHERE, **options))
    return form.read(Call(tuple(requests or wanted())), read_response(row))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"samples": False},
        {"prefill": "vllm"},
        {"omit": ["seed"], "extra_body": {"reasoning_effort": "low"}},
    ],
)
@pytest.mark.parametrize(
    "requests",
    [
        wanted(samples=5),
        wanted(samples=5)[2:],
        wanted(temperature=0.0),
        wanted(prefix=FORCED, choices=("A", "B")),
    ],
)
def test_a_line_holds_the_very_body_that_a_server_is_sent(options, requests):
    with chat_server(lambda *_: "A") as server:
        over_http = engine(server.base_url, **options)
        answers(over_http, requests)
        bodies = server.bodies
    written = lines(BatchFormat(engine(NOWHERE, **options)), requests)
    assert sorted(json.dumps(row["body"]) for row in written) == sorted(map(json.dumps, bodies))
    assert {(row["method"], row["url"]) for row in written} == {("POST", "/v1/chat/completions")}


def test_lines_for_openai_hold_no_field_that_it_refuses():
    (row,) = lines(BatchFormat(engine(NOWHERE), for_openai=True), wanted(samples=2))
    known = {"model", "messages", "temperature", "top_p", "max_completion_tokens", "seed", "n"}
    assert set(row["body"]) == known


def test_an_id_names_the_samples_that_its_line_asks_for():
    ids = [row["custom_id"] for row in lines(BatchFormat(engine(NOWHERE)), wanted(samples=9)[2:])]
    (call_id,) = map(CallId.parse, ids)
    assert (call_id.first, call_id.count) == (2, 7)
    assert str(call_id) == ids[0] == f"{wanted()[0].prompt_key}-2x7"
    assert [CallId.parse(t) for t in ("mine", "0123-1", f"{'a' * 16}-1x0", 7, None)] == [None] * 5


@pytest.mark.parametrize(
    "row",
    [
        {"response": {"status_code": 200, "request_id": "r", "body": said()}, "error": None},
        {"response": {"status_code": 200, "body": said()}},
    ],
)
def test_an_answer_is_read_as_over_http(row):
    (completion,) = read(row)
    assert (completion.text, completion.prompt_tokens, completion.completion_tokens) == (
        "An apple.",
        3,
        2,
    )


def test_thoughts_lie_apart_and_tokens_that_are_not_counted_are_estimated():
    body = said("<think>Hm.</think>An apple.", usage=None)
    (completion,) = read({"response": {"status_code": 200, "body": body}})
    assert (completion.thinking, completion.text) == ("<think>Hm.</think>", "An apple.")
    assert completion.completion_tokens > 0


LONG = "This model's maximum context length is 512 tokens"


@pytest.mark.parametrize(
    "row",
    [
        {"response": {"status_code": 400, "body": {"error": {"message": LONG}}}, "error": None},
        {"response": {"status_code": 400, "body": None}, "error": {"message": LONG}},
        {"response": {"status_code": 400}, "error": {"error": {"message": LONG, "code": 400}}},
        {"response": None, "error": {"message": LONG, "code": 400}},
    ],
)
def test_a_prompt_that_is_too_long_is_an_answer(row):
    assert [c.finish_reason for c in read(row)] == ["too_long"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"response": {"status_code": 500, "body": {"error": {"message": "no memory"}}}},
            "HTTP 500: no memory",
        ),
        (
            {"response": None, "error": {"code": "batch_expired", "message": "not in time"}},
            "not in time",
        ),
        ({"response": None, "error": None}, "neither a response nor an error"),
        ({"response": {"status_code": 200, "body": {}}}, "not a chat completion"),
        ({"response": {"status_code": 200, "body": said(choices=[])}}, "holds 0 choices"),
        (
            {"response": {"status_code": 200, "body": said(error={"message": "down"})}},
            "HTTP 502: down",
        ),
        (
            {"response": {"status_code": 200, "body": said(model="tiny-instruct")}},
            "answered by the model 'tiny-instruct', asked for 'tiny'",
        ),
    ],
)
def test_what_is_no_answer_says_why(row, why):
    with pytest.raises(UnansweredCall, match=why):
        read(row)


def test_a_model_by_another_name_is_accepted_where_settings_say_so():
    row = {"response": {"status_code": 200, "body": said(model="tiny-instruct")}}
    assert read(row, accept_model=["tiny-instruct"])[0].text == "An apple."


def test_a_choice_is_read_from_the_reply_and_one_that_names_none_is_no_answer():
    requests = wanted(prefix=FORCED, choices=("A", "B"))
    row = {"response": {"status_code": 200, "body": said("**B**")}}
    assert [c.text for c in read(row, requests)] == ["B"]
    row = {"response": {"status_code": 200, "body": said("Both are fine.")}}
    for temperature in (0.0, 1.0):
        requests = wanted(prefix=FORCED, choices=("A", "B"), temperature=temperature)
        with pytest.raises(UnansweredCall, match="names none of the choices"):
            read(row, requests)
    with pytest.raises(EngineError, match="does not restrict its reply"):
        read(row, requests, prefill="vllm")


def test_a_reply_with_fewer_samples_answers_these_alone():
    completions = read({"response": {"status_code": 200, "body": said()}}, wanted(samples=3))
    assert [c.key[-2:] for c in completions] == ["-0"]


def test_a_response_without_a_status_is_no_success():
    assert Response(0, {"message": "lost"}).refusal is not None
