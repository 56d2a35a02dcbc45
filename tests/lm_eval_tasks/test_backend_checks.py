"""What backends would do to our prompts, and what is done about it."""

import importlib.util
import json

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.backend_checks import render
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED
from tests.helpers.chat_server import Refuse, chat_server
from tests.helpers.lm_eval_servers import (
    completing,
    judging,
    through_chat,
    through_completions,
    with_template,
)
from tests.helpers.scripted_judge import PAIRS, run_task, written

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("aiohttp") is None, reason="lm-eval's API backends need lm-eval[api]"
)


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def one_too_long(tmp_path):
    return written(
        tmp_path / "pairs.jsonl", [*PAIRS, PAIRS[0] | {"id": "long", "rejected": "A spade. " * 900}]
    )


def test_prompts_that_a_completions_backend_would_cut_are_refused_with_their_rate(
    tiny_model, tmp_path
):
    with (
        chat_server(judging(), complete=completing(tiny_model)) as server,
        pytest.raises(DataError, match=r"1 of 5 pairs \(20.0%\) .* 2047 tokens.*'long'"),
    ):
        through_completions(server, tiny_model, one_too_long(tmp_path))
    assert server.bodies == []


@pytest.mark.parametrize("settings", [{}, {"votes": 3}, {"force": True}, {"mode": "likelier"}])
def test_dropped_pairs_reach_no_model_count_nowhere_and_are_reported(
    tiny_model, tmp_path, settings
):
    path = one_too_long(tmp_path)
    with chat_server(judging(), complete=completing(tiny_model)) as server:
        metrics, samples = through_completions(
            server, tiny_model, path, too_long="drop", **settings
        )
    assert (metrics["acc"], metrics["acc_pc"], metrics["did_not_fit_rate"]) == (1, 1, 0.2)
    assert samples[-1]["filtered_resps"] == [NOT_ASKED]
    assert all(len(prompt) <= 2047 for body in server.bodies for prompt in body["prompt"])


def test_a_chat_server_refuses_what_does_not_fit_and_its_words_are_passed_on(tmp_path, caplog):
    told = "maximum context length is 2048 tokens"
    with (
        chat_server(judging(), fault=lambda _: Refuse(400, told)) as server,
        pytest.raises(Exception, match="400"),
    ):
        through_chat(server, one_too_long(tmp_path))
    assert told in caplog.text


def test_pairs_cannot_be_dropped_where_nobody_can_count_tokens(tmp_path):
    with (
        chat_server(judging()) as server,
        pytest.raises(ConfigError, match="STE_JUDGE_TOO_LONG"),
    ):
        through_chat(server, one_too_long(tmp_path), too_long="drop")
    assert server.bodies == []


def test_a_chat_servers_prompts_are_counted_where_its_tokenizer_is_named(tiny_model, tmp_path):
    named = {"tokenizer_backend": "huggingface", "tokenizer": str(tiny_model), "max_length": 2048}
    path = one_too_long(tmp_path)
    with chat_server(judging()) as server:
        with pytest.raises(DataError, match=r"1 of 5 pairs \(20.0%\) .* 2047 tokens"):
            through_chat(server, path, named)
        assert server.bodies == []
        metrics, _ = through_chat(server, path, named, too_long="drop")
    assert (metrics["acc_pc"], metrics["did_not_fit_rate"], len(server.bodies)) == (1, 0.2, 8)


def test_chats_for_an_api_that_takes_texts_are_refused(tiny_model, pairs):
    with (
        chat_server(judging(), complete=completing(tiny_model)) as server,
        pytest.raises(ConfigError, match="use local-chat-completions"),
    ):
        through_completions(server, tiny_model, pairs, {"tokenized_requests": False})
    assert server.bodies == []


def test_a_missing_chat_template_is_a_clear_error(tiny_model, pairs, tmp_path):
    bare = with_template(tiny_model, tmp_path, None)
    with (
        chat_server(judging(), complete=completing(tiny_model)) as server,
        pytest.raises(ConfigError, match="cannot render a chat .*\n?.*chat_template"),
    ):
        through_completions(server, bare, pairs)
    assert server.bodies == []


SHOWS = "{% for m in messages %}<{{ m.content }}>{% endfor %}"
DROPS = "{% for m in messages %}{% if m.role == 'user' %}<{{ m.content }}>{% endif %}{% endfor %}"
REFUSES = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}"
    "{% endif %}<{{ m.content }}>{% endfor %}"
)


@pytest.mark.slow
def test_transformers_prompts_are_checked_like_any_others(tiny_model, tmp_path):
    path = one_too_long(tmp_path)
    args = {"pretrained": str(tiny_model), "max_length": 2000}
    told = {"model_args": args, "device": "cpu"}
    with pytest.raises(DataError, match=r"1 of 5 pairs \(20.0%\) .* 2000 tokens"):
        run_task("hf", path, lm_eval_settings=told)
    metrics, _ = run_task("hf", path, lm_eval_settings=told, too_long="drop", votes=2, force=True)
    assert (metrics["did_not_fit_rate"], metrics["forced_rate"]) == (0.2, 1)
    told["model_args"] = args | {"tokenizer": str(with_template(tiny_model, tmp_path, None))}
    with pytest.raises(ConfigError, match="cannot render a chat"):
        run_task("hf", path, lm_eval_settings=told)


@pytest.mark.parametrize("template", [DROPS, REFUSES])
def test_a_system_turn_that_the_template_loses_opens_the_users_turn(
    tiny_model, pairs, tmp_path, template
):
    tokenizer = with_template(tiny_model, tmp_path, template)
    told = {"system_instruction": "Be strict."}
    args = {"model": "tiny", "tokenizer_backend": "huggingface", "tokenizer": str(tokenizer)}
    with chat_server(judging(), complete=completing(tiny_model)) as server:
        args["base_url"] = f"{server.base_url}/completions"
        _, samples = run_task(
            "local-completions", pairs, lm_eval_settings=told | {"model_args": args}
        )
    for prompt, _ in (arguments for s in samples for arguments in s["arguments"]):
        assert prompt.startswith(f"<Be strict.\n\n{VERDICT.rubric}")


def test_a_template_that_loses_the_users_words_is_refused():
    with pytest.raises(ConfigError, match="leaves out a part of the prompt: 'The rubric"):
        render([{"role": "user", "content": "The rubric."}], lambda *_, **__: "<assistant>")


def test_a_tokenizer_that_merges_the_letter_with_the_brackets_is_refused(
    tiny_model, pairs, tmp_path
):
    from tokenizers import Tokenizer

    folder = with_template(tiny_model, tmp_path, SHOWS)
    path = folder / "tokenizer.json"
    found = json.loads(path.read_text())
    for left, right in (("[", "["), ("[[", "A")):
        found["model"]["merges"].append([left, right])
        found["model"]["vocab"].setdefault(left + right, len(found["model"]["vocab"]) + 9)
    found["pre_tokenizer"]["use_regex"] = False  # which parts brackets from letters
    path.write_text(json.dumps(found))
    assert Tokenizer.from_file(str(path)).encode("[[A").tokens[-1] == "[[A"
    with (
        chat_server(judging(), complete=completing(tiny_model)) as server,
        pytest.raises(ConfigError, match=r"makes .*\[\[A.* into other tokens"),
    ):
        through_completions(server, folder, pairs, mode="likelier")
    assert server.bodies == []
