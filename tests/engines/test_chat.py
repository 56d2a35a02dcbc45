"""What a model reads and writes: its own template, nothing lost on the way, thoughts apart."""

import re

import pytest
from msgspec.structs import replace
from transformers import AutoTokenizer

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Message, Sampling
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import ConfigError, EngineError

TURNS = (Message("system", "Be brief."), Message("user", "Hello?"))
ASKED = TURNS[1:]
LOOP = "{% for m in messages %}"
NO_SYSTEM = (
    LOOP + "{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)
DROPS_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)
PARTS_ONLY = (
    LOOP + "<{{ m.role }}>{% for part in m.content %}{{ part.text }}{% endfor %}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
REWRITES = LOOP + "<{{ m.role }}>{{ m.content | upper }}{% endfor %}<assistant>"
DROPS_USERS = "{% for m in messages if m.role != 'user' %}{{ m.content }}{% endfor %}<assistant>"

TURN = "<{{ m.role }}>{{ m.content }}<|im_end|>"
ASK = "{% endfor %}{% if add_generation_prompt %}<assistant>"
PLAIN = LOOP + TURN + ASK + "{% endif %}"
OPENS = LOOP + TURN + ASK + "<think>\n{% endif %}"
"""As the R1 distils: the prompt opens a thought, and no turn shows one."""
EMPTY_THOUGHT = (
    LOOP + "<{{ m.role }}>{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>"
    + ASK
    + "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""As Qwen3: an empty thought before every answer, in the prompt only where thinking is off."""
CHANNELS = (
    LOOP + "<{{ m.role }}>{% if m.role == 'assistant' %}<|channel|>final<|message|>{% endif %}"
    "{{ m.content }}<|im_end|>" + ASK + "{% endif %}"
)
"""As gpt-oss."""


def tokenizer_with(model, template, *special):
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return tokenizer


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM], ids=["refuses", "drops"])
def test_a_system_turn_the_template_will_not_show_goes_to_the_user_turn(tiny_model, template):
    chat = ChatTemplate(tokenizer_with(tiny_model, template))
    assert chat.prompt(TURNS) == "<user>Be brief.\n\nHello?<assistant>"


def test_a_template_that_takes_content_as_parts_alone_gets_parts(tiny_model):
    chat = ChatTemplate(tokenizer_with(tiny_model, PARTS_ONLY))
    assert chat.prompt(ASKED) == "<user>Hello?<|im_end|><assistant>"
    assert chat.target("[[A]]") == "[[A]]<|im_end|>"


@pytest.mark.parametrize("words", ["user", "Answer well."])
def test_words_of_a_turn_that_the_template_writes_itself_do_not_hide_that_it_is_lost(
    tiny_model, words
):
    chat = ChatTemplate(tokenizer_with(tiny_model, "Answer well." + DROPS_SYSTEM))
    asked = chat.prompt([Message("system", words), Message("user", "Hello?")])
    assert asked == f"Answer well.<user>{words}\n\nHello?<assistant>"


@pytest.mark.parametrize("shown", ["m.content[:3]", "m.content[:3] | tojson"])
def test_a_template_that_shows_parts_as_a_list_is_refused(tiny_model, shown):
    cuts = LOOP + "<{{ m.role }}>{{ " + shown + " }}" + ASK + "{% endif %}"
    with pytest.raises(EngineError, match=r"leaves out or rewrites.*'Hello\?'"):
        ChatTemplate(tokenizer_with(tiny_model, cuts)).prompt(ASKED)


def test_parts_that_a_turn_quotes_are_its_own_words(tiny_model):
    chat = ChatTemplate(tokenizer_with(tiny_model, PARTS_ONLY))
    words = 'As in {"type": "text", "text": "Hello"}?'
    assert words in chat.prompt([Message("user", words)])


