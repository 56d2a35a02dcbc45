"""Reading instructions: forms, filters, bad lines, and files that are not what they should be."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources import READERS, read_instructions
from ste_plugin.instructions.sources.readers import read_jsonl
from ste_plugin.records import Drop, Instruction


def written(folder: Path, *lines: Any, name: str = "a.jsonl") -> Path:
    """Write a file of lines: bytes as they are, anything else as JSON."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path = folder / name
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def read(
    base: Path, *sources: dict[str, Any], **settings: Any
) -> tuple[list[Instruction], list[Drop]]:
    given = sources or ({"path": "a.jsonl", **settings},)
    return read_instructions([SourceConfig(**s) for s in given], base, READERS.__getitem__)


def texts(base: Path, **settings: Any) -> list[str]:
    return [i.text for i in read(base, **settings)[0]]


def reasons(base: Path, **settings: Any) -> list[str]:
    return [d.reason for d in read(base, **settings)[1]]


# Forms


def test_the_plain_form_reads_instruction_category_and_id(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": " Sort a list. ", "category": "coding", "id": 7})
    (found,), drops = read(tmp_path)
    assert (found.text, found.category, found.source) == ("Sort a list.", "coding", "a.jsonl:1 (7)")
    assert drops == []


def test_columns_map_the_forms_names_to_the_files(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "Hi", "kind": "other"})
    (found,), _ = read(tmp_path, columns={"instruction": "prompt", "category": "kind"})
    assert (found.text, found.category) == ("Hi", "other")


def test_wildchat_gives_the_first_user_turn(tmp_path: Path) -> None:
    turns = [("assistant", "Hello"), ("user", "First"), ("assistant", "x"), ("user", "Second")]
    written(tmp_path, {"conversation": [{"role": r, "content": c} for r, c in turns]})
    assert texts(tmp_path, form="wildchat") == ["First"]


def test_sharegpt_gives_the_first_turn_of_the_human(tmp_path: Path) -> None:
    turns = [("system", "Be brief"), ("human", "First"), ("gpt", "x")]
    written(tmp_path, {"conversations": [{"from": f, "value": v} for f, v in turns]})
    assert texts(tmp_path, form="sharegpt") == ["First"]


def test_openai_content_may_be_text_parts(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    written(
        tmp_path,
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]},
        {"messages": [{"role": "user", "content": "Plain"}]},
    )
    assert texts(tmp_path, form="openai") == ["One\nTwo", "Plain"]


def test_an_image_part_is_no_instruction(tmp_path: Path) -> None:
    written(tmp_path, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})
    with pytest.raises(DataError, match=r"a\.jsonl:1: .*'text' only, found .*image_url"):
        read(tmp_path, form="openai")


def test_alpaca_appends_its_input_after_a_blank_line(tmp_path: Path) -> None:
    written(
        tmp_path,
        {"instruction": "Translate.", "input": "Guten Tag", "output": "Hello"},
        {"instruction": "Name a river.", "input": ""},
        {"instruction": "Name a sea."},
    )
    assert texts(tmp_path, form="alpaca") == [
        "Translate.\n\nGuten Tag",
        "Name a river.",
        "Name a sea.",
    ]


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        ("hi", "expected a list of turns, found str 'hi'"),
        (["hi"], "expected a list of turns, found list"),
        ([{"role": "user"}], "found one without 'content'"),
        ([{"role": "assistant", "content": "x"}], "no turn of the user among 1"),
        ([], "no turn of the user among 0"),
        ([{"role": "user", "content": 5}], "expected text, found int '5'"),
    ],
)
def test_a_conversation_of_another_shape_is_told(
    tmp_path: Path, conversation: Any, said: str
) -> None:
    written(tmp_path, {"conversation": conversation})
    with pytest.raises(DataError) as error:
        read(tmp_path, form="wildchat")
    assert "a.jsonl:1: conversation" in str(error.value)
    assert said in str(error.value)


# Keys


def test_equal_texts_have_equal_keys_wherever_they_are_read(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "Hi "}, {"instruction": "\nHi"}, {"instruction": "Ho"})
    found, _ = read(tmp_path)
    assert found[0].key == found[1].key != found[2].key


