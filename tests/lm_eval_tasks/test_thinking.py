"""Judges that think, asked by lm-eval: where they were trained, and thoughts are no verdicts."""

import importlib.util
import json

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.backend_template import template_kwargs
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.metrics import METRICS
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.text.thinking import split_thinking
from tests.helpers.benchmark_rows import in_folder
from tests.helpers.chat_server import Said, chat_server
from tests.helpers.lm_eval_servers import (
    completing,
    judging,
    saying,
    through_chat,
    through_completions,
    with_template,
)
from tests.helpers.scripted_judge import picks_the_apple, run_task, scripted, written

pytestmark = [
    pytest.mark.usefixtures("warm_hosts"),
    pytest.mark.skipif(
        importlib.util.find_spec("aiohttp") is None,
        reason="lm-eval's API backends need lm-eval[api]",
    ),
]
TURN = "{% for m in messages %}<|im_start|>{{ m.role }}\n"
END = "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}"
ASK = "<|im_start|>assistant\n"
OPENS = TURN + END + ASK + "<think>\n{% endif %}"
EMPTY_THOUGHT = (
    TURN
    + "{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    + END
    + ASK
    + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
    + "{% endif %}{% endif %}"
)
"""As Qwen3's."""
MAGISTRAL = TURN + END + ASK + "{% endif %}{# [THINK] [/THINK] #}"
TORN = "At first sight it is [[A]], as it is the first"


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


@pytest.fixture
def opening(tiny_model, tmp_path):
    return with_template(tiny_model, tmp_path, OPENS)


@pytest.mark.parametrize("settings", [{}, {"votes": 3}, {"votes": 3, "early_stop": False}])
def test_a_thought_that_the_prompt_opened_and_that_never_ends_is_no_verdict(
    opening, pairs, settings, caplog
):
    complete = saying(opening, lambda _: (TORN, "length"))
    with chat_server(judging(), complete=complete) as server:
        metrics, samples = through_completions(
            server, opening, pairs, judge_format="brief", max_new_tokens=64, **settings
        )
    assert (metrics["invalid_rate"], metrics["acc"]) == (1, 0.5)
    replies = [r if isinstance(r, str) else r[0] for s in samples for r in s["filtered_resps"]]
    assert set(replies) == {f"<think>\n{TORN}"}
    assert "every reply is a thought that never ends" in caplog.text


def thinks(prompt):
    wrong = {"A": "B", "B": "A"}[picks_the_apple(prompt)]
    return f"Is it [[{wrong}]]?\n</think>\n\n[[{picks_the_apple(prompt)}]]", "stop"


@pytest.mark.parametrize("votes", [1, 3])
def test_what_follows_a_thought_that_the_prompt_opened_is_the_verdict(opening, pairs, votes):
    with chat_server(judging(), complete=saying(opening, thinks)) as server:
        metrics, samples = through_completions(server, opening, pairs, votes=votes)
    assert metrics["acc_pc"] == 1
    for labelled, sample in zip(read_pairs(JudgeSettings(pairs)), samples, strict=True):
        settings = JudgeSettings(votes=votes)
        again = read_replies(labelled, sample["filtered_resps"], VERDICT, settings)
        assert METRICS["acc_pc"](again) == (1, 1)


def test_a_backend_without_a_tokenizer_shows_the_opened_thought_by_its_prompt(pairs):
    model = scripted(lambda _: TORN)
    assert run_task(model, pairs)[0]["invalid_rate"] == 0
    plain = type(model).apply_chat_template
    type(model).apply_chat_template = lambda *turns, **how: plain(*turns, **how) + "<think>\n"
    assert run_task(model, pairs)[0]["invalid_rate"] == 1


def test_likelihoods_are_asked_behind_what_a_judge_is_trained_behind(tiny_model, pairs, tmp_path):
    folder = with_template(tiny_model, tmp_path, EMPTY_THOUGHT)
    with chat_server(judging(), complete=completing(folder)) as server:
        metrics, samples = through_completions(server, folder, pairs, mode="likelier")
    assert metrics["acc_pc"] == 1
    behind = f"{ASK}<think>\n\n</think>\n\n{VERDICT.forced_prefix('')}"
    assert all(a["arg_0"].endswith(behind) for s in samples for a in arguments(s))


def arguments(sample):
    found = sample["arguments"]
    return found.values() if isinstance(found, dict) else [{"arg_0": a[0]} for a in found]


@pytest.mark.parametrize(
    ("kwargs", "end"), [({}, ASK), ({"enable_thinking": False}, "</think>\n\n")]
)
def test_the_template_is_given_what_the_settings_say(tiny_model, pairs, tmp_path, kwargs, end):
    folder = with_template(tiny_model, tmp_path, EMPTY_THOUGHT)
    with chat_server(judging(), complete=completing(folder)) as server:
        metrics, samples = through_completions(server, folder, pairs, chat_template_kwargs=kwargs)
    assert metrics["acc_pc"] == 1
    assert all(a["arg_0"].endswith(end) for s in samples for a in arguments(s))
    assert not any("chat_template_kwargs" in body for body in server.bodies)


