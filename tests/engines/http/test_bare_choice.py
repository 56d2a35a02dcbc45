"""A letter that no words lead up to is asked for behind a closed thought, as rows are trained."""

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Place
from ste_plugin.engines.http.engine import HttpEngine, create
from ste_plugin.errors import EngineError
from tests.helpers.builders import HERE
from tests.helpers.chat_server import ChatServer, Refuse, babble, chat_server
from tests.helpers.chat_templates import family_tokenizer
from tests.helpers.http_engine import FORCED, answers, wanted

BARE = {"choices": ("A", "B")}
OFF = {"enable_thinking": False}


def judge(server: ChatServer, prefill="vllm", kwargs=None, folder=None, **options) -> HttpEngine:
    """An engine for a model whose own template is that of `folder`, where there is one."""
    endpoint = {"base_url": server.base_url, "model": "tiny"}
    config = ModelConfig(
        model="judge" if folder else "tiny",
        engine="http",
        options={"endpoints": [endpoint], "prefill": prefill, "backoff_s": 0.001, **options},
        chat_template_kwargs=kwargs or {},
    )
    return create(config, Place(folder, folder) if folder else HERE)


def given(server: ChatServer) -> list[object]:
    return [body.get("chat_template_kwargs") for body in server.bodies]


@pytest.mark.parametrize(
    ("prefill", "kwargs", "sent"),
    [
        ("vllm", {}, OFF),
        ("vllm-guided-choice", {}, OFF),
        ("vllm", OFF, OFF),
        ("vllm", {"language": "en"}, {"language": "en", **OFF}),
        ("vllm", {"enable_thinking": True}, {"enable_thinking": True}),
        ("ask", {}, None),
    ],
)
def test_a_letter_without_words_before_it_is_asked_for_behind_a_closed_thought(
    prefill, kwargs, sent
):
    script = babble if prefill == "vllm" else lambda _body, _index: "A"
    with chat_server(script) as server:
        got = answers(judge(server, prefill, kwargs), wanted(**BARE))
    assert got[0].text in BARE["choices"]
    assert given(server) == [sent]


def test_only_a_letter_without_words_before_it_changes_what_the_template_is_given():
    with chat_server(babble) as server:
        answers(judge(server), wanted())
        answers(judge(server), wanted(prefix=FORCED))
        answers(judge(server), wanted(prefix=FORCED, **BARE))
    assert given(server) == [None] * 3


@pytest.mark.parametrize(
    ("family", "kwargs", "sent"),
    [
        ("Qwen3", {}, OFF),
        ("Qwen3", OFF, OFF),
        ("Qwen3.5, thinking", OFF, OFF),
        ("Qwen2.5", {}, None),
    ],
)
def test_a_template_at_hand_is_given_what_leads_to_the_place_of_training(
    family, kwargs, sent, tmp_path
):
    family_tokenizer(family).save_pretrained(tmp_path / "judge")
    with chat_server(babble) as server:
        got = answers(judge(server, kwargs=kwargs, folder=tmp_path), wanted(**BARE))
    assert got[0].text in BARE["choices"]
    assert given(server) == [sent]


@pytest.mark.parametrize(
    ("family", "kwargs"),
    [
        ("Qwen3", {"enable_thinking": True}),
        ("Qwen3.5, thinking", {}),
        ("R1 distils", {}),
        ("gpt-oss", {}),
    ],
)
def test_a_template_that_never_leads_to_the_place_of_training_is_refused_with_the_cure(
    family, kwargs, tmp_path
):
    family_tokenizer(family).save_pretrained(tmp_path / "judge")
    with (
        chat_server(babble) as server,
        pytest.raises(EngineError, match=r"not trained(?s:.*)enable_thinking: false(?s:.*)local"),
    ):
        answers(judge(server, kwargs=kwargs, folder=tmp_path), wanted(**BARE))
    assert not server.bodies


def test_a_letter_is_no_thought_where_the_prompt_opens_one(tmp_path):
    family_tokenizer("R1 distils").save_pretrained(tmp_path / "judge")
    with chat_server(lambda _body, _index: "A") as server:
        got = answers(judge(server, "ask", folder=tmp_path), wanted(**BARE))
    assert (got[0].text, got[0].thinking) == ("A", "")


def test_a_tokenizer_without_a_template_is_asked_without_anything_for_it():
    def objects(body):
        words = "chat_template is not supported for Mistral tokenizers."
        return Refuse(400, words) if "chat_template_kwargs" in body else None

    with chat_server(babble, objects=objects) as server:
        got = answers(judge(server), wanted(**BARE))
    assert got[0].text in BARE["choices"]
    assert given(server) == [OFF, None]
