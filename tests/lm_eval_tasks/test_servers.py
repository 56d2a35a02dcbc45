"""Servers that refuse names, prompts or persons, asked by lm-eval: measured all the same, or said
why not."""

import importlib.util

import pytest

from ste_plugin.config import EvaluationConfig, HostConfig
from ste_plugin.errors import ConfigError, EngineError, HostError
from ste_plugin.lm_eval_tasks import runner
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.chat_server import Refuse, Said, chat_server
from tests.helpers.lm_eval_servers import completing, judging, through_chat, through_completions
from tests.helpers.scripted_judge import written

pytestmark = [
    pytest.mark.usefixtures("warm_hosts"),
    pytest.mark.skipif(
        importlib.util.find_spec("aiohttp") is None,
        reason="lm-eval's API backends need lm-eval[api]",
    ),
]
CONCURRENT = {"num_concurrent": 4}


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def without(*names, message="Unsupported parameter: '{}' is not supported with this model."):
    """How a server refuses requests that hold a name."""

    def objects(body):
        found = next((name for name in names if name in body), None)
        told = {"message": message.format(found), "param": found}
        return Refuse(400, content={"error": told}) if found else None

    return objects


@pytest.mark.parametrize("model_args", [{}, CONCURRENT])
def test_no_request_holds_an_empty_list_of_stops(pairs, model_args):
    def objects(body):
        return Refuse(400, "stop: the list must not be empty") if body.get("stop") == [] else None

    with chat_server(judging(), objects=objects) as server:
        metrics, _ = through_chat(server, pairs, model_args)
    assert (metrics["acc_pc"], len(server.bodies)) == (1, 8)


@pytest.mark.parametrize("model_args", [{}, CONCURRENT])
@pytest.mark.parametrize("name", ["seed", "repetition_penalty", "temperature"])
def test_a_name_that_the_server_refuses_is_left_out_from_the_second_request_on(
    pairs, name, model_args
):
    with chat_server(judging(), objects=without(name)) as server:
        metrics, _ = through_chat(server, pairs, model_args)
    assert (metrics["acc_pc"], len(server.bodies)) == (1, 9)
    assert not any(name in body for body in server.bodies[1:])


def test_several_refused_names_are_found_one_after_the_other(pairs):
    refused = without("seed", "top_p", "top_k", "repetition_penalty", "temperature")
    with chat_server(judging(), objects=refused) as server:
        metrics, _ = through_chat(server, pairs, votes=3)
    assert metrics["acc_pc"] == 1
    assert server.bodies[-1].keys() == {"model", "messages", "max_tokens"}


def test_a_server_that_knows_the_newer_name_of_the_limit_gets_that(pairs):
    with chat_server(judging(), objects=without("max_tokens")) as server:
        metrics, _ = through_chat(server, pairs)
    assert (metrics["acc_pc"], server.bodies[-1]["max_completion_tokens"]) == (1, 8)


def test_names_can_be_left_out_from_the_start(tiny_model, pairs):
    with chat_server(judging(), complete=completing(tiny_model)) as server:
        through_chat(server, pairs, omit=("seed", "repetition_penalty"))
        through_completions(server, tiny_model, pairs, omit=("stop", "seed"))
    assert not any("seed" in body for body in server.bodies)
    assert not any("stop" in body or "repetition_penalty" in body for body in server.bodies[:8])


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_any_other_refusal_is_told_in_the_servers_words_at_once(pairs, status):
    told = "You have no right to this model."
    with (
        chat_server(judging(), fault=lambda _: Refuse(status, told)) as server,
        pytest.raises(ConfigError, match=rf"the server refuses \({status}\): .*{told}"),
    ):
        through_chat(server, pairs)
    assert len(server.bodies) == 1


def test_a_server_that_is_busy_at_first_is_asked_again(pairs):
    with chat_server(judging(), fault={0: Refuse(503)}.get) as server:
        metrics, _ = through_chat(server, pairs)
    assert (metrics["acc_pc"], len(server.bodies)) == (1, 9)


@pytest.mark.parametrize("model_args", [{}, CONCURRENT])
def test_an_error_inside_a_success_is_no_reply(pairs, model_args, caplog):
    broken = Said("It", "error", error={"code": 502, "message": "upstream closed"})
    # of concurrent requests it may be another one's end that is raised
    ends = Exception if model_args else HostError
    with chat_server(lambda *_: broken) as server, pytest.raises(ends) as found:
        through_chat(server, pairs, model_args)
    assert "upstream closed" in f"{found.value} {caplog.text}"
    assert len(server.bodies) > 1


@pytest.mark.parametrize("model_args", [{}, CONCURRENT])
def test_a_server_that_cuts_prompts_without_a_word_is_found_by_what_it_counts(pairs, model_args):
    counted = {"prompt_tokens": 40, "completion_tokens": 3}
    with (
        chat_server(judging(), usage=lambda _: counted) as server,
        pytest.raises(EngineError, match="read 40 tokens of a prompt of .* it cuts prompts"),
    ):
        through_chat(server, pairs, model_args, judge_format="criteria")
    assert len(server.bodies) == 1


def test_a_reply_in_parts_is_read(pairs):
    def reply(body, index):
        parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "A? [[A]] B? [[B]]"}]}]
        return Said([*parts, {"type": "text", "text": judging()(body, index)}])

    with chat_server(reply) as server:
        assert through_chat(server, pairs)[0]["acc_pc"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("first", "model_args"), [(0, {}), (3, {}), (3, CONCURRENT)])
def test_ste_eval_says_what_the_server_said(pairs, tmp_path, first, model_args):
    told = "Your plan allows no more than this."
    with chat_server(
        judging(), fault=lambda n: Refuse(402, told) if n >= first else None
    ) as server:
        args = {"base_url": f"{server.base_url}/chat/completions", "max_retries": 1} | model_args
        config = EvaluationConfig(backend="local-chat-completions", model_args=args)
        with pytest.raises(HostError, match=told):
            runner.evaluate(
                "tiny",
                tmp_path / "out",
                settings=JudgeSettings(pairs),
                config=config,
                host=HostConfig(),
            )