@pytest.mark.parametrize("template", [REWRITES, DROPS_USERS], ids=["rewrites", "drops"])
def test_a_template_that_rewrites_or_drops_a_turn_is_refused_with_the_cure(tiny_model, template):
    chat = ChatTemplate(tokenizer_with(tiny_model, template))
    with pytest.raises(
        EngineError, match=r"leaves out or rewrites.*'Hello\?'.*chat_template.jinja"
    ):
        chat.prompt(ASKED)


def test_a_template_that_answers_elsewhere_than_it_asks_is_refused_with_the_cure(tiny_model):
    elsewhere = LOOP + "<{{ m.role }}>{{ m.content }}{% endfor %}"
    asks = elsewhere + "{% if add_generation_prompt %}<reply>{% endif %}"
    with pytest.raises(EngineError, match="right behind the prompt(.|\n)*chat_template:"):
        _ = ChatTemplate(tokenizer_with(tiny_model, asks)).layout


def test_the_assistants_first_words_follow_the_prompt(tiny_model):
    template = ChatTemplate(AutoTokenizer.from_pretrained(tiny_model))
    assert template.answer_prompt(TURNS, "[[") == template.prompt(TURNS) + "[["


@pytest.mark.parametrize(
    ("template", "before"),
    [
        (PLAIN, "<think>\nHm.\n</think>\n\n"),
        (OPENS, "Hm.\n</think>\n\n"),
        (EMPTY_THOUGHT, "<think>\nHm.\n</think>\n\n"),
    ],
    ids=["plain", "opens a thought", "empty thought"],
)
def test_a_letter_behind_a_thought_is_asked_for_where_a_thought_is_trained(
    tiny_model, template, before
):
    chat = ChatTemplate(tokenizer_with(tiny_model, template))
    thought = "<think>\nHm.\n</think>\n\n"
    request = ChatRequest("m", ASKED, Sampling(), prefix="[[", choices=("A", "B"), thought=thought)
    assert chat.text_of(request) == f"{chat.prompt(ASKED)}{before}[["
    assert chat.target(f"{thought}[[A]]").startswith(f"{before}[[")
    assert request.prompt_key != replace(request, thought="").prompt_key


def test_a_tokenizer_without_a_chat_template_is_refused_with_the_cure(tiny_model):
    with pytest.raises(EngineError, match="no chat template(.|\n)*chat_template.jinja"):
        ChatTemplate(tokenizer_with(tiny_model, None))


@pytest.mark.parametrize(
    ("template", "before"),
    [
        (PLAIN, ""),
        (OPENS, "</think>\n\n"),
        (EMPTY_THOUGHT, "<think>\n\n</think>\n\n"),
        (CHANNELS, "<|channel|>final<|message|>"),
    ],
    ids=["plain", "opens a thought", "empty thought", "channels"],
)
def test_a_judgment_is_trained_behind_the_very_prompt_that_is_asked(tiny_model, template, before):
    chat = ChatTemplate(tokenizer_with(tiny_model, template))
    assert chat.target("It is [[A]]") == f"{before}It is [[A]]<|im_end|>"
    asked, trained = chat.training_ids(ASKED, "It is [[A]]")
    assert asked == chat.encode(chat.prompt(ASKED))
    assert chat.tokenizer.decode(trained) == f"{before}It is [[A]]<|im_end|>"
    assert chat.answer_prompt(ASKED, "[[") == f"{chat.prompt(ASKED)}{before}[["


@pytest.mark.parametrize(
    ("template", "reply", "target"),
    [
        (OPENS, "Hm.\n</think>\n\n[[A]]", "Hm.\n</think>\n\n[[A]]<|im_end|>"),
        (OPENS, "<think>\nHm.\n</think>\n\n[[A]]", "Hm.\n</think>\n\n[[A]]<|im_end|>"),
        (
            EMPTY_THOUGHT,
            "<think>\nHm.\n</think>\n\n[[A]]",
            "<think>\nHm.\n</think>\n\n[[A]]<|im_end|>",
        ),
        (
            CHANNELS,
            "<think>\nHm.\n</think>\n\n[[A]]",
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
            "<|channel|>final<|message|>[[A]]<|im_end|>",
        ),
    ],
    ids=["as written", "opened twice", "own marks", "in channels"],
)
def test_a_thought_is_trained_in_the_models_own_marks(tiny_model, template, reply, target):
    assert ChatTemplate(tokenizer_with(tiny_model, template)).target(reply) == target


