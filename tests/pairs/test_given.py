"""Labelled pairs of one's own: held to the rules for all pairs, and judged with the others."""

from pathlib import Path
from typing import Any

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.pairs.pool_files import read_pool, split_of
from ste_plugin.records import Drop, Instruction, ResponsePair
from ste_plugin.run.open_run import open_run
from ste_plugin.run.preview import preview
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.jsonl import read_json, read_records, read_rows
from tests.helpers import fake_runs
from tests.helpers.chats import change, chat_run, pool_of, talk
from tests.helpers.contaminated import planted, write_pairs
from tests.helpers.fake_writers import written as written_run
from tests.helpers.source_files import written


def labelled(number: int, **more: Any) -> dict[str, Any]:
    return {
        "prompt": f"Which of them is number {number}?",
        "chosen": f"That is {number}.",
        "rejected": f"That is {number + 1}.",
        **more,
    }


def judgeable(number: int) -> dict[str, Any]:
    """A pair that the fake judge of runs is right about."""
    asked = f"Which is {number}?"
    return labelled(number, prompt=asked, chosen=f"Reply to <{asked}>")


def given_run(folder: Path, *rows: dict[str, Any], **more: Any) -> Path:
    """A run whose only pairs are labelled ones."""
    written(folder, *rows, name="mine.jsonl")
    path = written_run(folder, [], **more)
    return change(path, instructions=None, pairs={"given": "mine.jsonl", "strategies": []})


def drops_of(pool: Path) -> list[tuple[str, str]]:
    return [(d.key, f"{d.stage}: {d.reason}") for d in read_records(pool / "drops.jsonl", Drop)]


def test_given_pairs_can_be_all_there_is(tmp_path: Path):
    pool = pool_of(given_run(tmp_path, *map(labelled, range(40))))
    pairs = read_records(pool / "pairs.jsonl", ResponsePair)
    assert [(p.instruction, p.better, p.worse, p.strategy) for p in pairs[:1]] == [
        ("Which of them is number 0?", "That is 0.", "That is 1.", "given")
    ]
    done = read_json(pool / "done.json")
    assert (len(pairs), done["instructions"], done["drops"]) == (40, 0, {})
    assert done["cost"]["generated_tokens"] == 0


def test_they_are_judged_by_the_rubric_of_their_subset_as_where_they_are_measured(tmp_path: Path):
    rows = [labelled(n, subset=("mail", "code")[n % 2]) for n in range(40)]
    rows[0]["category"] = "code"
    rubric = {"mail": "Be kind.", "default": "Be right."}
    path = given_run(tmp_path, *rows, judging={"format": "brief", "rubric": rubric})
    pairs = read_records(pool_of(path) / "pairs.jsonl", ResponsePair)
    assert [pair.columns["category"] for pair in pairs[:3]] == ["code", "code", "mail"]


def test_a_rubric_of_one_category_alone_is_found_by_the_subset_too(tmp_path: Path):
    rows = [labelled(n, subset="mail") for n in range(40)]
    judging = {"format": "brief", "rubric": {"mail": "Be kind."}}
    pool = pool_of(given_run(tmp_path, *rows, judging=judging))
    pairs = read_records(pool / "pairs.jsonl", ResponsePair)
    assert {pair.columns["category"] for pair in pairs} == {"mail"}


def test_they_are_held_out_and_reported_as_a_strategy_of_their_own(tmp_path: Path):
    path = change(
        written_run(tmp_path, ["other-instruction"]),
        pairs={"given": ["mine.jsonl"], "strategies": ["other-instruction"]},
    )
    written(tmp_path, *map(labelled, range(40)), name="mine.jsonl")
    pool = pool_of(path)
    with open_run(path, [], quiet=True) as context:
        read = read_pool(pool, context.config)
    for split in ("train", "dev", "test"):
        assert {p.strategy for p in read.pairs[split]} == {"given", "other-instruction"}
    assert {row["subset"] for _, row in read_rows(read.files["test"])} == {
        "given",
        "other-instruction",
    }


