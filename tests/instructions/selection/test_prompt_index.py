"""Prompts found again in texts: by the definition of each measure, as by comparing all."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.instructions.selection.prompt_index import (
    RANKS,
    Match,
    PromptIndex,
    shared_stretches,
)
from ste_plugin.instructions.selection.shingles import shingles
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.instructions.selection.words import words_of

PROMPT = (
    "Which three rivers meet below the old town, and what do people there call the place today?"
)


def find(text: str, *prompts: str, threshold: float = 0.8) -> list[Match]:
    return PromptIndex([list(prompts)], threshold).find([text])[0]


def only(text: str, *prompts: str) -> Match:
    (match,) = find(text, *prompts)
    return match


def test_case_and_punctuation_do_not_hide_a_copy():
    match = only(
        PROMPT.upper().replace(",", "").replace("?", "!!"),
        "Name a fruit that grows on trees.",
        PROMPT,
    )
    assert (match.prompt, match.measure, match.figure) == (1, "exact", 1.0)


def test_a_word_more_is_a_near_duplicate():
    match = only(PROMPT + " Thanks!", PROMPT)
    assert match.measure == "near-duplicate"
    assert match.figure == pytest.approx(15 / 16)


def test_a_prompt_amid_other_sentences_is_found_by_its_8_grams():
    text = f"You are a guide who knows the country well. {PROMPT} Answer in two or three sentences."
    match = only(text, PROMPT)
    assert (match.measure, match.figure) == ("8-grams", 1.0)
    assert match.quote == " ".join(words_of(PROMPT))


def test_half_of_a_prompts_words_are_enough_and_less_are_not():
    words = [f"w{n}" for n in range(16)]
    assert only("before " + " ".join(words[:8]) + " after", " ".join(words)).figure == 0.5
    assert find("before " + " ".join(words[:8]) + " after", " ".join([*words, "more"])) == []


def test_the_share_is_of_the_prompt_and_not_of_the_instruction():
    long = " ".join(f"w{n}" for n in range(60))
    short = " ".join(f"w{n}" for n in range(20, 29))
    assert only(long, short).measure == "8-grams"
    assert find(short, long) == []


def test_a_long_gram_that_is_less_than_half_of_a_prompt_is_listed_with_its_words():
    shared = " ".join(f"s{n}" for n in range(13))
    prompt = f"{shared} {' '.join(f'p{n}' for n in range(20))}"
    match = only(f"a b c {shared} d e f", prompt)
    assert (match.measure, match.quote) == ("13-grams", shared)
    assert match.figure == pytest.approx(13 / 33)


def test_twelve_words_in_common_are_not_listed():
    shared = " ".join(f"s{n}" for n in range(12))
    assert find(f"a b c {shared} d", f"{shared} {' '.join(f'p{n}' for n in range(20))}") == []


def test_a_paraphrase_is_not_found():
    text = "Tell me the name that locals give to where the three streams join south of the city."
    assert find(text, PROMPT) == []


def test_prompts_of_fewer_than_eight_words_are_found_only_as_a_whole():
    assert only("what is LOVE", "What is love?").measure == "exact"
    assert find("My friend asked me: what is love? Answer kindly.", "What is love?") == []


def test_scripts_without_spaces_are_compared_by_their_characters():
    prompt = "请用三句话解释为什么天空是蓝色的"
    assert only(f"你好，我是一名学生。{prompt}。谢谢！", prompt).measure == "8-grams"
    assert only(prompt + "。", prompt).measure == "exact"
    thai = "ทำไมท้องฟ้าจึงเป็นสีฟ้าในตอนกลางวัน"
    assert only(f"สวัสดีครับ {thai} ขอบคุณมากครับ", thai).measure == "8-grams"


def test_each_set_has_its_own_match_and_the_strictest_measure_counts():
    index = PromptIndex([[PROMPT + " Why?", PROMPT], ["Name a fruit."], [PROMPT + " Why?"]], 0.8)
    (matches,) = index.find([PROMPT])
    found = {index.set_of(match.prompt): match.measure for match in matches}
    assert found == {0: "exact", 2: "near-duplicate"}


def test_without_prompts_nothing_is_found():
    assert PromptIndex([], 0.8).find([PROMPT]) == [[]]
    assert PromptIndex([[], []], 0.8).find([PROMPT, ""]) == [[], []]


VOCABULARY = ["a", "b", "c"]
TEXTS = st.lists(
    st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=40).map(" ".join),
    min_size=1,
    max_size=8,
)


def measured(prompt: str, text: str, threshold: float) -> tuple[str, float] | None:
    """The strictest measure by which a text repeats a prompt, by comparing the two."""
    own, other = words_of(prompt), words_of(text)
    if own == other:
        return "exact", 1.0
    if (similarity := jaccard(shingles(prompt), shingles(text))) >= threshold:
        return "near-duplicate", similarity
    covered = {
        place
        for start in range(len(own) - 7)
        if any(other[n : n + 8] == own[start : start + 8] for n in range(len(other) - 7))
        for place in range(start, start + 8)
    }
    if len(covered) / len(own) >= 0.5:
        return "8-grams", len(covered) / len(own)
    long = [own[n : n + 13] for n in range(len(own) - 12)]
    if any(other[n : n + 13] in long for n in range(len(other) - 12)):
        return "13-grams", len(covered) / len(own)
    return None


@given(prompts=TEXTS, texts=TEXTS, threshold=st.sampled_from([0.5, 0.8, 1.0]))
@settings(max_examples=300)
def test_what_is_found_is_what_comparing_all_with_all_finds(
    prompts: list[str], texts: list[str], threshold: float
):
    index = PromptIndex([prompts], threshold)
    results = index.find(texts)
    repeated = set[int]()
    for text, matches in zip(texts, results, strict=True):
        each = [measured(prompt, text, threshold) for prompt in prompts]
        best = max((m for m in each if m), key=lambda m: (RANKS[m[0]], m[1]), default=None)
        assert [(m.measure, pytest.approx(m.figure)) for m in matches] == ([best] if best else [])
        repeated |= {n for n, m in enumerate(each) if m and m[0] != "13-grams"}
    dropping = [index.found[measure] for measure in ("exact", "near-duplicate", "8-grams")]
    assert set[int]().union(*dropping) == repeated


@given(own=TEXTS.map(lambda t: t[0].split()), other=TEXTS.map(lambda t: t[0].split()))
def test_stretches_are_in_order_apart_and_as_long_as_a_gram(
    own: Sequence[str], other: Sequence[str]
):
    stretches = shared_stretches(own, other, 3)
    assert all(end - start >= 3 for start, end in stretches)
    assert all(a[1] < b[0] for a, b in pairwise(stretches))
