"""Fields of a request that a server does not take: found out from what it refuses, told once."""

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.http.engine import create
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import ConfigError, EngineError
from tests.helpers.builders import HERE
from tests.helpers.chat_server import Body, Refuse, babble, chat_server, says_little
from tests.helpers.http_engine import answers, engine, prompts, wanted

OFF = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


def refusing(*fields: str, status: int = 400, content=None, message="Unsupported parameter: {}"):
    """Refuse a request that holds one of the fields, in words or as `content` makes of it."""

    def objects(body: Body) -> Refuse | None:
        found = next((f for f in fields if f in body), None)
        if found is None:
            return None
        return Refuse(status, message.format(found), content=content(found) if content else None)

    return objects


def told(caplog) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("ste_plugin")]


IN_WORDS = [
    "Unsupported parameter: '{}' is not supported with this model.",
    "This model does not take the parameter {}.",
    "Unrecognized request argument supplied: {}",
    "unknown field `{}`, expected one of `model`, `messages`, `stream`, `min_p`, `top_p`",
    'property "{}" is unsupported, did you mean "temperature"?',
    "gateway: provider does not support parameters: ['{}'], for model=tiny",
    "create() got an unexpected keyword argument '{}'",
    "body.{} should not exist",
    "Additional properties are not allowed ('{}' was unexpected)",
    "invalid {}: only 1 is allowed for this model",
    "`{}` may only be set to its default while thinking is enabled",
    "{} is not yet implemented",
]
IN_JSON = [
    lambda f: {"error": {"message": "No.", "param": f, "code": "unsupported_parameter"}},
    lambda f: {"error": {"message": "No.", "param": f, "code": "unknown_parameter"}},
    lambda f: {"detail": [{"type": "extra_forbidden", "loc": ["body", f], "msg": "Not permitted"}]},
    lambda f: {"object": "error", "message": {"detail": [{"loc": ["body", f], "msg": "extra"}]}},
    lambda f: [{"error": {"code": 400, "message": f"Unknown name {f}", "status": "INVALID"}}],
    lambda f: {"error": {"message": f'{{"error": {{"param": "{f}", "message": "unsupported"}}}}'}},
    lambda f: {"error": {"message": "Provider error", "metadata": {"raw": f"{f}: unsupported"}}},
]


@pytest.mark.parametrize("message", IN_WORDS)
@pytest.mark.parametrize("field", ["max_tokens", "seed", "top_p", "top_k"])
def test_a_field_refused_in_words_is_sent_otherwise_from_then_on(field, message):
    with chat_server(says_little, objects=refusing(field, message=message)) as server:
        model = engine(server.base_url, concurrency=1, max_attempts=1)
        assert len(list(model.complete(prompts(5)))) == 5
    assert len(server.bodies) == 6
    assert not any(field in body for body in server.bodies[1:])


@pytest.mark.parametrize("content", IN_JSON)
@pytest.mark.parametrize(("field", "status"), [("max_tokens", 400), ("seed", 422), ("top_p", 500)])
def test_a_field_refused_in_a_field_of_the_error_is_sent_otherwise(field, status, content):
    objects = refusing(field, status=status, content=content)
    with chat_server(says_little, objects=objects) as server:
        model = engine(server.base_url, concurrency=1, max_attempts=1)
        assert len(list(model.complete(prompts(3)))) == 3
    assert len(server.bodies) == 4


def test_the_limit_of_new_tokens_goes_under_its_newer_name(caplog):
    with chat_server(says_little, objects=refusing("max_tokens")) as server:
        answers(engine(server.base_url), wanted(max_new_tokens=7))
    assert server.bodies[-1]["max_completion_tokens"] == 7
    (said,) = told(caplog)
    assert "max_tokens is sent as max_completion_tokens" in said


def test_a_temperature_that_is_not_taken_is_told_as_a_change_of_sampling(caplog):
    message = "Unsupported value: 'temperature' does not support {}. Only the default (1) is."
    with chat_server(says_little, objects=refusing("temperature", message=message)) as server:
        answers(engine(server.base_url), wanted(temperature=0.7))
    (said,) = told(caplog)
    assert "samples by its own default and not at 0.7" in said


