"""Parquet files."""

from pathlib import Path
from typing import Any

import pytest

from ste_plugin.errors import DataError
from tests.helpers.source_files import read, written


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
