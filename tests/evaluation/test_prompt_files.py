"""Texts of any file, whichever column and form holds them."""

import csv
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.prompt_files import describe_source, read_texts
from ste_plugin.instructions.sources.row_values import BadRow
from ste_plugin.records import Instruction
from tests.helpers.contaminated import write_rows

ASKED = "Name a fruit."
SAID = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "Fig."}]


def texts(path: Path, **how: str) -> list[str]:
    return [t.text for t in read_texts(path.name, path.parent, **how) if isinstance(t, Instruction)]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": ASKED},
        {"prompt": ASKED, "chosen": "Fig.", "rejected": "Rock."},
        {"question": ASKED, "answer": "Fig."},
        {"messages": SAID},
        {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": "Fig."}]},
        {"conversations": SAID},
        {"conversation": SAID, "toxic": False},
        {"prompt": SAID[:1], "chosen": SAID[1:], "rejected": SAID[1:]},
        {"chosen": SAID, "rejected": SAID},
        {"id": 7, "text": ASKED},
    ],
    ids=lambda row: "+".join(row),
)
def test_the_first_row_shows_where_the_prompt_is(row: dict, tmp_path: Path):
    assert texts(write_rows(tmp_path / "data.jsonl", [row])) == [ASKED]


def test_an_input_belongs_to_its_instruction(tmp_path: Path):
    path = write_rows(tmp_path / "a.jsonl", [{"instruction": ASKED, "input": "Red.", "output": ""}])
    assert texts(path) == [f"{ASKED}\n\nRed."]


def test_a_context_belongs_to_its_instruction_as_in_rows_of_dolly(tmp_path: Path):
    rows = [
        {"instruction": ASKED, "context": "", "response": "Fig."},
        {"instruction": "Name one.", "context": "Figs and pears.", "response": "Fig."},
        {"instruction": "Name two.", "response": "Figs, pears."},
    ]
    path = write_rows(tmp_path / "a.jsonl", rows)
    assert texts(path) == [ASKED, "Name one.\n\nFigs and pears.", "Name two."]
    assert texts(path, column="instruction") == [ASKED, "Name one.", "Name two."]
    described = describe_source(path.name, tmp_path)
    assert (described.form, described.columns) == ("alpaca", {"input": "context"})


@pytest.mark.parametrize(
    "first", [{"instruction": ASKED}, {"instruction": ASKED, "input": "", "context": ""}]
)
def test_a_context_that_is_not_read_is_refused_as_in_a_source(tmp_path: Path, first: dict):
    write_rows(tmp_path / "a.jsonl", [first, first | {"context": "Figs and pears."}])
    (bad,) = [t for t in read_texts("a.jsonl", tmp_path) if isinstance(t, BadRow)]
    assert str(bad).startswith(
        "a.jsonl:2: 'context' asks something that is not in 'instruction', 'Figs and pears.'. Set "
    )
    assert bad.reason == "'context' is not read"


def test_lists_tables_and_turns_in_a_table_are_read(tmp_path: Path):
    (tmp_path / "a.json").write_text('[{"prompt": "Name a fruit."}]')
    pyarrow.parquet.write_table(pa.Table.from_pylist([{"messages": SAID}]), tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["messages"], ['[{"role": "user", "content": "Name a fruit."}]']]
        )
    assert [texts(tmp_path / f"a.{kind}") for kind in ("json", "parquet", "csv")] == [[ASKED]] * 3


def test_every_split_of_a_folder_is_read(tmp_path: Path):
    (tmp_path / "bench").mkdir()
    for name in ("train", "test", "validation", "more"):
        write_rows(tmp_path / "bench" / f"{name}.jsonl", [{"prompt": f"Name a {name}."}])
    assert sorted(texts(tmp_path / "bench")) == [
        "Name a more.",
        "Name a test.",
        "Name a train.",
        "Name a validation.",
    ]


def test_each_file_of_a_folder_has_columns_of_its_own(tmp_path: Path):
    (tmp_path / "bench").mkdir()
    write_rows(tmp_path / "bench" / "a.jsonl", [{"prompt": "Name a fruit."}])
    write_rows(tmp_path / "bench" / "b.jsonl", [{"question": "Name a stone."}])
    assert texts(tmp_path / "bench") == ["Name a fruit.", "Name a stone."]


