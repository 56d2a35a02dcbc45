"""The prompts that no instruction may repeat: what is named, and what is measured on."""

from pathlib import Path

import pytest

from ste_plugin.context import PromptSet
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.kept_out import KEEP_OUT, PromptSource, check_kept_out, read_kept_out
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.resources import shipped_folder
from tests.helpers import fake_runs
from tests.helpers.contaminated import question, write_pairs, write_rows
from tests.helpers.labelled_rows import SEVERAL_TURNS

LLMBAR = {"input": "Name a fruit.", "output_1": "Fig.", "output_2": "Rock.", "label": 1}


def source(folder: Path, data: Path | None = None) -> PromptSource:
    return PromptSource(folder, data, [shipped_folder("tasks")])


def read_in(tmp_path: Path, tiny_model: Path, keep_out=(), **evaluation: object) -> list[PromptSet]:
    selection = {"keep_out": list(keep_out)}
    path = fake_runs.written(tmp_path, tiny_model, selection=selection, evaluation=evaluation)
    with open_run(path, [], quiet=True) as context:
        return read_kept_out(context)


def test_a_file_of_pairs_gives_its_prompts_once_each(tmp_path: Path):
    rows = [{"id": str(n), "prompt": question(n % 3), "chosen": "a"} for n in range(6)]
    write_rows(tmp_path / "mine.jsonl", rows)
    prompts = source(tmp_path).read("mine.jsonl", KEEP_OUT)
    assert prompts.name == "mine.jsonl"
    assert prompts.prompts == [(f"mine.jsonl:{n + 1} ({n})", question(n)) for n in range(3)]


def test_a_benchmark_is_read_from_the_folder_that_has_it(tmp_path: Path):
    write_rows(tmp_path / "llmbar.jsonl", [LLMBAR])
    prompts = source(tmp_path, tmp_path).read("ste_llmbar", KEEP_OUT)
    assert [text for _, text in prompts.prompts] == ["Name a fruit."]


def test_of_a_conversation_each_turn_of_the_user_is_kept_out_too(tmp_path: Path):
    turns = f"User: {question(1)}\n\nAssistant: {question(2)}\n\nUser: {question(3)}"
    write_rows(tmp_path / "mine.jsonl", [{"id": "x", "prompt": turns}])
    texts = [text for _, text in source(tmp_path).read("mine.jsonl", KEEP_OUT).prompts]
    assert texts == [turns, question(1), question(3)]


def test_a_short_prompt_below_a_system_turn_is_kept_out_without_it_too(tmp_path: Path):
    row = {"id": "x", "prompt": f"System: {question(1)}\n\nUser: Where do I park?"}
    write_rows(tmp_path / "mine.jsonl", [row])
    texts = [text for _, text in source(tmp_path).read("mine.jsonl", KEEP_OUT).prompts]
    assert texts == [row["prompt"], "Where do I park?"]


def test_a_name_that_is_nearly_a_benchmark_is_refused_with_the_right_one(tmp_path: Path):
    with pytest.raises(ConfigError, match="Did you mean 'ste_rewardbench'?"):
        source(tmp_path).read("ste_rewardbnch", KEEP_OUT)


def test_a_task_without_prompts_of_its_own_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="the task ste_local says of no benchmark"):
        source(tmp_path).read("ste_local", KEEP_OUT)


def test_a_row_without_a_prompt_is_an_error_rather_than_not_kept_out(tmp_path: Path):
    write_rows(tmp_path / "mine.jsonl", [{"prompt": "Why?"}, {"prompt": " "}])
    with pytest.raises(DataError, match="mine.jsonl:2: expected a prompt, found an empty one"):
        source(tmp_path).read("mine.jsonl", KEEP_OUT)


def test_what_is_measured_on_is_kept_out_without_being_named(tmp_path: Path, tiny_model: Path):
    write_pairs(tmp_path / "mine.jsonl", 3)
    (tmp_path / "copies").mkdir()
    write_rows(tmp_path / "copies" / "llmbar.jsonl", [LLMBAR])
    sets = read_in(
        tmp_path,
        tiny_model,
        pairs={"people": "mine.jsonl"},
        tasks=["ste_llmbar", "ste_llmbar_logprob"],
        data="copies",
        limit=1,
    )
    assert [(s.name, len(s.prompts), s.problem) for s in sets] == [
        ("people", 3, ""),
        ("ste_llmbar", 1, ""),
    ]


def test_what_is_named_and_measured_on_is_compared_once(tmp_path: Path, tiny_model: Path):
    write_pairs(tmp_path / "mine.jsonl", 3)
    sets = read_in(tmp_path, tiny_model, ["mine.jsonl"], pairs={"people": "./mine.jsonl"})
    assert [s.name for s in sets] == ["mine.jsonl"]


def test_what_is_measured_on_and_cannot_be_read_says_why(tmp_path: Path, tiny_model: Path):
    (unread,) = read_in(tmp_path, tiny_model, tasks=["ste_judgebench"])
    assert (unread.name, unread.prompts) == ("ste_judgebench", ())
    assert "cannot be read" in unread.problem


def test_what_is_named_and_cannot_be_read_is_an_error(tmp_path: Path, tiny_model: Path):
    selection = {"keep_out": ["ste_judgebench"]}
    path = fake_runs.written(tmp_path, tiny_model, selection=selection)
    with (
        open_run(path, [], quiet=True) as context,
        pytest.raises(
            DataError, match="selection.keep_out: ste_judgebench: .*\n.*judgebench.jsonl"
        ),
    ):
        check_kept_out(context)


def test_prompts_of_pairs_in_any_shape_are_kept_out_turn_by_turn(tmp_path: Path, tiny_model: Path):
    (row,) = SEVERAL_TURNS["helpsteer3"]
    talk = [{"role": t["role"], "content": question(n)} for n, t in enumerate(row["context"])]
    write_rows(tmp_path / "mine.jsonl", [row | {"talk": talk, "context": None}])
    mine = {"path": "mine.jsonl", "columns": {"context": "talk"}}
    (prompts,) = read_in(tmp_path, tiny_model, pairs={"mine": mine})
    assert not prompts.problem
    assert [text for _, text in prompts.prompts][1:] == [question(0), question(2)]
    assert all(where.startswith("mine.jsonl:1 (") for where, _ in prompts.prompts)


def test_pairs_that_are_held_out_already_are_measured_on_without_being_kept_out(
    tmp_path: Path, tiny_model: Path
):
    row = {"id": "x", "prompt": question(1), "chosen": "a", "rejected": "b"}
    for name in ("mine", "ours"):
        write_rows(tmp_path / f"{name}.jsonl", [row])
    pairs = {"mine": "mine.jsonl", "ours": {"path": "ours.jsonl", "keep_out": False}}
    assert [each.name for each in read_in(tmp_path, tiny_model, pairs=pairs)] == ["mine"]
