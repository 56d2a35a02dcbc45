"""What a model reads: its own template, and nothing lost on the way."""

import pytest
from transformers import AutoTokenizer

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import EngineError

TURNS = (Message("system", "Be brief."), Message("user", "Hello?"))
NO_SYSTEM = (
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)
DROPS_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM], ids=["refuses", "drops"])
def test_a_system_turn_the_template_will_not_show_goes_to_the_user_turn(tiny_model, template):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = template
    assert ChatTemplate(tokenizer).prompt(TURNS) == "<user>Be brief.\n\nHello?<assistant>"


def test_the_assistants_first_words_follow_the_prompt(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert (
        ChatTemplate(tokenizer).answer_prompt(TURNS, "[[")
        == ChatTemplate(tokenizer).prompt(TURNS) + "[["
    )


def test_a_tokenizer_without_a_chat_template_is_refused_with_the_cure(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    with pytest.raises(EngineError, match="no chat template(.|\n)*chat_template.jinja"):
        ChatTemplate(tokenizer).prompt(TURNS)
