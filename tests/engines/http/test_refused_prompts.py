"""Prompts that a server refuses, for what they hold or for their length, and those it does not."""

from collections.abc import Iterator
from typing import Any

import pytest

from ste_plugin.engines import ChatRequest
from ste_plugin.engines.http.engine import HttpEngine
from ste_plugin.errors import EngineError
from tests.helpers.chat_server import Body, Refuse, Said, babble, chat_server
from tests.helpers.http_engine import always, answers, engine, prompts, refused, wanted


def error(message: str, **fields: Any) -> Body:
    return {"error": {"message": message, **fields}}


TOO_LONG = {
    "in the code": (400, error("It does not fit.", code="context_length_exceeded")),
    "in the code of a text": (400, error("No.", code="string_above_max_length")),
    "in the type": (500, error("Too much.", type="exceed_context_size_error", n_ctx=256)),
    "as a body that is too large": (413, "<html>Request Entity Too Large</html>"),
    "as a sum": (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 256. Given: 300"}),
    "as a bound of inputs": (422, {"error": "`inputs` must have less than 256 tokens."}),
    "as longer": (400, {"message": "The input (300 tokens) is longer than the context length."}),
    "as a count that exceeds": (400, error("Requested token count exceeds the model's limit.")),
    "as a prompt": (400, {"error": {"message": "prompt is too long: 300 tokens > 256 maximum"}}),
    "as an input": (400, {"message": "Input is too long for requested model."}),
    "as a list": (400, [error("The input token count (300) exceeds the maximum of tokens (256).")]),
    "as too large for": (400, {"message": "300 tokens, too large for a maximum context length"}),
    "as too many": (400, {"message": "too many tokens: the prompt cannot exceed 256"}),
    "as a number": (400, {"message": "The number of tokens (300) exceeds the limit of 256"}),
    "as a sequence": (400, "Token indices sequence length is longer than the maximum (300 > 256)"),
    "as a string": (400, error("Invalid content: string too long.")),
    "as a range": (400, error("Range of input length should be [1, 256]")),
    "by a gateway's name for it": (400, error("gateway.ContextWindowExceededError: tiny")),
    "as a context that is exceeded": (500, error("the input length exceeds the context length")),
    "in what a gateway quotes": (
        400,
        error("Provider error", metadata={"raw": '{"error": {"code": "context_length_exceeded"}}'}),
    ),
    "in a code without gaps": (400, error("No.", code="promptTooLong")),
    "as an overflow": (400, error("No.", code="CONTEXT_OVERFLOW")),
    "as what to do": (400, error("Please use a shorter prompt.")),
    "as more than a maximum": (400, error("tokens in request more than max tokens allowed")),
    "inside a success": (200, {"error": {"code": 400, "message": "exceeds the context size"}}),
}
BLOCKED = {
    "in the code": (400, error("Refused.", code="content_filter", param="prompt")),
    "in an inner code": (
        400,
        error("See inside.", innererror={"code": "ResponsibleAIPolicyViolation"}),
    ),
    "as moderation": (403, error("This model requires moderation and your input was flagged")),
    "as inspected": (400, error("No.", code="data_inspection_failed")),
    "as a risk": (400, error("Content Exists Risk")),
    "as usage": (400, error("Your prompt may violate our usage policy", code="invalid_prompt")),
    "as high risk": (400, error("It was rejected because it was considered high risk")),
    "by a gateway's name for it": (400, error("gateway.ContentPolicyViolationError: tiny")),
    "by a guardrail": (400, error("Guardrail intervened")),
    "by a safety system": (400, error("Your request was rejected by our safety system.")),
    "by a guardrail's check": (446, error("The guardrail checks of the config failed.")),
    "as a violation": (400, error("This request violates our terms of service.")),
    "as an attack": (400, error("No.", type="jailbreak_detected")),
    "as disallowed": (400, error("Your message has disallowed content.")),
    "by a server of its own": (500, error("Blocked by content filter")),
    "in a code of an organization": (
        403,
        error("Your organization's filter refused this", code="content_filter"),
    ),
    "inside a success": (200, {"promptFeedback": {"blockReason": "SAFETY"}}),
    "as an error in a success": (200, {"error": {"code": 403, "message": "Input was flagged"}}),
}
REFUSALS = [
    *(pytest.param("too_long", *found, id=f"too long {how}") for how, found in TOO_LONG.items()),
    *(pytest.param("blocked", *found, id=f"blocked {how}") for how, found in BLOCKED.items()),
]
NOT_THE_PROMPT = {
    "a key": (401, error("Incorrect API key: content policy of this account")),
    "an account": (403, error("Your account was blocked for violating our usage policies")),
    "a country": (403, error("Country, region, or territory not supported")),
    "a role": (403, error("Access denied by security policy of your organization")),
    "a model": (404, error("The model content-filter does not exist")),
    "no credit": (402, error("Insufficient credits: exceeds the limit of 5")),
    "little credit": (402, error("Prompt tokens limit exceeded: 4231 > 2920. Add credits")),
    "a field": (400, error("response_format: expected an object")),
}


def refusing_violins(status: int, content: Any):
    """Refuse prompts about violins."""

    def objects(body: Body) -> Refuse | None:
        about = "violins" in body["messages"][-1]["content"]
        return Refuse(status, content=content) if about else None

    return objects


@pytest.mark.parametrize(("reason", "status", "content"), REFUSALS)
def test_a_prompt_that_is_refused_is_answered_by_nothing_and_the_others_are_answered(
    reason, status, content
):
    requests = [*prompts(5), *wanted("Explain violins.", samples=2), *wanted("Explain pianos.")]
    with chat_server(babble, objects=refusing_violins(status, content)) as server:
        got = answers(engine(server.base_url, max_attempts=1), requests)
    assert [c.finish_reason for c in got] == ["stop"] * 5 + [reason] * 2 + ["stop"]
    assert {(c.text, c.prompt_tokens, c.completion_tokens) for c in got[5:7]} == {("", 0, 0)}


@pytest.mark.parametrize("samples", [1, 3])
def test_a_filter_that_ends_an_answer_blocks_that_sample_alone(samples):
    def script(_body: Body, index: int) -> Said:
        return Said("half an", "content_filter") if index == 0 else Said("whole")

    with chat_server(script) as server:
        got = answers(engine(server.base_url), wanted(samples=samples))
    assert [c.finish_reason for c in got] == ["blocked"] + ["stop"] * (samples - 1)


@pytest.mark.parametrize(("status", "content"), NOT_THE_PROMPT.values(), ids=NOT_THE_PROMPT)
def test_what_is_not_about_the_prompt_stays_an_error(status, content):
    with chat_server(babble, fault=always(Refuse(status, content=content))) as server:
        assert f"HTTP {status}" in refused(server)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
        (503, "The content filter is unavailable, try again later"),
        (500, "context length service: upstream timed out"),
        (429, "Request too large for tiny on tokens per minute (TPM): Limit 6000, Requested 8000"),
        (413, "Request too large on tokens per minute (TPM): Limit 6000, Requested 8000"),
    ],
)
def test_a_timeout_and_a_rate_are_no_length(status, message):
    fault = {0: Refuse(status, message)}.get
    with chat_server(babble, fault=fault) as server:
        if status == 413:
            assert message in refused(server)
        else:
            assert answers(engine(server.base_url), wanted())[0].finish_reason == "stop"