def test_a_prompt_that_is_an_instruction_too_is_in_the_same_split(tmp_path: Path):
    path = change(
        chat_run(tmp_path, ["other-instruction"], [talk(n) for n in range(40)]),
        pairs={"given": "mine.jsonl", "strategies": ["other-instruction"]},
    )
    alone = [labelled(n, prompt=f"Ask {n} of turn 0.") for n in range(40)]
    turns = [labelled(n, prompt=talk(n)["messages"][:3]) for n in range(40)]
    written(tmp_path, *alone, *turns, name="mine.jsonl")
    config, splits = read_config(path), {}
    for pair in read_records(pool_of(path) / "pairs.jsonl", ResponsePair):
        number = pair.instruction.split("Ask ")[1].split()[0]
        splits.setdefault(number, []).append(split_of(pair.split_key, config))
    assert {len(of_one) for of_one in splits.values()} == {5}
    assert {len(set(of_one)) for of_one in splits.values()} == {1}


def test_a_prompt_below_a_system_turn_is_in_the_split_of_the_instruction_of_its_row(tmp_path: Path):
    rows = [talk(n, 1) for n in range(40)]
    for n, row in enumerate(rows):
        row["messages"].insert(0, {"role": "system", "content": f"Be curt with guest {n}."})
    path = chat_run(tmp_path, ["other-instruction"], rows)
    path = change(
        path,
        instructions=[{"path": "chats.jsonl", "form": "openai"}],
        pairs={"given": "mine.jsonl", "strategies": ["other-instruction"]},
    )
    turns = [labelled(n, prompt=row["messages"][:2]) for n, row in enumerate(rows)]
    written(tmp_path, *turns, name="mine.jsonl")
    config, splits = read_config(path), {}
    for pair in read_records(pool_of(path) / "pairs.jsonl", ResponsePair):
        number = pair.instruction.split("Ask ")[1].split()[0]
        splits.setdefault(number, []).append(split_of(pair.split_key, config))
    assert {len(of_one) for of_one in splits.values()} == {2}
    assert {len(set(of_one)) for of_one in splits.values()} == {1}


def test_what_is_no_preference_is_a_counted_drop(tmp_path: Path):
    tie = {"prompt": "Tie?", "response_a": "A.", "response_b": "B.", "label": "tie"}
    bare = {"prompt": "Bare?", "response_a": "A.", "response_b": "B."}
    swapped = labelled(1, chosen="That is 2.", rejected="That is 1.")
    rows = [*map(labelled, range(40)), swapped, labelled(2, id="again"), tie, bare]
    pool = pool_of(given_run(tmp_path, *rows))
    assert drops_of(pool) == [
        ("mine.jsonl:2", "given: labelled both ways"),
        ("mine.jsonl:41", "given: labelled both ways"),
        ("mine.jsonl:42", "given: exact duplicate"),
        ("mine.jsonl:43", "given: neither answer is preferred"),
        ("mine.jsonl:44", "given: neither answer is preferred"),
    ]


def test_a_pair_whose_prompt_is_measured_on_is_left_out(tmp_path: Path):
    write_pairs(tmp_path / "people.jsonl", 40)
    (prompt, *_) = planted(range(1))["verbatim"]
    rows = [*map(labelled, range(40)), labelled(40, prompt=prompt), labelled(41, prompt=prompt)]
    measured = {"pairs": {"people": "people.jsonl"}}
    pool = pool_of(given_run(tmp_path, *rows, evaluation=measured))
    assert [reason for _, reason in drops_of(pool)] == [
        "selection: repeats a prompt of people (exact)"
    ] * 2
    assert prompt not in (pool / "pairs.jsonl").read_text()


def test_pairs_that_are_all_measured_on_are_an_error(tmp_path: Path):
    write_pairs(tmp_path / "people.jsonl", 40)
    prompts = [p for texts in planted(range(3)).values() for p in texts]
    rows = [labelled(n, prompt=prompt) for n, prompt in enumerate(prompts)]
    measured = {"pairs": {"people": "people.jsonl"}}
    with pytest.raises(DataError, match="all 3 instructions repeat prompts that are kept out"):
        pool_of(given_run(tmp_path, *rows, evaluation=measured))


