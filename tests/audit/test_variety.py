"""Texts are compared on the same prompts and as many words, so that neither confounds variety."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.variety import compare_texts, words_of

WORDS = [f"word{n}" for n in range(400)]


def written(seed: int, length: int, words=WORDS, texts: int = 60) -> dict[str, str]:
    random = Random(seed)
    return {f"p{n}:A": " ".join(random.choices(words, k=length)) for n in range(texts)}


def test_longer_texts_of_the_same_kind_are_longer_and_no_less_varied():
    found = compare_texts(written(1, 20), written(2, 80))
    assert found.length.figure == pytest.approx(4.0)
    for ratio in (found.distinct_2, found.distinct_3, found.compression):
        assert 0.95 < ratio.figure < 1.05


def test_the_same_text_for_every_prompt_is_found_by_each_figure():
    found = compare_texts(written(1, 20), dict.fromkeys(written(1, 1), " ".join(WORDS[:20])))
    assert all(r.below(0.2) for r in (found.distinct_2, found.distinct_3, found.compression))
    assert found.length.figure == pytest.approx(1.0)


def test_a_smaller_vocabulary_is_less_varied_by_degrees():
    ratios = [
        compare_texts(written(1, 40), written(2, 40, WORDS[:n])).distinct_2.figure
        for n in (400, 40, 10)
    ]
    assert ratios[0] > ratios[1] > ratios[2]


def test_only_prompts_that_both_answered_count_and_few_decide_nothing():
    first, second = written(1, 20, texts=40), written(2, 20, texts=19)
    found = compare_texts(first, second)
    assert found.texts == 19
    assert found.length.figure is None


def test_a_script_without_spaces_counts_by_characters():
    assert words_of("这是好的 answer。") == ["这", "是", "好", "的", "answer", "。"]


@given(
    st.dictionaries(st.integers(0, 60).map("p{}:A".format), st.text(max_size=40), max_size=60),
    st.dictionaries(st.integers(0, 60).map("p{}:A".format), st.text(max_size=40), max_size=60),
)
def test_any_texts_give_ratios_or_nothing(first, second):
    for ratio in compare_texts(first, second)[:4]:
        assert ratio.figure is None or ratio.figure >= 0


@given(st.dictionaries(st.integers(0, 60).map("p{}:A".format), st.text(min_size=1, max_size=40)))
def test_texts_beside_themselves_are_as_varied(texts):
    for ratio in compare_texts(texts, texts)[:4]:
        assert ratio.figure in (None, pytest.approx(1.0))
