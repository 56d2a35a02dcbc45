"""A few words of a good answer are altered by rule, and nothing else changes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.pairs.altered import ALTERED, altered
from ste_plugin.pairs.strategies import read_pair
from ste_plugin.records import Drop, content_key
from tests.helpers.builders import instruction

KEY = content_key("i")
STRATEGY = ALTERED["altered-answer"]
LONG = " ".join(f"Number {n} is larger than any before." for n in range(100, 120))


def made(answer: str):
    own, better = instruction(KEY), {KEY: answer}
    assert STRATEGY.next_prompt(own, []) is None
    return read_pair(own, answer, "altered-answer", STRATEGY, [], better, [own])


def test_a_number_becomes_another_of_as_many_digits_and_is_named():
    pair = made("It is 1985.")  # `is` or the number: one of two is altered
    assert len(pair.worse) in (11, 14)
    alone = made("1985")
    assert (alone.worse[:3], len(alone.worse), alone.worse != "1985") == ("198", 4, True)
    assert (alone.fault, alone.correction) == (alone.worse, "1985")


def test_a_comparison_of_a_program_is_turned_round():
    assert made("x <= 'a'").worse == "x >= 'a'"
    assert made("max(a, b)").worse == "min(a, b)"


def test_the_numbers_of_a_list_stay_as_they_are():
    assert made("1. Yes.\n2. 7").worse.startswith("1. Yes.\n2. ")
    assert isinstance(made("1) Yes."), Drop)


def test_a_hyphen_and_a_name_with_underscores_stay_as_they_are():
    assert isinstance(made("by-and_by"), Drop)
    assert made("a - b").worse == "a + b"


def test_where_nothing_has_an_opposite_two_neighbouring_words_change_places():
    pair = made("Parrots eat")
    assert (pair.worse, pair.fault, pair.correction) == ("eat Parrots", "", "")


def test_an_answer_without_anything_to_alter_makes_no_pair():
    found = made("Yes.")
    assert isinstance(found, Drop)
    assert found.reason == "altered-answer: nothing in the better answer to alter"


def test_a_long_answer_is_altered_in_proportion():
    was, now = LONG.split(), made(LONG).worse.split()
    changed = sum(a != b for a, b in zip(was, now, strict=True))
    assert 7 <= changed <= 14  # 140 words: seven changes of one or two words


@given(st.text(), st.text())
def test_what_is_altered_differs_and_has_the_same_spaces_and_marks(text: str, key: str):
    if (pair := altered(text, key)) is None:
        return
    assert pair.worse != text
    assert [c for c in pair.worse if c.isspace()] == [c for c in text if c.isspace()]
    assert altered(text, key) == pair


@given(st.lists(st.sampled_from(["apple", "pear", "plum", "7", "and", "is"]), min_size=2))
def test_words_are_kept_but_for_those_that_the_fault_names(words: list[str]):
    if (pair := altered(" ".join(words), "k")) is None:
        return
    before, after = Counter(words), Counter(pair.worse.split())
    put_in, taken = Counter(pair.fault.split()), Counter(pair.correction.split())
    assert after + taken == before + put_in
