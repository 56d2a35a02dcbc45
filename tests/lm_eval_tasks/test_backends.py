"""What lm-eval's backends really send for our tasks, the same in every version."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers import scripted_judge
from tests.helpers.chat_server import chat_server
from tests.helpers.lm_eval_servers import completing, judging, through_chat, through_completions
from tests.helpers.scripted_judge import run_task, scripted, written

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("aiohttp") is None, reason="lm-eval's API backends need lm-eval[api]"
)


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def seeded(body, _):
    """A chat server's judge that says the same to the same seed, else something new each time."""
    drawn = body.get("seed") if body["temperature"] else None
    return f"word {drawn if drawn is not None else next(fresh)}" if body["temperature"] else "[[A]]"


fresh = itertools.count(10_000)


def test_a_greedy_request_is_greedy_in_the_body_that_a_chat_server_gets(pairs):
    with chat_server(judging()) as server:
        metrics, _ = through_chat(server, pairs)
    assert metrics["acc_pc"] == 1
    assert len(server.bodies) == 8
    for body in server.bodies:
        del body["messages"]
        assert body == {
            "model": "tiny",
            "max_tokens": 8,
            "temperature": 0.0,
            "seed": 1234,
            "repetition_penalty": 1.0,
        }


def test_a_greedy_request_is_greedy_in_the_body_that_a_completions_server_gets(tiny_model, pairs):
    with chat_server(judging(), complete=completing(tiny_model)) as server:
        metrics, _ = through_completions(server, tiny_model, pairs)
    assert (metrics["acc_pc"], len(server.bodies)) == (1, 8)
    for body in server.bodies:
        del body["prompt"]
        assert body == {
            "model": "tiny",
            "max_tokens": 8,
            "temperature": 0.0,
            "stop": ["<|im_end|>"],
            "seed": 1234,
            "repetition_penalty": 1.0,
        }


def test_votes_are_sampled_without_the_one_seed_that_lm_eval_sends(pairs):
    with chat_server(seeded) as server:
        _, samples = through_chat(server, pairs, votes=4, early_stop=False)
    sampling = {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "repetition_penalty": 1.0,
    }
    assert all(sampling.items() <= body.items() for body in server.bodies)
    assert not any("seed" in body for body in server.bodies)
    assert len(server.bodies) == 4 * 8
    assert all(len(set(replies)) == 4 for s in samples for replies in s["filtered_resps"])


def test_temperature_and_top_p_of_the_votes_can_be_set(pairs):
    with chat_server(seeded) as server:
        through_chat(server, pairs, votes=2, temperature=1.0, top_p=0.5, limit=1)
    assert {(b["temperature"], b["top_p"]) for b in server.bodies} == {(1.0, 0.5)}


def test_lm_evals_own_gen_kwargs_are_heard(pairs):
    with chat_server(judging()) as server:
        args = {"model": "tiny", "base_url": f"{server.base_url}/chat/completions"}
        told = {"model_args": args, "gen_kwargs": {"max_gen_toks": 3}}
        run_task("local-chat-completions", pairs, lm_eval_settings=told, limit=1)
    assert [body["max_tokens"] for body in server.bodies] == [3, 3]


def test_votes_at_temperature_0_are_refused(pairs):
    with pytest.raises(ConfigError, match="4 votes would all be the same"):
        run_task(scripted(str), pairs, votes=4, temperature=0.0)


@pytest.mark.parametrize("model_args", [{}, {"num_concurrent": 4}])
def test_votes_stop_early_behind_a_chat_server(pairs, model_args):
    with chat_server(judging()) as server:
        metrics, _ = through_chat(server, pairs, model_args, votes=5)
    assert (metrics["acc_pc"], len(server.bodies)) == (1, 3 * 8)


@pytest.mark.parametrize("model_args", [{}, {"num_concurrent": 4}, {"batch_size": 3}])
def test_votes_stop_early_behind_a_completions_server(tiny_model, pairs, model_args):
    with chat_server(judging(), complete=completing(tiny_model)) as server:
        metrics, _ = through_completions(server, tiny_model, pairs, model_args, votes=5)
    assert metrics["acc_pc"] == 1
    assert sum(len(body["prompt"]) for body in server.bodies) == 3 * 8


def test_lm_evals_cache_replays_greedy_replies_and_no_vote(pairs, tmp_path):
    with chat_server(judging()) as server:
        args = {"model": "tiny", "base_url": f"{server.base_url}/chat/completions"}
        told = {"model_args": args, "use_cache": str(tmp_path / "cache")}
        for votes, expected in ((1, 8), (1, 8), (5, 8 + 24), (5, 8 + 48)):
            metrics, _ = run_task(
                "local-chat-completions", pairs, lm_eval_settings=told, votes=votes
            )
            assert (metrics["acc_pc"], len(server.bodies)) == (1, expected)


@pytest.mark.slow
def test_votes_of_transformers_differ_and_its_greedy_replies_do_not(tiny_model, pairs):
    def replies(**settings):
        told = {"model_args": {"pretrained": str(tiny_model)}, "batch_size": 4, "device": "cpu"}
        _, samples = run_task("hf", pairs, lm_eval_settings=told, max_new_tokens=6, **settings)
        return [reply for s in samples for reply in s["filtered_resps"]]

    assert all(len(set(votes)) == 3 for votes in replies(votes=3, temperature=1.5))
    assert replies() == replies()


def test_the_generation_settings_are_ones_that_vllm_takes():
    """The names of vllm.SamplingParams; `do_sample`, `until` and `max_gen_toks` are lm-eval's."""
    known = {"temperature", "top_p", "top_k", "seed", "repetition_penalty"}
    for votes in (1, 2):
        sent = JudgeSettings(votes=votes).generation_kwargs(8)
        assert sent.keys() - {"do_sample", "until", "max_gen_toks"} <= known
        assert sent["do_sample"] == (sent["temperature"] > 0) == (votes > 1)


def test_openais_own_api_gets_no_settings_that_it_would_refuse(monkeypatch, pairs):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with chat_server(judging()) as server:
        args = {"model": "tiny", "base_url": f"{server.base_url}/chat/completions"}
        told = {"model_args": args}
        metrics, _ = run_task("openai-chat-completions", pairs, lm_eval_settings=told, votes=3)
    assert metrics["acc_pc"] == 1
    known = {"messages", "model", "max_completion_tokens", "temperature", "top_p"}
    assert all(body.keys() == known for body in server.bodies)


@pytest.mark.slow
def test_another_lm_eval_reports_the_same_to_the_last_digit(pairs):
    other = os.environ.get("STE_OTHER_LM_EVAL")
    if not other:
        pytest.skip("STE_OTHER_LM_EVAL names no folder with another version of lm-eval")

    def reported(path):
        program = [sys.executable, scripted_judge.__file__, str(pairs)]
        env = os.environ | {"PYTHONPATH": path}
        return subprocess.run(program, env=env, capture_output=True, text=True, check=True).stdout

    assert len(json.loads(reported(other))) == 6
    assert reported(other) == reported("")
