"""Reading instructions: filters, bad lines, limits, CSV and data sets of a hub."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources import READERS, read_instructions
from ste_plugin.records import Drop
from tests.helpers.packed_files import PACKERS, json_lines, lay_out, numbered
from tests.helpers.source_files import (
    WRITERS,
    read,
    reasons,
    split_drops,
    texts,
    write_jsonl,
    write_parquet_by_datasets,
    written,
)

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


@pytest.mark.parametrize("bad_line", ["error", "skip"])
@pytest.mark.parametrize("start", [b"[", b'[{"instruction": "a"},', b'[{"instruction": "a"}]'])
def test_a_json_list_is_told_as_one_and_no_line_of_it_read(
    tmp_path: Path, start: bytes, bad_line: str
) -> None:
    written(tmp_path, start, b'{"instruction": "b"},', b'{"instruction": "c"}', b"]")
    with pytest.raises(DataError) as error:
        read(tmp_path, on_bad_line=bad_line)
    told = str(error.value)
    assert "a.jsonl:1: expected one JSON object a line, found the start of a list" in told
    assert "jq -c '.[]' OLD > NEW" in told and "on_bad_line" not in told


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


# Limits


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
    found, drops = split_drops(read_instructions([source], tmp_path, lambda _: endless))
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


@pytest.mark.parametrize("bad_line", ["error", "skip"])
@pytest.mark.parametrize(
    "record",
    [
        b'"First\nsaid "so" and\nlast",2',  # the error is in its second line
        b'"First said "so" and\nlast",2',  # in its first
        b'"First\nlast,2',
    ],
)
def test_nothing_is_read_below_a_csv_record_whose_end_cannot_be_told(
    tmp_path: Path, record: bytes, bad_line: str
) -> None:
    content = b"instruction,x\nfine,1\n" + record + b"\nalso fine,3\n"
    with pytest.raises(DataError, match=r"a.csv:3: .*broken quoting.*where it ends cannot be told"):
        read(tmp_path, csv_file(tmp_path, content) | {"on_bad_line": bad_line})


def test_a_csv_field_may_be_as_long_as_a_book(tmp_path: Path) -> None:
    book = "word " * 100_000 + "end"
    content = f'instruction,x\n"{book}",1\nfine,2\n'.encode()
    assert [i.text for i in read(tmp_path, csv_file(tmp_path, content))[0]] == [book, "fine"]


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


# The same rows through every reader

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
said = words.map(lambda text: f"Say {text}")  # no JSON, which `datasets` cannot tell from its own
parts = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": said}), max_size=2)
turn = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"])},
    optional={
        "content": st.one_of(said, st.none(), parts),
        "name": said,
        "tool_calls": st.lists(st.fixed_dictionaries({"n": st.one_of(st.integers(0, 9), said)})),
    },
)
ids = st.one_of(st.none(), st.integers(0, 10**6), said)
plain_rows = st.fixed_dictionaries(
    {
        "instruction": st.one_of(said, said, st.none(), st.just(" "), parts),
        "category": st.one_of(st.none(), said),
        "id": ids,
        "note": st.one_of(
            ids,
            st.lists(st.one_of(st.integers(0, 9), said), max_size=2),
            st.dictionaries(said, ids, min_size=1, max_size=1),
        ),
    }
)
text_rows = st.fixed_dictionaries(
    dict.fromkeys(["instruction", "category"], st.one_of(said, st.none()))
)
chats = st.fixed_dictionaries({"messages": st.lists(turn, max_size=4), "id": ids})
any_rows = st.one_of(
    *(
        st.tuples(st.just("plain"), st.lists(rows, min_size=1, max_size=4))
        for rows in (plain_rows, text_rows)
    ),
    st.tuples(st.just("openai"), st.lists(chats, min_size=1, max_size=4)),
)


def told(base: Path, source: dict[str, Any]) -> tuple[list[Any], list[Any], str]:
    """What is read of a source without its name: instructions, drops and why there is none."""
    try:
        found, drops = read(base, source)
    except DataError as error:
        return [], [], str(error).splitlines()[0].partition(":")[2]
    instructions = [(i.key, i.text, i.category, i.source.partition(" ")[2]) for i in found]
    return instructions, [drop.reason for drop in drops], ""


@settings(deadline=None)  # the first example imports `datasets`
@given(any_rows)
def test_the_same_rows_through_every_reader_give_the_same_instructions(
    tmp_path_factory: pytest.TempPathFactory, form_and_rows: tuple[str, list[dict[str, Any]]]
) -> None:
    form, rows = form_and_rows
    folder = tmp_path_factory.mktemp("rows")
    settings = {"form": form, "on_bad_line": "skip"}
    outcomes = {}
    for name, (file, write) in WRITERS.items():
        try:
            write(folder / file, rows)
        except (ValueError, TypeError):  # values of several types, which neither can tell
            assert name in ("csv", "parquet")
            continue
        outcomes[name] = told(folder, settings | {"path": file, "reader": file.partition(".")[2]})
    assert [name for name in outcomes if outcomes[name] != outcomes["jsonl"]] == [], outcomes
    assert "parquet by datasets" in outcomes


@pytest.mark.parametrize("reader", [*READERS, "mine"])
def test_a_subset_is_refused_where_a_file_is_read(reader: str) -> None:
    if reader in ("hub", "mine"):
        assert SourceConfig(path="a", reader=reader, subset="main").subset == "main"
        return
    with pytest.raises(ValidationError, match=f"subset: main with reader: {reader}; expected"):
        SourceConfig(path="a", reader=reader, subset="main")


@settings(deadline=None, max_examples=20)
@given(any_rows)
def test_the_hub_reader_gives_the_same_instructions_whatever_the_data_set_is_kept_in(
    tmp_path_factory: pytest.TempPathFactory, form_and_rows: tuple[str, list[dict[str, Any]]]
) -> None:
    form, rows = form_and_rows
    folder = tmp_path_factory.mktemp("rows")
    source = {"form": form, "on_bad_line": "skip"}
    write_jsonl(folder / "a.jsonl", rows)
    expected = told(folder, source | {"path": "a.jsonl"})
    for file, write in (("b.jsonl", write_jsonl), ("b.parquet", write_parquet_by_datasets)):
        data_set = folder / file.replace(".", "-")
        data_set.mkdir()
        write(data_set / file, rows)
        assert told(folder, source | {"path": str(data_set), "reader": "hub"}) == expected, file


@pytest.mark.parametrize("broken", ["a.jsonl.gz", "b.jsonl.gz"])
def test_a_broken_file_of_a_hub_data_set_is_told_with_the_row(tmp_path: Path, broken: str) -> None:
    pytest.importorskip("datasets")
    packed = {name: PACKERS[".gz"](json_lines(*numbered(0, 9))) for name in ("a", "b")}
    files = {f"{name}.jsonl.gz": content for name, content in packed.items()}
    lay_out(tmp_path / "set", files | {broken: packed["a"][:-9]})
    settings = {"path": str(tmp_path / "set"), "reader": "hub", "on_bad_line": "skip"}
    row = 0 if broken.startswith("a") else 9
    with pytest.raises(DataError, match=rf"hub:.*cannot be read, at row {row} \(EOFError"):
        read(tmp_path, settings)


# Extras


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
        found = list(
            read_instructions([SourceConfig(reader="hub", **settings)], Path(), READERS.get)
        )
        print([(i.text, i.source.rpartition("#")[2]) for i in found])
    except DataError as error:
        print(type(error).__name__, str(error).splitlines()[0])

told(path=sys.argv[1], limit=2)
told(path=sys.argv[1], split="nope")
told(path=sys.argv[1], subset="nope")
told(path="nobody/nothing-at-all")
told(path=sys.argv[2])
"""


