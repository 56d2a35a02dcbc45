"""Where the letter is in what a judge learns, under every chat template; who has no such place."""

import pytest

from ste_plugin.axolotl.letter_place import LetterPlace, letter_place, reply_of
from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import ORDERS
from tests.helpers.chat_templates import FAMILIES, family_tokenizer
from tests.helpers.tiny_model import tiny_tokenizer

VERDICT = FORMATS["verdict"]
ASKED = (Message("user", "Which one? [Answer A] x [Answer B] y"),)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_letter_is_found_in_what_is_learnt_and_where_it_is_asked(name):
    template = ChatTemplate(family_tokenizer(name), dict(FAMILIES[name].kwargs))
    place = letter_place(template, VERDICT)
    for letter, token in zip(ORDERS, place.tokens, strict=True):
        asked, learnt = template.training_ids(ASKED, reply_of(VERDICT, letter))
        assert learnt[place.offset] == token
        opened = template.encode(template.answer_prompt(ASKED, VERDICT.closing))
        assert asked + learnt[: place.offset] == opened
        assert template.tokenizer.decode([token]).strip() == letter


@pytest.mark.parametrize(
    ("name", "told"),
    [("brief", "brief writes reasons before its verdict"), ("rating", "rates one answer at a")],
)
def test_a_format_with_more_than_a_letter_is_refused(name, told):
    with pytest.raises(ConfigError, match=told):
        letter_place(ChatTemplate(tiny_tokenizer()), FORMATS[name])


def test_letters_that_are_no_tokens_of_their_own_are_refused_with_the_tokens_found():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["[[A]]"])
    with pytest.raises(ConfigError, match=r"as \['\[\[A\]\]', .*expected the same tokens but"):
        letter_place(ChatTemplate(tokenizer), VERDICT)
    assert letter_place(ChatTemplate(tiny_tokenizer()), VERDICT) != LetterPlace(0, (0, 0))
