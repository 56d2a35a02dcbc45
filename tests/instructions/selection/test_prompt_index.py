"""Prompts found again in texts: by the definition of each measure, as by comparing all."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.instructions.selection.hashed_texts import HashedTexts
from ste_plugin.instructions.selection.prompt_index import (
    RANKS,
    Match,
    PromptIndex,
    shared_stretches,
)
from ste_plugin.instructions.selection.shared_grams import least_prompts
from ste_plugin.instructions.selection.shingles import WordHashes, shingles_of
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.text.words import words_of

PROMPT = (
    "Which three rivers meet below the old town, and what do people there call the place today?"
)


HASHES = WordHashes()


def index_of(prompts: Sequence[str], threshold: float = 0.8) -> PromptIndex:
    return PromptIndex(HashedTexts.of(prompts, HASHES), range(len(prompts)), threshold)


def find_all(index: PromptIndex, texts: Sequence[str]) -> list[Match | None]:
    found = index.find(HashedTexts.of(texts, HASHES))
    return [found.get(number) for number in range(len(texts))]


def find(text: str, *prompts: str) -> Match | None:
    return find_all(index_of(prompts), [text])[0]


def only(text: str, *prompts: str) -> Match:
    match = find(text, *prompts)
    assert match is not None
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
    assert find("before " + " ".join(words[:8]) + " after", " ".join([*words, "more"])) is None


def test_the_share_is_of_the_prompt_and_not_of_the_instruction():
    long = " ".join(f"w{n}" for n in range(60))
    short = " ".join(f"w{n}" for n in range(20, 29))
    assert only(long, short).measure == "8-grams"
    assert find(short, long) is None


def test_a_long_gram_that_is_less_than_half_of_a_prompt_is_listed_with_its_words():
    shared = " ".join(f"s{n}" for n in range(13))
    prompt = f"{shared} {' '.join(f'p{n}' for n in range(20))}"
    match = only(f"a b c {shared} d e f", prompt)
    assert (match.measure, match.quote) == ("13-grams", shared)
    assert match.figure == pytest.approx(13 / 33)


def test_twelve_words_in_common_are_not_listed():
    shared = " ".join(f"s{n}" for n in range(12))
    assert find(f"a b c {shared} d", f"{shared} {' '.join(f'p{n}' for n in range(20))}") is None


def test_a_paraphrase_is_not_found():
    text = "Tell me the name that locals give to where the three streams join south of the city."
    assert find(text, PROMPT) is None


def test_prompts_of_fewer_than_eight_words_are_found_only_as_a_whole():
    assert only("what is LOVE", "What is love?").measure == "exact"
    assert find("My friend asked me: what is love? Answer kindly.", "What is love?") is None


def test_scripts_without_spaces_are_compared_by_their_characters():
    prompt = "请用三句话解释为什么天空是蓝色的"
    assert only(f"你好，我是一名学生。{prompt}。谢谢！", prompt).measure == "8-grams"
    assert only(prompt + "。", prompt).measure == "exact"
    thai = "ทำไมท้องฟ้าจึงเป็นสีฟ้าในตอนกลางวัน"
    assert only(f"สวัสดีครับ {thai} ขอบคุณมากครับ", thai).measure == "8-grams"


TEMPLATE = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request. Keep to what is asked, "
    "give reasons for what you say, and do not make up anything that you cannot know. Where the "
    "instruction is unclear, say so first.\n\n### Instruction:\n{}\n\n### Response:"
)
QUESTIONS = [
    f"Tell me of number {n} whatever makes it unlike {n + 1} and {n + 2}." for n in range(40)
]
TEMPLATED = [TEMPLATE.format(question) for question in QUESTIONS]


def test_a_template_that_many_prompts_share_is_no_evidence():
    text = TEMPLATE.format("Who wrote the songs that sailors sang when the harbour froze over?")
    assert only(text, *TEMPLATED[:4]).measure == "8-grams"
    assert find(text, *TEMPLATED) is None


def test_texts_that_are_near_only_for_their_template_are_no_near_duplicates():
    text = TEMPLATE.format("Name a fruit that grows in Crete.")
    prompts = [TEMPLATE.format(f"Name a bird of island {n}.") for n in range(40)]
    assert only(text, *prompts[:4]).measure == "near-duplicate"
    assert find(text, *prompts) is None


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        (TEMPLATED[7], "exact"),
        (TEMPLATED[7].upper(), "exact"),
        (TEMPLATE.format(f"**{QUESTIONS[7]}**"), "exact"),
        (TEMPLATE.replace("\n", " ").format(QUESTIONS[7]), "exact"),
        (TEMPLATE.format(f"{QUESTIONS[7]} Thanks!"), "8-grams"),
        (TEMPLATE.format(f"I am ten years old and like numbers. {QUESTIONS[7]}"), "8-grams"),
        (f"Can you help me with this, please? {QUESTIONS[7]} Say it in two lines.", "8-grams"),
    ],
)
def test_a_copy_is_found_inside_a_template_and_outside(text: str, measure: str):
    match = only(text, *TEMPLATED)
    assert (match.prompt, match.measure) == (7, measure)


def test_a_prompt_that_is_nothing_but_template_is_found_only_as_such():
    prompts = [*TEMPLATED, TEMPLATE.format("")]
    match = only(TEMPLATE.format("").upper(), *prompts)
    assert (match.prompt, match.measure) == (40, "exact")
    assert find(TEMPLATE.format("Name a fruit."), *prompts) is None
    assert find("Name a fruit.", *prompts) is None


def test_the_strictest_measure_counts():
    assert only(PROMPT, PROMPT + " Why?", PROMPT).measure == "exact"
    assert only(PROMPT, PROMPT + " Why?", "Name a fruit.").measure == "near-duplicate"


def test_without_prompts_nothing_is_found():
    assert find_all(index_of([]), [PROMPT, ""]) == [None, None]
    assert find_all(index_of([""]), [PROMPT, "Why?"]) == [None, None]


VOCABULARY = ["a", "b", "c"]
TEMPLATES = ["", "", "t u v w x y z a b ", "a b c a b c a b c "]


@st.composite
def texts_of_templates(draw: st.DrawFn, most: int) -> list[str]:
    words = st.lists(st.sampled_from(VOCABULARY), max_size=40).map(" ".join)
    texts = draw(st.lists(words, min_size=1, max_size=most))
    templates = st.sampled_from(draw(st.sampled_from([TEMPLATES, TEMPLATES[2:], TEMPLATES[2:3]])))
    return [f"{draw(templates)}{text}" for text in texts]


def grams_of(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[n : n + 8]) for n in range(len(words) - 7)]


def shared_by_many(prompts: Sequence[str]) -> set[tuple[str, ...]]:
    counts = Counter(gram for prompt in prompts for gram in set(grams_of(words_of(prompt))))
    return {gram for gram, count in counts.items() if count >= least_prompts(len(prompts))}


def own_words(text: str, shared: set[tuple[str, ...]]) -> list[str]:
    """The words that lie in no gram that many share; all, where there is none."""
    words = words_of(text)
    starts = [n for n, gram in enumerate(grams_of(words)) if gram in shared]
    out = {place for start in starts for place in range(start, start + 8)}
    return [word for place, word in enumerate(words) if place not in out] or words


def measured(own: list[str], other: list[str], threshold: float) -> tuple[str, float] | None:
    """The strictest measure by which a text repeats a prompt, by comparing the two."""
    if own == other:
        return "exact", 1.0
    if not own:
        return None
    if (similarity := jaccard(shingles_of(own), shingles_of(other))) >= threshold:
        return "near-duplicate", similarity
    common = set(grams_of(other))
    starts = [n for n, gram in enumerate(grams_of(own)) if gram in common]
    covered = {place for start in starts for place in range(start, start + 8)}
    if len(covered) / len(own) >= 0.5:
        return "8-grams", len(covered) / len(own)
    long = [own[n : n + 13] for n in range(len(own) - 12)]
    if any(other[n : n + 13] in long for n in range(len(other) - 12)):
        return "13-grams", len(covered) / len(own)
    return None


@given(
    prompts=texts_of_templates(12),
    texts=texts_of_templates(8),
    threshold=st.sampled_from([0.5, 0.8, 1.0]),
)
@settings(max_examples=100)
def test_what_is_found_is_what_comparing_all_with_all_finds(
    prompts: list[str], texts: list[str], threshold: float
):
    index = index_of(prompts, threshold)
    results = find_all(index, texts)
    shared = shared_by_many(prompts)
    owns = [own_words(prompt, shared) for prompt in prompts]
    assert (index.shared.grams, index.short) == (len(shared), sum(len(own) < 8 for own in owns))
    repeated = set[int]()
    for text, match in zip(texts, results, strict=True):
        each = [measured(own, own_words(text, shared), threshold) for own in owns]
        best = max((m for m in each if m), key=lambda m: (RANKS[m[0]], m[1]), default=None)
        assert (match and (match.measure, pytest.approx(match.figure))) == best
        repeated |= {n for n, m in enumerate(each) if m and m[0] != "13-grams"}
    dropping = [index.found[measure] for measure in ("exact", "near-duplicate", "8-grams")]
    assert set[int]().union(*dropping) == repeated


WORD_LISTS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=40)


@given(own=WORD_LISTS, other=WORD_LISTS)
def test_stretches_are_in_order_apart_and_as_long_as_a_gram(
    own: Sequence[str], other: Sequence[str]
):
    stretches = shared_stretches(own, other, 3)
    assert all(end - start >= 3 for start, end in stretches)
    assert all(a[1] < b[0] for a, b in pairwise(stretches))