def test_a_chat_server_is_told_what_its_template_shall_get(pairs):
    kwargs = {"enable_thinking": False}
    with chat_server(judging()) as server:
        through_chat(server, pairs, chat_template_kwargs=kwargs)
        through_chat(server, pairs)
    told = [body.get("chat_template_kwargs") for body in server.bodies]
    assert told == 8 * [kwargs] + 8 * [None]


class Backend:
    """Stands for lm-eval's own, with what its model_args say."""

    def __init__(self, enable_thinking=True, chat_template_args=None):
        self.enable_thinking, self.chat_template_args = enable_thinking, chat_template_args


def test_what_the_model_args_give_the_template_counts_where_it_is_not_merely_a_default():
    """In lm-eval 0.4.11 vLLM's enable_thinking is True where nobody says so."""
    off, on = ({"enable_thinking": value} for value in (False, True))
    given = JudgeSettings(chat_template_kwargs=off)
    assert template_kwargs(Backend(), JudgeSettings()) == {}
    assert template_kwargs(Backend(), given) == off
    assert template_kwargs(Backend(enable_thinking=False), JudgeSettings()) == off
    assert template_kwargs(Backend(None, {"x": 1}), given) == {"x": 1} | off
    with pytest.raises(ConfigError, match="enable_thinking=True by the model_args and False"):
        template_kwargs(Backend(None, on), given)


def test_thoughts_that_a_backend_would_remove_unseen_are_refused(pairs):
    model = scripted(str)
    model.think_end_token = "</think>"
    with pytest.raises(ConfigError, match="think_end_token='</think>' .* removes thoughts"):
        run_task(model, pairs)
    assert model.asked == []


def test_marks_of_ones_own_are_read_by_whoever_reads_the_log(pairs):
    def reply(body, _):
        letter = picks_the_apple(body["messages"][-1]["content"])
        return f"<scratch>[[A]] or [[B]]?</scratch>[[{letter}]]"

    with chat_server(reply) as server:
        assert through_chat(server, pairs)[0]["invalid_rate"] == 1
        metrics, samples = through_chat(server, pairs, thinking=("<scratch>", "</scratch>"))
    assert metrics["acc_pc"] == 1
    assert all(r.startswith("<think>\n") for s in samples for r in s["filtered_resps"])


def test_a_servers_template_that_opens_thoughts_is_known_by_its_replies(pairs):
    def reply(body, _):
        prompt = body["messages"][-1]["content"]
        return thinks(prompt)[0] if "number 0." in prompt else Said(TORN, "stop")

    with chat_server(reply) as server:
        metrics, _ = through_chat(server, pairs)
    assert (metrics["invalid_rate"], metrics["acc"]) == (0.5, 0.75)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_beside_the_answer_is_a_thought(pairs, name):
    def reply(body, _):
        thought, letter = thinks(body["messages"][-1]["content"])[0].split("\n</think>\n\n")
        return Said(letter, beside={name: thought})

    with chat_server(reply) as server:
        metrics, samples = through_chat(server, pairs)
        official, _ = through_chat(server, pairs, mode="official")
    assert (metrics["acc_pc"], official["acc"]) == (1, 1)
    assert all("<think>\nIs it" in r for s in samples for r in s["filtered_resps"])


def test_a_server_that_gives_reasoning_and_no_answer_is_named_after_four_replies(pairs):
    with (
        chat_server(lambda *_: Said(None, beside={"reasoning_content": "[[A]]"})) as server,
        pytest.raises(ConfigError, match="no content, 4 of 4.*\n?.*reasoning parser"),
    ):
        through_chat(server, pairs)
    assert len(server.bodies) == 4


@pytest.mark.parametrize("model_args", [{}, {"num_concurrent": 4}])
def test_reasoning_that_the_limit_cuts_off_is_no_verdict(pairs, model_args):
    cut = Said(None, "length", {"reasoning_content": "It is [[A]], as"})
    with chat_server(lambda *_: cut) as server:
        metrics, _ = through_chat(server, pairs, model_args)
    assert (metrics["invalid_rate"], len(server.bodies)) == (1, 8)


@pytest.mark.parametrize("model_args", [{}, {"num_concurrent": 4}])
@pytest.mark.parametrize("reason", ["length", "content_filter", "model_length"])
def test_a_reasoned_judgment_that_ends_before_its_end_is_no_verdict(pairs, reason, model_args):
    with chat_server(lambda *_: Said(TORN, reason)) as server:
        metrics, _ = through_chat(server, pairs, model_args, judge_format="brief")
        bare, _ = through_chat(server, pairs, model_args, judge_format="verdict")
    assert (metrics["invalid_rate"], bare["invalid_rate"]) == (1, 0)


@pytest.mark.parametrize("said", [Said("It is [[1]] [[A]]", "length"), "<think>[[1]] [[A]]"])
def test_the_best_of_four_is_no_more_read_out_of_torn_replies(tmp_path, said):
    best_of_four = {"tasks": ["ste_rewardbench2"], "reported": "ste_rewardbench2"}
    with chat_server(lambda *_: said) as server:
        metrics, samples = through_chat(server, in_folder(tmp_path), **best_of_four)
    assert (metrics["invalid_rate"], metrics["acc_section/Ties"]) == (1, 0)
    assert not any(split_thinking(r).ended for s in samples for r in s["filtered_resps"])