def test_a_folder_is_read_file_by_file_in_natural_order(tmp_path: Path):
    for number in (10, 9):
        write_rows(tmp_path / f"part-{number}.jsonl", [{"prompt": f"Number {number}?"}])
    expected = ["Number 9?", "Number 10?"]
    assert [t.text for t in read_texts(".", tmp_path)] == expected
    assert [t.text for t in read_texts("part-*.jsonl", tmp_path)] == expected


def test_a_form_and_a_column_that_are_named_count(tmp_path: Path):
    row = {"prompt": "no", "asked": ASKED, "turns": SAID}
    path = write_rows(tmp_path / "a.jsonl", [row])
    assert texts(path, column="asked") == [ASKED]
    assert texts(path, column="turns") == [ASKED]
    assert texts(path, form="openai", column="turns") == [ASKED]


@pytest.mark.parametrize(
    ("first", "second", "told", "reason"),
    [
        (
            {"prompt": ASKED},
            {"prompt": " "},
            "expected a prompt, found an empty one. Fill it in or remove it.",
            "empty prompt",
        ),
        (
            {"question": ASKED},
            {"question": 5},
            "question: expected text, found int '5'. Fix or remove it.",
            "malformed line",
        ),
        (
            {"chosen": SAID},
            {"chosen": SAID[1:]},
            "chosen: expected a turn of the user, found none. Fix or remove it.",
            "no user turn",
        ),
        (
            {"messages": SAID},
            {"messages": "none"},
            "messages: expected a list of turns, found str 'none'. Fix or remove it.",
            "malformed line",
        ),
    ],
)
def test_a_row_without_anything_asked_says_why_in_the_files_own_columns(
    tmp_path: Path, first: dict, second: dict, told: str, reason: str
):
    write_rows(tmp_path / "a.jsonl", [first, second])
    (bad,) = [t for t in read_texts("a.jsonl", tmp_path) if isinstance(t, BadRow)]
    assert (str(bad), bad.reason) == (f"a.jsonl:2: {told}", reason)


def test_a_row_with_other_columns_than_the_first_is_an_error(tmp_path: Path):
    write_rows(tmp_path / "a.jsonl", [{"prompt": ASKED}, {"question": ASKED}])
    told = (
        "a.jsonl:2: no column 'prompt', which the file's first row has; found 'question'. Name it "
        "alike in all rows."
    )
    with pytest.raises(DataError, match=re.escape(told)):
        list(read_texts("a.jsonl", tmp_path))


def test_no_message_on_files_of_prompts_speaks_of_a_source(tmp_path: Path):
    """Whose settings `path` and `reader` nobody has written here."""
    write_rows(tmp_path / "a.jsonl", [{"prompt": ASKED}])
    (tmp_path / "b.csv").write_text("prompt\nWhy?\n")
    (tmp_path / "empty").mkdir()
    for path in ("gone-*.jsonl", ".", "*", "empty", "gone/x"):
        with pytest.raises(DataError) as error:
            list(read_texts(path, tmp_path))
        assert not re.search("source|reader|`path`|config", str(error.value))


def test_each_turn_of_the_user_is_a_text_of_its_own(tmp_path: Path):
    turns = [{"role": "system", "content": "Be brief."}, *SAID, {"role": "user", "content": "Why?"}]
    write_rows(tmp_path / "a.jsonl", [{"messages": turns}])
    read = [
        (t.text, t.source) for t in read_texts("a.jsonl", tmp_path) if isinstance(t, Instruction)
    ]
    assert read == [(ASKED, "a.jsonl:1"), ("Why?", "a.jsonl:1, turn 2")]


def test_columns_that_hold_no_prompt_are_named(tmp_path: Path):
    write_rows(tmp_path / "a.jsonl", [{"score": 1, "label": "A"}])
    with pytest.raises(DataError, match="found no column of prompts among 'score', 'label'"):
        list(read_texts("a.jsonl", tmp_path))


def test_a_form_that_there_is_none_of_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="--form: found 'opnai'. Did you mean 'openai'?"):
        list(read_texts("a.jsonl", tmp_path, form="opnai"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="gone.jsonl: no such file or folder"):
        list(read_texts("gone.jsonl", tmp_path))