def test_what_the_template_is_given_decides_where_the_answer_begins(tiny_model):
    tokenizer = tokenizer_with(tiny_model, EMPTY_THOUGHT)
    model = ModelConfig(model="m", chat_template_kwargs={"enable_thinking": False})
    chat = ChatTemplate.of_model(tokenizer, model)
    assert chat.prompt(ASKED).endswith("<assistant><think>\n\n</think>\n\n")
    assert chat.target("[[A]]") == "[[A]]<|im_end|>"
    assert not chat.opens_thinking


@pytest.mark.parametrize(
    ("misspelt", "cure"),
    [("enable_thinkng", "did you mean 'enable_thinking'?"), ("zzz", "remove the key.")],
)
def test_a_switch_that_the_template_does_not_read_is_refused(tiny_model, misspelt, cure):
    tokenizer = tokenizer_with(tiny_model, EMPTY_THOUGHT)
    model = ModelConfig(model="m", chat_template_kwargs={misspelt: False})
    with pytest.raises(ConfigError, match=re.escape(cure)) as error:
        ChatTemplate.of_model(tokenizer, model)
    assert f"chat_template_kwargs: {misspelt}: " in str(error.value)


def test_a_reply_that_never_closes_the_thought_that_the_prompt_opened_has_no_answer(tiny_model):
    chat = ChatTemplate(tokenizer_with(tiny_model, OPENS))
    assert chat.split("First, [[A]] comes to mind").said == ""
    assert (
        ChatTemplate(tokenizer_with(tiny_model, PLAIN)).split("It is [[A]]").said == "It is [[A]]"
    )


def test_marks_that_are_special_tokens_are_read_and_other_special_tokens_are_not(tiny_model):
    marks = LOOP + TURN + ASK + "{% endif %}{# [THINK] [/THINK] #}"
    chat = ChatTemplate(tokenizer_with(tiny_model, marks, "[THINK]", "[/THINK]", "[TOOL]"))
    ids = chat.encode("[THINK]Hm. [[A]][/THINK][TOOL][[B]]<|im_end|>")
    assert chat.decode(ids) == "[THINK]Hm. [[A]][/THINK][[B]]"
    request = ChatRequest("m", ASKED, Sampling())
    assert chat.read(request, ids).said == "[[B]]"


def test_marks_of_the_users_own_are_the_models(tiny_model):
    settings = {"model": "m", "thinking": {"open": "<scratch>", "close": "</scratch>"}}
    model = ModelConfig.model_validate(settings)
    chat = ChatTemplate.of_model(tokenizer_with(tiny_model, PLAIN), model)
    assert chat.split("<scratch>[[A]]</scratch>[[B]]").said == "[[B]]"
    assert chat.target("<think>\nHm.\n</think>\n\n[[B]]").startswith("<scratch>\nHm.\n</scratch>")


def test_generation_ends_where_the_template_ends_a_turn(tiny_model):
    tokenizer = tokenizer_with(tiny_model, PLAIN.replace("<|im_end|>", "[EOT]"), "[EOT]")
    assert ChatTemplate(tokenizer).turn_end_ids == tokenizer.encode("[EOT]")


def test_a_thought_is_not_learnt_behind_a_prompt_that_ends_all_thinking(tiny_model):
    model = ModelConfig(model="m", chat_template_kwargs={"enable_thinking": False})
    chat = ChatTemplate.of_model(tokenizer_with(tiny_model, EMPTY_THOUGHT), model)
    assert chat.target("<think>\nHm.\n</think>\n\n[[A]]") == "[[A]]<|im_end|>"