def test_a_servers_named_tokenizer_tells_that_its_template_opens_thoughts(opening, pairs):
    named = {"tokenizer_backend": "huggingface", "tokenizer": str(opening), "max_length": 4096}
    with chat_server(lambda *_: TORN) as server:
        metrics, _ = through_chat(server, pairs, named)
    assert metrics["invalid_rate"] == 1


def test_a_completions_server_is_asked_to_keep_marks_that_are_special_tokens(
    tiny_model, pairs, tmp_path
):
    folder = with_template(tiny_model, tmp_path, MAGISTRAL, ["[THINK]", "[/THINK]"])
    said = saying(folder, lambda p: (f"[THINK]{TORN}[/THINK][[{picks_the_apple(p)}]]", "stop"))
    with chat_server(judging(), complete=said) as server:
        metrics, _ = through_completions(server, folder, pairs)
    assert metrics["acc_pc"] == 1
    assert all(body["skip_special_tokens"] is False for body in server.bodies)


@pytest.mark.slow
def test_transformers_keep_marks_that_are_special_tokens(tiny_model, pairs, tmp_path):
    import torch
    from lm_eval.models.huggingface import HFLM

    folder = with_template(tiny_model, tmp_path, MAGISTRAL, ["[THINK]", "[/THINK]"])
    model = HFLM(str(tiny_model), tokenizer=str(folder), device="cpu")

    def generate(context, **_):
        (prompt,) = context
        letter = picks_the_apple(model.tokenizer.decode(prompt))
        text = f"[THINK]{TORN}[/THINK][[{letter}]]<|im_end|>"
        reply = torch.tensor(model.tokenizer.encode(text, add_special_tokens=False))
        return torch.cat([prompt, reply])[None]

    model._model_generate = generate
    metrics, samples = run_task(model, pairs)
    assert metrics["acc_pc"] == 1
    assert all(r.startswith(f"[THINK]{TORN}") for s in samples for r in s["filtered_resps"])


@pytest.mark.slow
def test_transformers_read_the_prompt_that_training_reads_to_the_token(tiny_model, pairs, tmp_path):
    """lm-eval would put the token that begins texts before a prompt without it."""
    from lm_eval.models.huggingface import HFLM
    from tokenizers.processors import TemplateProcessing

    folder = with_template(tiny_model, tmp_path, OPENS)
    model = HFLM(str(tiny_model), tokenizer=str(folder), device="cpu")
    model.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|pad|> $A", special_tokens=[("<|pad|>", model.tokenizer.pad_token_id)]
    )
    read = []

    def generate(context, **_):
        read.append(model.tokenizer.decode(context[0]))
        return context

    model._model_generate = generate
    run_task(model, pairs)
    assert all(prompt.startswith("<|im_start|>user") for prompt in read)
    model.add_bos_token = True
    with pytest.raises(ConfigError, match="add_bos_token"):
        run_task(model, pairs)


def test_the_settings_reach_lm_eval_and_are_part_of_what_was_measured(pairs):
    from ste_plugin.config import EvaluationConfig
    from ste_plugin.lm_eval_tasks.runner import identity

    settings = JudgeSettings(
        pairs,
        chat_template_kwargs={"enable_thinking": False},
        thinking=("<a>", "</a>"),
        omit=("seed", "top_k"),
    )
    assert JudgeSettings.read(settings.environment(), {}) == settings
    told, untold = (
        identity("m", s, VERDICT, EvaluationConfig())["settings"]
        for s in (settings, JudgeSettings(pairs))
    )
    assert json.loads(json.dumps(told)) == told
    assert {k: v for k, v in told.items() if k not in untold} == {
        "chat_template_kwargs": {"enable_thinking": False},
        "thinking": ["<a>", "</a>"],
        "omit": ["seed", "top_k"],
    }


def test_metadata_may_hold_objects_as_they_are(pairs):
    metadata = {"judge_chat_template_kwargs": {"x": 1}, "judge_omit": "seed top_k"}
    found = JudgeSettings.read(JudgeSettings(pairs).environment(), metadata)
    assert (found.chat_template_kwargs, found.omit) == ({"x": 1}, ("seed", "top_k"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CHAT_TEMPLATE_KWARGS", "enable_thinking"),
        ("CHAT_TEMPLATE_KWARGS", "[1]"),
        ("THINKING", '{"open": "<a>"}'),
        ("THINKING", '{"open": "<a>", "close": ""}'),
    ],
)
def test_settings_that_are_no_objects_are_named(pairs, name, text):
    environ = JudgeSettings(pairs).environment() | {f"STE_JUDGE_{name}": text}
    with pytest.raises(ConfigError, match=f"STE_JUDGE_{name} .*JSON object"):
        JudgeSettings.read(environ, {})
