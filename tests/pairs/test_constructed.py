"""Worse answers that cost no call: dressed up, borrowed, or empty."""

import pytest

from ste_plugin.pairs.constructed import CONSTRUCTED
from ste_plugin.pairs.restyling import TRAINED
from ste_plugin.pairs.strategies import read_pair
from ste_plugin.records import Drop, content_key
from tests.helpers.builders import instruction

KEYS = [content_key("instruction", n) for n in range(2)]
POOL = [instruction(key) for key in KEYS]
BETTER = {KEYS[0]: "An apple. It is red.", KEYS[1]: "A spade is a tool."}


def made(name: str, better=BETTER, pool=POOL):
    strategy = CONSTRUCTED[name]
    assert strategy.next_prompt(pool[0], []) is None
    return read_pair(pool[0], better[KEYS[0]], name, strategy, [], better, pool)


def test_an_empty_opener_says_nothing_of_the_question():
    assert made("empty-opener").worse in TRAINED.empty


def test_a_padded_answer_is_another_question_s_at_length():
    assert made("padded-worse").worse.count("A spade is a tool.") == 2


def test_either_answer_is_padded_as_often_as_the_other_so_that_length_tells_nothing():
    pools = [[instruction(content_key(n)), POOL[1]] for n in range(200)]
    answers = BETTER | {pool[0].key: "An apple." for pool in pools}
    strategy = CONSTRUCTED["padded-either"]
    pairs = [read_pair(p[0], "An apple.", "padded-either", strategy, [], answers, p) for p in pools]
    longer = [len(pair.better) > len(pair.worse) for pair in pairs]
    assert 70 < sum(longer) < 130
    for pair, is_better in zip(pairs, longer, strict=True):
        assert pair.better.count("An apple.") == 1 + is_better
        assert pair.worse.count("A spade is a tool.") == 2 - is_better


def test_a_restyled_answer_is_another_question_s_in_one_of_three_styles():
    pools = [[instruction(content_key(n)), POOL[1]] for n in range(60)]
    strategy = CONSTRUCTED["restyled-worse"]
    shown = [strategy.worse(p[0], [], BETTER | {p[0].key: "x"}, p) for p in pools]
    assert all("tool" in text for text in shown)
    starts = [text[:10] for text in shown]
    for words in (TRAINED.headings, TRAINED.authorities, TRAINED.openers):
        assert any(text.startswith(tuple(words)) for text in shown), starts


def test_a_borrowed_opening_goes_on_about_something_else():
    assert made("borrowed-opening").worse == "An apple. A spade is a tool."


def test_a_better_answer_of_one_sentence_lends_no_opening():
    found = made("borrowed-opening", BETTER | {KEYS[0]: "An apple."})
    assert found.reason == "borrowed-opening: better answer of a single sentence"


@pytest.mark.parametrize(
    "name", ["padded-worse", "padded-either", "restyled-worse", "borrowed-opening"]
)
def test_without_another_instruction_there_is_no_pair(name):
    assert isinstance(made(name, pool=POOL[:1]), Drop)
