"""Given pairs whose prompts nearly repeat others are in the split of these."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.instructions.selection.shingles import shingles
from ste_plugin.instructions.selection.similarity_join import jaccard
from ste_plugin.pairs.near_given import keep_near_together
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import Drop, Instruction, ResponsePair, content_key
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import read_records
from tests.helpers.builders import config
from tests.helpers.chats import PRODUCT, below, change, pool_of, talk
from tests.helpers.fake_writers import written as written_run
from tests.helpers.source_files import written

SELECTION = {"selectors": ["near-duplicates"]}


def words(number: int, last: str = "end") -> str:
    """A prompt of its own, but for the word that it ends with."""
    drawn = random.Random(number)
    return " ".join([*(f"w{drawn.randrange(10**6)}" for _ in range(30)), last])


def row(prompt: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": f"Reply to {prompt}", "rejected": "No.", **more}


def given_run(folder: Path, rows: list[dict[str, Any]], **more: Any) -> Path:
    """A run whose only pairs are labelled ones."""
    written(folder, *rows, name="mine.jsonl")
    path = written_run(folder, [], selection=SELECTION, **more)
    return change(path, instructions=None, pairs={"given": "mine.jsonl", "strategies": []})


def splits_of(path: Path, pool: Path) -> dict[str, str]:
    """Prompt → its split; of a prompt that is in two it fails."""
    settings, found = read_config(path), dict[str, str]()
    for pair in read_records(pool / "pairs.jsonl", ResponsePair):
        split = split_of(pair.split_key, settings)
        assert found.setdefault(pair.instruction, split) == split
    return found


def test_given_prompts_that_nearly_repeat_each_other_are_in_one_split(tmp_path: Path):
    rows = [row(words(n, last)) for last in ("end", "END now", "start") for n in range(40)]
    path = given_run(tmp_path, [*rows, *(row(words(n)) for n in range(40, 80))])
    splits = splits_of(path, pool_of(path))
    for n in range(40):
        assert len({splits[words(n, last)] for last in ("end", "END now", "start")}) == 1
    assert len(splits) == 160
    settings = read_config(path)
    for n in range(80):  # the first, and what is near nothing, are where they were
        key = content_key("instruction", words(n))
        assert splits[words(n)] == split_of(key, settings)


def test_a_given_prompt_that_nearly_repeats_an_instruction_is_in_its_split(tmp_path: Path):
    path = change(
        written_run(tmp_path, ["other-instruction"], selection=SELECTION),
        pairs={"given": "mine.jsonl", "strategies": ["other-instruction"]},
    )
    rows = [{"instruction": words(n), "result": 5} for n in range(40)]
    written(tmp_path, *rows, name="instructions.jsonl")
    written(tmp_path, *(row(words(n, "start")) for n in range(40)), name="mine.jsonl")
    splits = splits_of(path, pool_of(path))
    assert len(splits) == 80
    assert [splits[words(n)] for n in range(40)] == [splits[words(n, "start")] for n in range(40)]


def test_a_given_prompt_near_instructions_of_two_splits_is_left_out_and_counted(tmp_path: Path):
    path = change(
        written_run(tmp_path, ["other-instruction"], selection=SELECTION),
        pairs={"given": "mine.jsonl", "strategies": ["other-instruction"]},
    )
    ends = ("a b c d", "e f g h")
    asked = [{"instruction": words(n, end), "result": 5} for n in range(40) for end in ends]
    written(tmp_path, *asked, name="instructions.jsonl")
    written(tmp_path, *(row(words(n)) for n in range(40)), name="mine.jsonl")
    pool = pool_of(path)
    splits = splits_of(path, pool)
    torn = [n for n in range(40) if len({splits[words(n, end)] for end in ends}) > 1]
    drops = [d for d in read_records(pool / "drops.jsonl", Drop) if d.stage == "given"]
    assert [(d.key, d.reason) for d in drops] == [
        (content_key("instruction", words(n)), "near duplicate of prompts in two splits")
        for n in torn
    ]
    for n in set(range(40)).difference(torn):
        assert splits[words(n)] == splits[words(n, ends[0])] == splits[words(n, ends[1])]
    assert 0 < len(torn) < 40


def test_without_the_selector_of_near_duplicates_each_stays_where_its_own_key_puts_it(
    tmp_path: Path,
):
    rows = [row(words(n, last)) for last in ("end", "start") for n in range(40)]
    path = change(given_run(tmp_path, rows), selection={"selectors": ["exact-duplicates"]})
    splits = splits_of(path, pool_of(path))
    settings = read_config(path)
    assert splits == {p: split_of(content_key("instruction", p), settings) for p in splits}


def test_turns_of_a_conversation_go_with_the_one_that_nearly_repeats_something(tmp_path: Path):
    rows = []
    for n in range(40):
        turns = talk(n)["messages"]
        turns[0]["content"] = words(n, "start")
        rows += [row(words(n)), row(turns[:3]), row(words(n, "start"))]
    path = given_run(tmp_path, rows)
    splits = splits_of(path, pool_of(path))
    for n in range(40):
        assert {splits[p] for p in splits if words(n, "") in p} == {splits[words(n)]}


def told(asked: str) -> list[dict[str, str]]:
    """A prompt below what a product tells its system."""
    return [{"role": "system", "content": PRODUCT}, {"role": "user", "content": asked}]


def test_what_the_system_was_told_takes_no_two_prompts_into_one_split(tmp_path: Path):
    rows = [row(told(words(n, last))) for last in ("end", "start") for n in range(40)]
    path = given_run(tmp_path, rows)
    splits, settings = splits_of(path, pool_of(path)), read_config(path)
    for n in range(40):
        own = split_of(content_key("instruction", words(n)), settings)
        assert {splits[p] for p in splits if words(n, "") in p} == {own}


@pytest.mark.parametrize("turns", ["first", "last"])
def test_a_given_prompt_is_near_an_instruction_whatever_the_system_was_told(tmp_path, turns):
    asked, given = below(PRODUCT, words(1), turns), pair(words(1, "start"))
    (found,) = keep_near_together([given], [asked], config(tmp_path, selection=str(SELECTION)))
    assert found.split_key == asked.conversation


def instruction(text: str) -> Instruction:
    return Instruction(content_key("instruction", text), text, "")


def pair(text: str) -> ResponsePair:
    return ResponsePair("", content_key("instruction", text), text, "Good.", "Bad.", "given")


PROMPT = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6).map(" ".join)


@given(prompts=st.lists(PROMPT, max_size=8, unique=True), pairs=st.lists(PROMPT, max_size=12))
def test_no_two_prompts_that_are_near_are_in_two_splits_and_what_is_near_nothing_stays(
    tmp_path_factory, prompts, pairs
):
    folder = tmp_path_factory.mktemp("near")
    settings = config(folder, selection=str(SELECTION | LOOSE), dataset=str(THIRDS))
    found = list(keep_near_together([*map(pair, pairs)], [*map(instruction, prompts)], settings))
    kept = [p for p in found if isinstance(p, ResponsePair)]
    known = [(p, content_key("instruction", p)) for p in prompts]
    every = [*known, *((p.instruction, p.split_key) for p in kept)]
    for made in kept:
        near = [k for text, k in every if is_near(text, made.instruction)]
        assert len({split_of(k, settings) for k in near}) == 1
    alone = [p for p in pairs if sum(is_near(p, q) for q in {*prompts, *pairs}) == 1]
    assert [p.instruction for p in kept if not p.conversation and p.instruction in alone] == alone
    for drop in found:
        if isinstance(drop, Drop):
            assert drop.reason == "near duplicate of prompts in two splits"


THIRDS = {"dev_fraction": 0.3, "test_fraction": 0.3}
LOOSE = {"near_duplicate_threshold": 0.5}


def is_near(one: str, other: str) -> bool:
    return jaccard(shingles(one), shingles(other)) >= 0.5