def test_a_lone_surrogate_becomes_a_replacement_character(tmp_path: Path) -> None:
    written(tmp_path, b'{"instruction": "a\\ud800b \\ud83d\\ude00"}')
    assert texts(tmp_path) == ["a\ufffdb \U0001f600"]


@given(st.text())
def test_whatever_a_line_says_its_text_is_stripped_and_fits_utf8(text: str) -> None:
    from ste_plugin.instructions.sources.forms import BadRow, read_row

    try:
        found = read_row("p", {"instruction": text}, SourceConfig(path="p"))
    except BadRow as error:
        assert error.reason == "empty instruction"
    else:
        assert found.text == found.text.strip() != ""
        assert found.text.encode()


# Filters


def test_where_leaves_rows_out_by_the_first_column_that_differs(tmp_path: Path) -> None:
    rows = [("English", False), ("german", False), ("English", True), ("english", False)]
    written(tmp_path, *({"instruction": f"{r}", "language": r[0], "toxic": r[1]} for r in rows))
    where = {"language": "English", "toxic": False}
    assert texts(tmp_path, where=where) == ["('English', False)"]
    assert reasons(tmp_path, where=where) == [
        "filtered: language",
        "filtered: toxic",
        "filtered: language",
    ]


@pytest.mark.parametrize(
    ("found", "wanted", "kept"),
    [
        ("true", True, True),
        ("True", True, True),
        ("false", True, False),
        ("1", True, False),
        ("3", 3, True),
        ("3.0", 3, True),
        ("0.5", 0.5, True),
        ("many", 3, False),
        ("3", "3", True),
        (3, "3", False),
        (1, True, False),
        (True, 1, False),
        (1.0, 1, True),
        (None, False, False),
    ],
)
def test_text_is_compared_as_the_type_that_the_filter_has(
    tmp_path: Path, found: Any, wanted: Any, kept: bool
) -> None:
    written(tmp_path, {"instruction": "x", "v": found}, {"instruction": "always", "v": wanted})
    assert ("x" in texts(tmp_path, where={"v": wanted})) is kept


def test_a_filter_on_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "x", "language": "English"})
    with pytest.raises(
        DataError, match=r"no column 'langage'; found 'instruction', 'language'"
    ) as e:
        read(tmp_path, where={"langage": "English"})
    assert "Did you mean 'language'?" in str(e.value)


# Bad lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"instruction": "tor', "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b"[1, 2]", "expected a JSON object, found list"),
        (b'{"instruction": "\xff"}', "not a JSON object"),
        (b'{"instruction": "  "}', "found an empty one"),
        (b'{"instruction": null}', "found an empty one"),
        (b'{"instruction": ["a"]}', "expected text, found list"),
    ],
)
def test_a_bad_line_names_file_and_line_and_the_way_to_skip_it(
    tmp_path: Path, line: bytes, said: str
) -> None:
    written(tmp_path, {"instruction": "fine"}, b"", line)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert "a.jsonl:3: " in str(error.value)
    assert said in str(error.value)
    assert "set on_bad_line: skip" in str(error.value)


def test_skipped_lines_are_counted_and_those_behind_them_read(tmp_path: Path) -> None:
    written(
        tmp_path, b"{", {"instruction": "a"}, {"instruction": ""}, {"x": 1}, {"instruction": "b"}
    )
    found, drops = read(tmp_path, on_bad_line="skip")
    assert [i.text for i in found] == ["a", "b"]
    assert drops == [
        Drop("sources", "a.jsonl:1", "malformed line"),
        Drop("sources", "a.jsonl:3", "empty instruction"),
        Drop("sources", "a.jsonl:4", "no column 'instruction'"),
    ]


def test_a_bom_crlf_and_empty_lines_are_no_matter(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'\xef\xbb\xbf{"instruction": "a"}\r\n\r\n  \r\n{"instruction": "b"}'
    )
    found, _ = read(tmp_path)
    assert [(i.text, i.source) for i in found] == [("a", "a.jsonl:1"), ("b", "a.jsonl:4")]


def test_nothing_left_tells_rows_reasons_and_the_first_problem(tmp_path: Path) -> None:
    row = {"instruction": "x", "language": "German"}
    written(tmp_path, row, row, b"{")
    with pytest.raises(DataError) as error:
        read(tmp_path, where={"language": "English"}, on_bad_line="skip")
    assert "left of 3 rows read (filtered: language 2, malformed line 1)" in str(error.value)
    assert "The first bad line: a.jsonl:3: expected a JSON object" in str(error.value)