@pytest.mark.slow
def test_a_hub_data_set_streams_and_its_failures_are_told(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    written(folder, *({"instruction": f"q{n}"} for n in range(50)))
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    nulls = tmp_path / "nulls"
    nulls.mkdir()
    written(nulls, {"instruction": "q", "note": [None, None]})  # which `datasets` 4.8 stumbles over
    command = [sys.executable, "-c", HUB, str(folder), str(nulls)]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=True)
    read_two, no_split, no_subset, nobody, of_nulls = done.stdout.splitlines()
    assert read_two == "[('q0', '0'), ('q1', '1')]"
    assert no_split.startswith("DataError hub:")
    assert "Bad split: nope" in no_split
    assert "'nope' not found" in no_subset
    assert nobody.startswith("DataError hub:nobody/nothing-at-all (split 'train'): cannot be read")
    assert of_nulls == "[('q', '0')]" or of_nulls.startswith(
        f"DataError hub:{nulls} (split 'train')"
    )


def test_reading_jsonl_loads_neither_pyarrow_nor_datasets() -> None:
    script = (
        "import sys, ste_plugin.instructions.sources, ste_plugin.instructions.selection\n"
        "print([m for m in ('pyarrow', 'datasets', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_readers_are_lazy(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "a"}, b"broken")
    rows = READERS["jsonl"](SourceConfig(path="a.jsonl"), tmp_path)
    assert next(rows) == ("a.jsonl:1", {"instruction": "a"})
