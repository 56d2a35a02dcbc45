"""Parquet files."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.parquet import json_decoders, parquet_rows
from tests.helpers.source_files import (
    read,
    write_parquet,
    write_parquet_by_datasets,
    written,
)


def parquet_file(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    write_parquet(folder / "a.parquet", rows)
    return {"path": "a.parquet", "reader": "parquet"}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in parquet_rows(folder / "a.parquet", "a.parquet")]


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


MIXED = [
    {
        "plain": "Name a fruit.",
        "turns": [{"role": "user", "content": "Hi"}, {"role": "tool", "content": "3", "name": "n"}],
        "deep": {"rows": [{"x": {"y": 1}}, {"x": {"z": "a"}}], "n": 1},
        "id": 7,
        "same": "text",
    },
    {
        "plain": ["Name a sea."],
        "turns": [{"role": "user", "content": [{"type": "text", "text": "Ho"}]}],
        "deep": {"rows": [], "n": 2},
        "id": "x7",
        "same": '["a text that happens to be JSON"]',
    },
    {"plain": None, "turns": None, "deep": None, "id": None, "same": None},
]
"""Rows whose values differ in type: at the top, in lists, and in structs within lists."""


def test_what_datasets_writes_as_json_is_read_as_it_was(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", minversion="4.7")
    write_parquet_by_datasets(tmp_path / "a.parquet", MIXED)
    features = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet")).features
    assert {name for name, feature in features.items() if "Json" in str(feature)} == {
        "plain",
        "turns",
        "deep",
        "id",
    }
    assert rows_of(tmp_path) == MIXED


JSON_TEXTS = {
    "plain": ['"Name a fruit."', "5", "null", None],
    "turns": [['{"role": "user"}', '"x"'], [], [None], None],
    "deep": [{"rows": [{"x": "[1]"}]}, {"rows": []}, {"rows": None}, None],
}
READ = {
    "plain": ["Name a fruit.", 5, None, None],
    "turns": [[{"role": "user"}, "x"], [], [None], None],
    "deep": [{"rows": [{"x": [1]}]}, {"rows": []}, {"rows": None}, None],
}
JSON = {"_type": "Json"}


@pytest.mark.parametrize(
    "features",
    [
        {
            "plain": JSON,
            "turns": {"feature": JSON, "_type": "List"},
            "deep": {"rows": {"feature": {"x": JSON}, "_type": "LargeList"}},
        },
        {"plain": JSON, "turns": [JSON], "deep": {"rows": [{"x": JSON}]}},
    ],
)
def test_metadata_alone_tell_which_texts_are_json(tmp_path: Path, features: dict[str, Any]) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    table = arrow.table(JSON_TEXTS).replace_schema_metadata(noted)
    parquet.write_table(table, tmp_path / "a.parquet")
    expected = zip(*READ.values(), strict=True)
    assert rows_of(tmp_path) == [dict(zip(READ, row, strict=True)) for row in expected]


@pytest.mark.parametrize("store_schema", [True, False])
def test_the_type_alone_tells_which_texts_are_json(tmp_path: Path, store_schema: bool) -> None:
    arrow = pytest.importorskip("pyarrow", minversion="19")
    parquet = pytest.importorskip("pyarrow.parquet")
    column = arrow.array(JSON_TEXTS["plain"], arrow.json_())
    table = arrow.table({"plain": column})
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=store_schema)
    assert [row["plain"] for row in rows_of(tmp_path)] == READ["plain"]


def test_an_old_pyarrow_shows_json_as_bytes_and_says_so_in_the_field() -> None:
    arrow = pytest.importorskip("pyarrow")
    said = {"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}
    field = arrow.field("plain", arrow.binary(), metadata=said)
    column = [text and text.encode() for text in JSON_TEXTS["plain"]]
    decode = json_decoders(arrow.schema([field]))["plain"]
    assert [decode(value) for value in column] == READ["plain"]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"huggingface": "no JSON"},
        {"huggingface": "[]"},
        {"huggingface": '{"info": {"features": null}}'},
        {"huggingface": '{"info": {"features": {"plain": {"dtype": "string", "_type": "Value"}}}}'},
        {"huggingface": '{"info": {"features": {"another": {"_type": "Json"}}}}'},
    ],
)
def test_texts_that_merely_look_like_json_stay_texts(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"plain": JSON_TEXTS["plain"]}).replace_schema_metadata(metadata)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert [row["plain"] for row in rows_of(tmp_path)] == JSON_TEXTS["plain"]


def test_a_text_that_is_no_json_in_spite_of_the_schema_stays_as_it_is(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    noted = {"huggingface": json.dumps({"info": {"features": {"plain": JSON}}})}
    texts = ["Name a fruit.", '{"cut', "[" * 100_000]
    table = arrow.table({"plain": texts}).replace_schema_metadata(noted)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert [row["plain"] for row in rows_of(tmp_path)] == texts


def test_keys_that_only_other_turns_have_are_no_fault(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Rhyme.", "weight": 0},
        {"role": "user", "content": "Name a sea."},
        {"role": "assistant", "tool_calls": ["look up"]},
    ]
    found, drops = read(
        tmp_path, parquet_file(tmp_path, [{"messages": turns}]) | {"form": "openai"}
    )
    assert ([i.text for i in found], drops) == (["Rhyme.\n\nName a sea."], [])


@pytest.mark.parametrize("kind", ["large_string", "string_view", "dictionary"])
def test_texts_are_texts_however_arrow_keeps_them(tmp_path: Path, kind: str) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kept = arrow.array(["Name a sea.", None])
    kept = kept.dictionary_encode() if kind == "dictionary" else kept.cast(getattr(arrow, kind)())
    parquet.write_table(arrow.table({"instruction": kept}), tmp_path / "a.parquet")
    assert [row["instruction"] for row in rows_of(tmp_path)] == ["Name a sea.", None]


def test_a_file_is_read_in_little_memory(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    draw = random.Random(0)
    texts = [draw.randbytes(500).hex() for _ in range(40_000)]
    parquet.write_table(arrow.table({"plain": texts}), tmp_path / "a.parquet", compression=None)
    del texts
    before, most = arrow.total_allocated_bytes(), 0
    for _ in parquet_rows(tmp_path / "a.parquet", "a.parquet"):
        most = max(most, arrow.total_allocated_bytes() - before)
    assert (tmp_path / "a.parquet").stat().st_size > 40e6
    assert most < 8e6


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = [arrow.array([text]) for text in ("one", "two", "x")]
    table = arrow.Table.from_arrays(columns, names=["instruction", "instruction", "id"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="a.parquet: 'instruction' names more than one column"):
        read(tmp_path, path="a.parquet", reader="parquet")