def test_an_empty_file_is_told_as_zero_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match="left of 0 rows read;"):
        read(tmp_path)


# Columns


def test_a_wrong_column_names_those_found_the_nearest_and_the_cure(tmp_path: Path) -> None:
    written(tmp_path, {"instructions": "x", "note": 1})
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert "no column 'instruction'; found 'instructions', 'note'" in str(error.value)
    assert "set columns: {instruction: instructions}" in str(error.value)


def test_a_usual_name_is_proposed_where_none_is_alike(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "x"})
    with pytest.raises(DataError, match=r"set columns: \{instruction: prompt\}"):
        read(tmp_path)


def test_columns_of_another_form_are_recognised(tmp_path: Path) -> None:
    written(tmp_path, {"messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(DataError, match="The columns fit form: openai"):
        read(tmp_path)


def test_mapping_a_column_that_the_form_lacks_is_a_config_error(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "x"})
    with pytest.raises(ConfigError, match="Did you mean 'instruction'"):
        read(tmp_path, columns={"instuction": "prompt"})


def test_a_mapped_category_must_be_there(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "x"})
    with pytest.raises(DataError, match="no column 'topic'"):
        read(tmp_path, columns={"category": "topic"})


# Files


@pytest.mark.parametrize("reader", ["jsonl", "csv", "parquet"])
def test_a_missing_file_is_named_by_its_resolved_path(tmp_path: Path, reader: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path / "configs", {"path": "../gone.x", "reader": reader})
    assert f"{tmp_path / 'gone.x'}: no such file" in str(error.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        read(tmp_path, {"path": "."})


def test_sources_are_read_in_order_each_to_its_limit(tmp_path: Path) -> None:
    written(tmp_path, *({"instruction": f"a{i}"} for i in range(3)))
    written(tmp_path, *({"instruction": f"b{i}"} for i in range(3)), name="b.jsonl")
    found, _ = read(tmp_path, {"path": "b.jsonl", "limit": 1}, {"path": "a.jsonl", "limit": 2})
    assert [i.text for i in found] == ["b0", "a0", "a1"]


def test_a_limit_ends_an_endless_stream(tmp_path: Path) -> None:
    def endless(_: SourceConfig, __: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        for number in count():
            yield f"stream#{number}", {"instruction": f"q{number}", "even": number % 2 == 0}

    source = SourceConfig(path="-", reader="endless", limit=3, where={"even": True})
    found, drops = read_instructions([source], tmp_path, lambda _: endless)
    assert [i.text for i in found] == ["q0", "q2", "q4"]
    assert len(drops) == 2


def test_rows_behind_the_limit_are_not_even_parsed(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "a"}, b"broken")
    assert texts(tmp_path, limit=1) == ["a"]


# CSV


def csv_file(folder: Path, content: bytes) -> dict[str, Any]:
    (folder / "a.csv").write_bytes(content)
    return {"path": "a.csv", "reader": "csv"}


def test_csv_fields_may_hold_line_breaks_and_places_stay_true(tmp_path: Path) -> None:
    content = (
        b'\xef\xbb\xbfinstruction,toxic\r\n"one\ntwo",false\r\n\r\nthree,false\r\nfour,true\r\n'
    )
    found, drops = read(tmp_path, csv_file(tmp_path, content) | {"where": {"toxic": False}})
    assert [(i.text, i.source) for i in found] == [("one\ntwo", "a.csv:2"), ("three", "a.csv:5")]
    assert drops == [Drop("sources", "a.csv:6", "filtered: toxic")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"a,b,c", "expected 2 fields as in the header, found 3: 'a,b,c'"),
        (b"a", "expected 2 fields as in the header, found 1"),
        (b'"a"b,c', "broken quoting"),
        (b"caf\xe9,c", "expected UTF-8"),
    ],
)
def test_a_malformed_csv_record_is_told_or_skipped(tmp_path: Path, line: bytes, said: str) -> None:
    source = csv_file(tmp_path, b"instruction,x\nfine,1\n" + line + b"\nalso fine,2\n")
    with pytest.raises(DataError) as error:
        read(tmp_path, source)
    assert "a.csv:3: " in str(error.value)
    assert said in str(error.value)
    found, drops = read(tmp_path, source | {"on_bad_line": "skip"})
    assert [i.text for i in found] == ["fine", "also fine"]
    assert drops == [Drop("sources", "a.csv:3", "malformed line")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"instruction,instruction\na,b\n", "names 'instruction' more than once"),
        (b"caf\xe9\na\n", "bytes that are not UTF-8"),
        (b"\na\n", "an empty line"),
    ],
)
def test_a_header_that_cannot_be_used_is_an_error(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=f"a.csv:1: .*{said}"):
        read(tmp_path, csv_file(tmp_path, content) | {"on_bad_line": "skip"})


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_what_pythons_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["instruction", "n"], *([v, "1"] for v in values)])
    rows = list(READERS["csv"](SourceConfig(path="a.csv"), folder))
    assert [row["instruction"] for _, row in rows] == values