def test_personal_data_is_taken_out_of_the_prompt_and_both_answers(tmp_path: Path):
    pytest.importorskip("phonenumbers")
    rows = [
        labelled(
            n,
            prompt=f"Write {n} to ann@example.org.",
            chosen="To bob@example.org and ann@example.org.",
        )
        for n in range(40)
    ]
    pool = pool_of(given_run(tmp_path, *rows, privacy={"scrub": ["email"]}))
    pairs = read_records(pool / "pairs.jsonl", ResponsePair)
    assert pairs[0].instruction == "Write 0 to <EMAIL>."
    assert pairs[0].better == "To <EMAIL_2> and <EMAIL>."
    assert read_json(pool / "privacy.json") == {
        "scrub": ["email"],
        "instructions": 40,
        "touched": 40,
        "found": {"email": 120},
    }


def test_they_are_judged_and_made_rows_of_as_any_pair(tmp_path: Path, tiny_model: Path):
    path = fake_runs.written(tmp_path, tiny_model, texts=10, judges="right in both orders")
    rows = [
        labelled(n, chosen=f"Reply to <Which is {n}?>", prompt=f"Which is {n}?") for n in range(40)
    ]
    written(tmp_path, *rows, name="mine.jsonl")
    change(path, instructions=None, pairs={"given": "mine.jsonl", "strategies": []})
    manifest = fake_runs.generated(path)
    assert manifest["files"]["sft-train"]["rows"] > 0
    trained = fake_runs.rows_of(path, "sft-train")
    assert {row["strategy"] for row in trained if "strategy" in row} <= {"given"}
    assert all("Which is" in row["messages"][0]["content"] for row in trained)


def test_a_preview_shows_some_of_them_and_counts_all(tmp_path: Path, tiny_model: Path):
    path = fake_runs.written(tmp_path, tiny_model, texts=10)
    rows = [
        labelled(n, chosen=f"Reply to <Which is {n}?>", prompt=f"Which is {n}?") for n in range(40)
    ]
    written(tmp_path, *rows, name="mine.jsonl")
    change(path, instructions=None, pairs={"given": "mine.jsonl", "strategies": []})
    found = preview(path, [], quiet=True)
    assert (found.instructions, len(found.shown)) == (40, 10)
    assert {p.strategy for one in found.shown for p in one.pairs} == {"given"}
    assert all(one.instruction.startswith("Which is") for one in found.shown)


def test_a_preview_of_conversations_keeps_their_turns(tmp_path: Path, tiny_model: Path):
    path = fake_runs.written(tmp_path, tiny_model)
    written(tmp_path, *[talk(n, 2) for n in range(9)], name="chats.jsonl")
    source = {"path": "chats.jsonl", "form": "openai", "turns": "last"}
    change(path, instructions=[source], pairs={"strategies": ["other-instruction"]})
    found = preview(path, [], quiet=True)
    assert sorted(one.instruction for one in found.shown) == [
        f"User: Ask {n} of turn 0.\n\nAssistant: Told {n} of turn 0.\n\nUser: Ask {n} of turn 1."
        for n in range(9)
    ]


def test_a_bad_row_is_told_before_anything_is_asked(tmp_path: Path):
    path = given_run(tmp_path, labelled(0), {"prompt": "Hm?", "chosen": "A."})
    with pytest.raises(DataError, match=r"mine.jsonl:2"):
        pool_of(path)
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path):
    path = change(given_run(tmp_path, labelled(0)), pairs={"given": "no.jsonl", "strategies": []})
    with pytest.raises(DataError, match=r"^pairs.given: .*no.jsonl: no such file or folder"):
        pool_of(path)


BAD = {
    "expected one of them": {"pairs": {"strategies": []}},
    "so that nothing is made of them": {"pairs": {"strategies": [], "given": "mine.jsonl"}},
    "at least 1 in the list": {"instructions": []},
    "found 'given' among strategies": {"pairs": {"strategies": ["given"]}},
}


@pytest.mark.parametrize("told", BAD)
def test_settings_that_leave_nothing_to_make_pairs_of_are_refused(tmp_path: Path, told: str):
    path = change(written_run(tmp_path, ["other-instruction"]), **BAD[told])
    with pytest.raises(ConfigError, match=told):
        read_config(path)


def test_instructions_of_earlier_runs_are_read_as_they_were():
    old = {"key": "k", "text": "Hi", "source": "a:1", "category": "", "complexity": 0}
    found = Instruction.from_dict({**old, "expected_words": 0})
    assert (found.conversation, found.last_turn) == ("k", "Hi")
    assert found.to_dict() == {**old, "expected_words": 0}