def test_where_two_fields_exclude_each_other_the_temperature_stays():
    def objects(body: Body) -> Refuse | None:
        message = "`temperature` and `top_p` cannot both be specified for this model."
        return Refuse(400, message) if {"temperature", "top_p"} <= set(body) else None

    with chat_server(says_little, objects=objects) as server:
        answers(engine(server.base_url), wanted(temperature=0.7))
    assert server.bodies[-1]["temperature"] == 0.7


def test_sampling_that_nobody_asked_for_is_switched_off_in_words():
    with chat_server(babble) as server:
        answers(engine(server.base_url), wanted())
    assert OFF.items() <= server.bodies[0].items()


PENALTIES = {"presence_penalty": 0.0, "frequency_penalty": 0.0}


def test_no_penalty_of_a_models_own_file_weighs_on_a_letter_that_was_reasoned_about():
    with chat_server(babble) as server:
        answers(engine(server.base_url), wanted())
    assert PENALTIES.items() <= server.bodies[0].items()


@pytest.mark.parametrize(
    "message",
    [
        "Penalty is not enabled for models/tiny",
        "Model tiny does not support parameter presencePenalty.",
        "Unsupported parameter: 'presence_penalty' is not supported with this model.",
    ],
)
def test_penalties_that_a_server_refuses_are_left_out(message):
    def objects(body: Body) -> Refuse | None:
        return Refuse(400, message) if "presence_penalty" in body else None

    with chat_server(babble, objects=objects) as server:
        assert len(answers(engine(server.base_url), wanted())) == 1
    assert OFF.items() <= server.bodies[-1].items()


def test_a_server_that_checks_names_costs_one_refused_call_for_all_that_is_off(caplog):
    message = "Unknown parameter: '{}'."
    with chat_server(babble, objects=refusing(*OFF, message=message)) as server:
        got = list(engine(server.base_url, concurrency=1).complete(prompts(20)))
    assert len(got) == 20
    assert len(server.bodies) == 21
    assert len(told(caplog)) == 1


def test_a_server_that_writes_all_tokens_otherwise_is_sent_that():
    def objects(body: Body) -> Refuse | None:
        wrong = body["top_k"] == 0
        return Refuse(400, "top_k must be -1 (disable), or at least 1, got 0.") if wrong else None

    with chat_server(babble, objects=objects) as server:
        answers(engine(server.base_url), wanted())
    assert {f: server.bodies[-1][f] for f in OFF} == OFF | {"top_k": -1}


def test_a_nucleus_of_everything_that_is_out_of_range_is_left_out_and_others_are_not():
    def objects(body: Body) -> Refuse | None:
        wrong = body.get("top_p") == 1.0
        return Refuse(422, "`top_p` must be > 0.0 and < 1.0") if wrong else None

    with chat_server(babble, objects=objects) as server:
        model = engine(server.base_url)
        answers(model, wanted(top_p=1.0))
        answers(model, wanted(top_p=0.9))
    assert ["top_p" in body for body in server.bodies] == [True, False, True]


@pytest.mark.parametrize(
    "said",
    [
        "temperature must be at most 2",
        "top_p is out of range",
        "max_tokens is too large: 64. This model supports at most 16 completion tokens.",
        "stop: expected a list",
    ],
)
def test_a_wrong_value_stays_an_error(said):
    with (
        chat_server(babble, fault=lambda _number: Refuse(400, said)) as server,
        pytest.raises(EngineError, match=said.split(" ")[0]),
    ):
        list(engine(server.base_url).complete(wanted(temperature=0.7, top_p=0.9)))
    assert len(server.bodies) == 1