def test_words_of_the_prompt_in_a_refusal_are_not_the_servers():
    content = {"detail": [{"loc": ["body", "logit_bias"], "msg": "bad", "input": "content filter"}]}
    with chat_server(babble, fault=always(Refuse(422, content=content))) as server:
        assert "HTTP 422: logit_bias: bad" in refused(server)


def context_of(tokens: int, message: str):
    """Refuse a prompt that, a token a word, leaves too little room for its answer."""

    def objects(body: Body) -> Refuse | None:
        read = sum(len(turn["content"].split()) for turn in body["messages"])
        new = body["max_tokens"]
        too_much = read + new > tokens
        return Refuse(400, message.format(new=new, read=read, all=tokens)) if too_much else None

    return objects


CONTEXT = [
    "{new} new tokens and a prompt of {read} exceed the context of {all} tokens.",
    "'max_tokens' is too large: {new}. This model's maximum context length is {all} tokens and "
    "your request has {read} input tokens.",
    "`inputs` tokens + `max_new_tokens` must be <= {all}. Given: {read} and {new}",
    "input length and `max_tokens` exceed context limit: {read} + {new} > {all}",
    "max_tokens={new} cannot be greater than max_model_len={all}.",
]


@pytest.mark.parametrize("message", CONTEXT)
@pytest.mark.parametrize(("asked", "count"), [(4096, 1), (4096, 300), (4000, 300)])
def test_answers_that_fill_the_context_are_told_as_that_before_much_is_sent(asked, count, message):
    texts = [f"Prompt {i} " + "word " * 100 for i in range(count)]
    requests = [r for t in texts for r in wanted(t, samples=2, max_new_tokens=asked)]
    with chat_server(babble, objects=context_of(4096, message)) as server:
        model, got = engine(server.base_url), []
        with pytest.raises(EngineError) as caught:
            for completion in model.complete(requests):
                got.append(completion)
        assert len(server.bodies) <= 16
    assert got == []
    assert f"a prompt and {asked} new tokens are more than the server's context" in str(
        caught.value
    )
    assert "Lower judging.max_new_tokens or pairs.max_new_tokens" in str(caught.value)


