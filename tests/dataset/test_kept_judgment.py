"""Of several correct judgments one is learnt: the first, the shortest, or the most typical."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.dataset.kept_judgment import most_typical
from ste_plugin.records import Judgment
from ste_plugin.storage.jsonl import read_records
from tests.helpers.builders import judgment
from tests.helpers.fake_runs import SPLITS, generated, rows_of, written

TEXTS = st.lists(st.text(alphabet="ab c用", max_size=12), min_size=1, max_size=6)


def judgments(*texts: str) -> list[Judgment]:
    return [judgment(sample_index=i, text=text or " ") for i, text in enumerate(texts)]


def made(folder, tiny_model, keep: str, sampling="fixed"):
    judging = {"format": "brief", "samples": 7, "sampling": sampling}
    dataset = SPLITS | {"keep": keep, "formats": ["sft", "dpo"]}
    folder.mkdir()
    return written(folder, tiny_model, judges="at length", judging=judging, dataset=dataset)


def replies(path, name="sft-train") -> dict[tuple[str, str], str]:
    return {
        (row["pair"], row["better_is"]): row["messages"][-1]["content"]
        for row in rows_of(path, name)
    }


def correct_by_question(path) -> dict[tuple[str, str], list[str]]:
    found = defaultdict(list)
    for each in read_records(path.parent / "run/iter-01/judgments.jsonl", Judgment):
        if each.correct:
            found[each.pair_key, each.gold].append(each.text)
    return found


@pytest.mark.parametrize("sampling", ["fixed", "until_decided"])
def test_the_correct_judgment_of_fewest_tokens_is_learnt(tiny_model, tmp_path, sampling):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    path = made(tmp_path / "shortest", tiny_model, "shortest", sampling)
    generated(path)
    said = correct_by_question(path)
    kept = replies(path)
    assert len(kept) > 20
    for question, reply in kept.items():
        tokens = {text: len(tokenizer.tokenize(text)) for text in said[question]}
        assert tokens[reply] == min(tokens.values())
    assert any(reply != said[question][0] for question, reply in kept.items())


def test_the_choice_changes_which_judgment_is_learnt_and_nothing_else(tiny_model, tmp_path):
    paths = {keep: made(tmp_path / keep, tiny_model, keep) for keep in ("first", "most_typical")}
    counts = {keep: generated(path)["counts"] for keep, path in paths.items()}
    first, typical = (replies(paths[keep]) for keep in paths)
    said = correct_by_question(paths["first"])
    assert counts["first"] == counts["most_typical"]
    assert list(first) == list(typical)
    assert {q: texts[0] for q, texts in said.items() if q in first} == first
    chosen = {q: most_typical(judgments(*said[q])).text for q in typical}
    assert chosen == typical != first
    rejected = [[row["rejected"] for row in rows_of(path, "dpo-train")] for path in paths.values()]
    assert rejected[0] == rejected[1] != []


def test_what_the_others_say_is_typical_and_neither_the_odd_nor_the_longest():
    said = judgments(
        "Bananas are yellow. [[A]]",
        "A answers what was asked, B does not. [[A]]",
        "A answers what was asked, while B does not. [[A]]",
        "A answers what was asked, B does not, " + "and so on " * 50 + "[[A]]",
    )
    assert most_typical(said).sample_index in (1, 2)


def test_a_word_repeated_without_end_overlaps_once_with_one_that_stands_once():
    said = judgments("better " * 40, "it is better", "it is better by far")
    assert most_typical(said).sample_index == 1


def bag(text: str) -> list[str]:
    from ste_plugin.instructions.selection.shingles import words_of

    return words_of(text)


def dice(first: list[str], second: list[str]) -> float:
    left = list(second)
    common = 0
    for word in first:
        if word in left:
            left.remove(word)
            common += 1
    return 2 * common / max(len(first) + len(second), 1)


@given(TEXTS)
def test_it_has_the_largest_overlap_with_the_others_as_counted_word_by_word(texts):
    found = most_typical(judgments(*texts))
    overlaps = [
        sum(dice(bag(a), bag(b)) for j, b in enumerate(texts) if j != i)
        for i, a in enumerate(texts)
    ]
    assert overlaps[found.sample_index] == pytest.approx(max(overlaps))