def test_too_many_new_tokens_are_told_with_the_settings_to_lower():
    said = Refuse(400, "max_tokens is too large: 64. At most 16 are supported.")
    with (
        chat_server(babble, fault=lambda _number: said) as server,
        pytest.raises(EngineError, match=r"Lower judging\.max_new_tokens or pairs\.max_new_tokens"),
    ):
        list(engine(server.base_url).complete(wanted()))


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_server_that_refuses_whatever_is_sent_ends_the_run_after_a_few_calls(field):
    def objects(body: Body) -> Refuse:
        return Refuse(400, f"Unsupported parameters: {', '.join(body)}, {field}")

    with chat_server(babble, objects=objects) as server:
        with pytest.raises(EngineError, match="Unsupported parameters"):
            list(engine(server.base_url).complete(wanted()))
        assert len(server.bodies) < 8


def test_calls_in_flight_when_a_name_is_found_out_are_sent_again_without_counting_as_failed(caplog):
    objects = refusing("max_tokens", "seed")
    with chat_server(says_little, objects=objects, gather=8) as server:
        got = list(engine(server.base_url, max_attempts=1).complete(prompts(200)))
    assert len({c.key for c in got}) == len(got) == 200
    assert len(server.bodies) <= 200 + 8 * 2
    assert len(told(caplog)) == 2


def test_each_of_several_servers_is_found_out_by_itself():
    with (
        chat_server(says_little, objects=refusing("seed")) as strict,
        chat_server(babble) as other,
    ):
        servers = [{"base_url": strict.base_url}, {"base_url": other.base_url}]
        list(engine(endpoints=servers, concurrency=2).complete(prompts(40)))
    assert any("seed" not in body for body in strict.bodies)
    assert all("seed" in body for body in other.bodies)


def test_a_field_that_changes_the_question_is_never_left_out():
    message = "Unsupported parameter: '{}'"
    objects = refusing("structured_outputs", message=message)
    with (
        chat_server(babble, objects=objects) as server,
        pytest.raises(EngineError, match="structured_outputs"),
    ):
        list(engine(server.base_url, prefill="vllm").complete(wanted(choices=("A", "B"))))


def test_fields_are_added_and_left_out_as_the_options_say():
    options = {"extra_body": {"reasoning_effort": "low", "top_p": 0.5}, "omit": ["seed", "min_p"]}
    with chat_server(says_little) as server:
        answers(engine(server.base_url, **options), wanted())
    (body,) = server.bodies
    assert (body["reasoning_effort"], body["top_p"]) == ("low", 0.5)
    assert not {"seed", "min_p"} & set(body)


def test_a_field_that_was_added_on_purpose_is_not_left_out_again():
    with (
        chat_server(babble, objects=refusing("top_p")) as server,
        pytest.raises(EngineError, match="top_p"),
    ):
        list(engine(server.base_url, extra_body={"top_p": 0.5}).complete(wanted()))


@pytest.mark.parametrize("option", [{"extra_body": {"n": 4}}, {"omit": ["messages", "seed"]}])
def test_what_makes_the_request_is_neither_added_nor_left_out(option):
    with pytest.raises(ConfigError, match="may not be changed here"):
        engine("http://localhost:1/v1", **option)


def test_what_the_chat_template_is_given_is_sent():
    settings = {"base_url": None, "backoff_s": 0.001}
    with chat_server(babble) as server:
        settings["base_url"] = server.base_url
        given = {"enable_thinking": False}
        config = ModelConfig(
            model="tiny", engine="http", options=settings, chat_template_kwargs=given
        )
        answers(create(config, HERE), wanted())
    assert server.bodies[0]["chat_template_kwargs"] == given


def test_a_model_is_another_where_other_fields_are_asked_for_and_else_the_same():
    def identity(**options):
        return model_identity(ModelConfig(model="tiny", engine="http", options=options), HERE.base)

    plain = identity(base_url="http://h/v1")
    assert plain == identity(base_url="http://h/v1", extra_body={}, omit=[]) == "tiny@main"
    low = identity(extra_body={"reasoning_effort": "low"})
    assert len({plain, low, identity(omit=["seed"]), identity(extra_body={"a": 1})}) == 4