def test_long_prompts_among_the_first_are_dropped_while_a_short_one_is_still_being_answered():
    many = [r for i in range(30) for r in wanted(f"{i} " + "word " * 300, max_new_tokens=10)]
    requests = [*many, *wanted("Short.", max_new_tokens=10)]
    with chat_server(babble, objects=context_of(200, CONTEXT[0])) as server:
        got = answers(engine(server.base_url, concurrency=40), [requests[-1], *requests[:-1]])
    assert [c.finish_reason for c in got] == ["stop"] + ["too_long"] * 30


def test_a_single_prompt_that_is_too_long_by_itself_is_dropped():
    long = wanted("word " * 300, max_new_tokens=10)
    with chat_server(babble, objects=context_of(200, CONTEXT[0])) as server:
        assert [c.finish_reason for c in answers(engine(server.base_url), long)] == ["too_long"]


@pytest.mark.parametrize(
    ("content", "told", "reason"),
    [
        (error("A filter refused this prompt.", code="content_filter"), "blocks", "blocked"),
        (error("Too many tokens in the prompt."), "finds too long", "too_long"),
    ],
)
def test_a_run_of_refused_prompts_is_told_early_and_each_is_dropped(content, told, reason, caplog):
    seen_by = []

    def fault(_number):
        seen_by.append(bool(caplog.records))
        return Refuse(400, content=content)

    texts = [f"{i} " + "word " * 400 for i in range(100)]
    with chat_server(babble, fault=fault) as server:
        got = list(engine(server.base_url).complete([r for t in texts for r in wanted(t)]))
    assert {c.finish_reason for c in got} == {reason}
    assert len(got) == 100
    assert seen_by.index(True) <= 16
    (said,) = [r.getMessage() for r in caplog.records]
    assert told in said
    assert content["error"]["message"] in said


def test_a_refusal_of_longer_answers_than_were_asked_for_before_is_told_as_that():
    with chat_server(babble, objects=context_of(512, CONTEXT[0])) as server:
        model = engine(server.base_url)
        answers(model, wanted(max_new_tokens=16))
        with pytest.raises(EngineError, match="and 512 new tokens are more than"):
            list(model.complete(wanted("Another.", max_new_tokens=512)))


def test_refused_prompts_once_others_are_answered_end_nothing():
    objects = refusing_violins(400, error("no", code="content_filter"))
    many = [r for i in range(50) for r in wanted(f"Violins: violins {i}")]
    with chat_server(babble, objects=objects) as server:
        model = engine(server.base_url)
        answers(model, wanted())
        assert {c.finish_reason for c in answers(model, many)} == {"blocked"}


