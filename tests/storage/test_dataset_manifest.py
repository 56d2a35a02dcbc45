"""Files of rows: named by their hash, and without what was taken back."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.storage import dataset_manifest
from ste_plugin.storage.dataset_manifest import open_row_file, write_rows


@given(
    st.lists(st.tuples(st.lists(st.integers(), max_size=3), st.booleans()), max_size=9),
    st.integers(1, 40),
)
def test_rows_that_do_not_stay_leave_no_trace_in_their_file(tmp_path_factory, added, piece):
    folder, entries = tmp_path_factory.mktemp("rows"), {}
    with pytest.MonkeyPatch.context() as patch, open_row_file(folder, "sft-train", entries) as file:
        patch.setattr(dataset_manifest, "_MAX_CHUNK", piece)
        for numbers, _ in added:
            file.add({"n": n} for n in numbers)
        file.keep(stays for _, stays in added)
    expected = write_rows(folder, "other", ({"n": n} for ns, stays in added if stays for n in ns))
    assert {**expected, "path": ""} == {**entries["sft-train"], "path": ""}


def test_rows_written_as_they_come_are_named_by_their_hash(tmp_path):
    entry = write_rows(tmp_path, "sft-train", ({"n": n} for n in range(3)))
    content = b'{"n":0}\n{"n":1}\n{"n":2}\n'
    digest = hashlib.sha256(content).hexdigest()
    assert entry == {"path": f"sft-train-{digest[:12]}.jsonl", "sha256": digest, "rows": 3}
    assert (tmp_path / entry["path"]).read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == [entry["path"]]