# Parquet and hub


def parquet_file(
    folder: Path, rows: list[dict[str, Any]], name: str = "a.parquet"
) -> dict[str, Any]:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(rows), folder / name)
    return {"path": name, "reader": "parquet"}


def test_parquet_holds_conversations_and_typed_filters(tmp_path: Path) -> None:
    rows = [
        {"conversation": [{"role": "user", "content": f"q{n}"}], "toxic": n % 2 == 1}
        for n in range(600)
    ]
    settings = {"form": "wildchat", "where": {"toxic": False}}
    found, drops = read(tmp_path, parquet_file(tmp_path, rows) | settings)
    assert [i.text for i in found[:2]] == ["q0", "q2"]
    assert (len(found), len(drops), found[-1].source) == (300, 300, "a.parquet#598")


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    written(tmp_path, {"instruction": "x"})
    with pytest.raises(DataError, match=r"a\.jsonl: not a readable Parquet file"):
        read(tmp_path, reader="parquet")


@pytest.mark.parametrize(("reader", "module"), [("parquet", "pyarrow"), ("hub", "datasets")])
def test_a_missing_extra_names_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, module: str
) -> None:
    written(tmp_path, {"instruction": "x"})
    for name in [n for n in sys.modules if n.split(".")[0] == module] + [module]:
        monkeypatch.setitem(sys.modules, name, None)  # what the import system calls "not there"
    with pytest.raises(ConfigError, match=r"pip install 'ste-plugin\[data\]'"):
        read(tmp_path, reader=reader)


HUB = """
import sys
from pathlib import Path
from ste_plugin.config import SourceConfig
from ste_plugin.errors import DataError
from ste_plugin.instructions.sources import READERS, read_instructions

def told(**settings):
    try:
        found, _ = read_instructions([SourceConfig(reader="hub", **settings)], Path(), READERS.get)
        print([(i.text, i.source.rpartition("#")[2]) for i in found])
    except DataError as error:
        print(type(error).__name__, str(error).splitlines()[0])

told(path=sys.argv[1], limit=2)
told(path=sys.argv[1], split="nope")
told(path=sys.argv[1], subset="nope")
told(path="nobody/nothing-at-all")
"""


@pytest.mark.slow
def test_a_hub_data_set_streams_and_its_failures_are_told(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    written(folder, *({"instruction": f"q{n}"} for n in range(50)))
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", HUB, str(folder)]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=True)
    read_two, no_split, no_subset, nobody = done.stdout.splitlines()
    assert read_two == "[('q0', '0'), ('q1', '1')]"
    assert no_split.startswith("DataError hub:")
    assert "Bad split: nope" in no_split
    assert "'nope' not found" in no_subset
    assert nobody.startswith("DataError hub:nobody/nothing-at-all (split 'train'): cannot be read")


def test_reading_jsonl_loads_neither_pyarrow_nor_datasets() -> None:
    script = (
        "import sys, ste_plugin.instructions.sources, ste_plugin.instructions.selection\n"
        "print([m for m in ('pyarrow', 'datasets', 'datasketch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_readers_are_lazy(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "a"}, b"broken")
    rows = read_jsonl(SourceConfig(path="a.jsonl"), tmp_path)
    assert next(rows) == ("a.jsonl:1", {"instruction": "a"})