UNKNOWN = "Expecting property name enclosed in double quotes: line 1 column 2"
"""A server's words for a prompt that it stumbles over."""


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("samples", [1, 2])
def test_a_prompt_that_is_refused_for_no_known_reason_is_dropped_with_the_servers_words(
    status, samples, caplog
):
    violins = wanted("Explain violins.", samples=samples)
    requests = [*prompts(5), *violins, *wanted("Explain pianos.")]
    with chat_server(babble, objects=refusing_violins(status, error(UNKNOWN))) as server:
        got = answers(engine(server.base_url), requests)
    assert [c.finish_reason for c in got] == ["stop"] * 5 + ["refused"] * samples + ["stop"]
    (said,) = [r.getMessage() for r in caplog.records]
    assert "A prompt is refused, and dropped and counted" in said
    assert f"HTTP {status}: {UNKNOWN}" in said


def test_where_all_prompts_are_refused_for_no_known_reason_the_error_is_told_after_few(caplog):
    with chat_server(babble, fault=always(Refuse(400, UNKNOWN))) as server:
        with pytest.raises(EngineError) as caught:
            list(engine(server.base_url).complete(prompts(100)))
        assert len(server.bodies) <= 16
    assert f"HTTP 400: {UNKNOWN}\nThe server refuses this request: check" in str(caught.value)
    assert not caplog.records


def test_a_server_that_begins_to_refuse_every_prompt_ends_the_stage():
    def fault(number: int) -> Refuse | None:
        return Refuse(400, "Out of credit.") if number >= 20 else None

    got = []
    with chat_server(babble, fault=fault) as server:
        with pytest.raises(EngineError, match="Out of credit"):
            for completion in engine(server.base_url, concurrency=2).complete(prompts(100)):
                got.append(completion)
        assert len(server.bodies) <= 20 + 8 + 2
    reasons = [c.finish_reason for c in got]
    assert reasons.count("stop") == 20
    assert len(reasons) <= 20 + 2  # what was in flight beside the last answers


def test_of_two_servers_one_that_refuses_every_prompt_ends_the_stage_with_its_address():
    with (
        chat_server(babble) as good,
        chat_server(babble, fault=always(Refuse(400, "no such template"))) as bad,
    ):
        urls = [{"base_url": good.base_url}, {"base_url": bad.base_url}]
        model = engine(endpoints=urls, concurrency=2)
        got = []
        with pytest.raises(EngineError, match=f"{bad.base_url}.*no such template"):
            for completion in model.complete(prompts(200)):
                got.append(completion)
    assert {c.finish_reason for c in got} <= {"stop"}


def test_a_stage_that_ends_with_a_refused_prompt_has_it_dropped_and_the_next_begins_anew():
    objects = refusing_violins(400, error(UNKNOWN))
    with chat_server(babble, objects=objects) as server:
        model = engine(server.base_url, concurrency=1)
        got = answers(model, [*prompts(3), *wanted("Explain violins.")])
        assert [c.finish_reason for c in got] == ["stop"] * 3 + ["refused"]
        with pytest.raises(EngineError, match="Expecting property name"):
            answers(model, wanted("Explain violins."))


@pytest.mark.parametrize(
    ("reason", "content"),
    [
        ("refused", error(UNKNOWN)),
        ("blocked", error("No.", code="content_filter")),
        ("too_long", error("No.", code="context_length_exceeded")),
    ],
)
def test_two_stages_at_once_get_the_answers_to_their_own_prompts_and_all_of_them(reason, content):
    others = []

    def asked(model: HttpEngine) -> Iterator[ChatRequest]:
        yield from wanted("Explain violins.")
        others.extend(model.complete(prompts(3)))  # while the refusal is held back
        yield from wanted("Explain pianos.")

    with chat_server(babble, objects=refusing_violins(400, content)) as server:
        model = engine(server.base_url, samples=False, concurrency=1)
        got = {c.key: c.finish_reason for c in model.complete(asked(model))}
    violins, pianos = wanted("Explain violins.") + wanted("Explain pianos.")
    assert got == {violins.key: reason, pianos.key: "stop"}
    assert {c.key for c in others} == {r.key for r in prompts(3)}
