"""What many prompts of a set share: told, and left out of prompts and texts alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.selection.hashed_texts import HashedTexts
from ste_plugin.instructions.selection.shared_grams import Shared, SharedGrams, least_prompts
from ste_plugin.instructions.selection.shingles import WordHashes
from ste_plugin.text.words import words_of

HEAD = (
    "Below is an instruction that describes a task. Write a response to it.\n\n### Instruction:\n"
)
TAIL = "\n\n### Response: please think first, and then say in a few words what is right."
HASHES = WordHashes()


def hashed(*texts: str) -> HashedTexts:
    return HashedTexts.of(texts, HASHES)


def own(number: int) -> str:
    return f"Tell me of number {number} whatever makes it unlike {number + 1}."


def shared_of(*prompts: str, owners: list[int] | None = None) -> SharedGrams:

    numbers = list(range(len(prompts))) if owners is None else owners
    return SharedGrams(hashed(*prompts), np.array(numbers, np.int64))


def left(shared: SharedGrams, text: str) -> str:
    return " ".join(shared.without(hashed(text)).words_of(0))


TEMPLATED = [f"{HEAD}{own(n)}{TAIL}" for n in range(40)]


def test_a_templates_words_are_left_out_wherever_they_are():
    shared = shared_of(*TEMPLATED)
    for text in (TEMPLATED[3], f"{HEAD}{own(3)}", f"{own(3)}{TAIL}"):
        assert "3 whatever makes it unlike 4" in left(shared, text)
        assert "below" not in left(shared, text)
        assert "think" not in left(shared, text)
    assert left(shared, own(3)) == " ".join(words_of(own(3)))


def test_what_is_left_out_is_counted_and_quoted():
    shared = shared_of(*TEMPLATED, *[f"An odd one without it, {n}" for n in range(9)]).shared
    assert shared.prompts == 40
    assert shared.quote.startswith("below is an instruction that")
    head, tail = (len(words_of(part)) for part in (f"{HEAD} Tell me of number", TAIL))
    assert shared.grams == head - 7 + tail - 7


def test_a_text_that_is_nothing_but_template_stays_whole():
    shared = shared_of(*TEMPLATED, HEAD)
    assert left(shared, HEAD) == " ".join(words_of(HEAD))
    assert shared.prompts.words_of(40) == words_of(HEAD)


FEW = [(4, 4, False), (5, 5, True), (5, 11, False), (6, 11, True), (19, 38, True), (19, 39, False)]
MANY = [(20, 400, True), (20, 401, False), (21, 401, True)]


@pytest.mark.parametrize(("having", "of", "is_left_out"), FEW + MANY)
def test_half_of_a_few_or_twenty_and_a_twentieth_of_many_make_a_template(
    having: int, of: int, is_left_out: bool
):
    prompts = [f"{HEAD}{own(n)}" if n < having else f"{n} " * 12 for n in range(of)]
    assert (shared_of(*prompts).shared.grams > 0) is is_left_out


def test_a_prompt_that_says_a_thing_often_or_in_several_texts_counts_once():
    twice = [f"{HEAD}{own(n // 2)}{' again' * (n % 2)}" for n in range(8)]
    assert shared_of(*twice).shared.grams > 0
    assert shared_of(*twice, owners=[n // 2 for n in range(8)]).shared == Shared(0, 0, "")
    assert shared_of(HEAD * 9, *map(own, range(8))).shared.grams == 0


def test_a_set_without_a_template_leaves_texts_as_they_are():
    shared, texts = shared_of(*(f"{n} " * 20 for n in range(50))), hashed(HEAD, "")
    assert shared.shared == Shared(0, 0, "")
    assert shared.without(texts) is texts
    assert shared_of().without(texts) is texts


@given(st.integers(0, 100_000))
def test_how_many_prompts_make_a_template_grows_with_their_number(count: int):
    assert least_prompts(count) <= least_prompts(count + 1) <= least_prompts(count) + 1
