"""Files that are not there, or are none."""

from pathlib import Path

import pytest

from ste_plugin.errors import DataError
from tests.helpers.source_files import read


@pytest.mark.parametrize("reader", ["jsonl", "csv", "parquet"])
def test_a_missing_file_is_named_by_its_resolved_path(tmp_path: Path, reader: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path / "configs", {"path": "../gone.x", "reader": reader})
    assert f"{tmp_path / 'gone.x'}: no such file" in str(error.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        read(tmp_path, {"path": "."})
