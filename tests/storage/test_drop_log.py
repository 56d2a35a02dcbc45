"""Drops that are held on the disk until they are written to their log."""

from pathlib import Path

import pytest

from ste_plugin.errors import DataError
from ste_plugin.records import Drop
from ste_plugin.storage import durable
from ste_plugin.storage.drop_log import hold_records

FULL = Path("/dev/full")


def test_held_drops_come_back_in_their_order_and_leave_no_file(tmp_path):
    drops = [Drop("pairs", f"{n}\n\ud800", "why") for n in range(3)]
    with hold_records(tmp_path / "pool", Drop) as held:
        held.add(drops[:2])
        held.add(drops[2:])
        assert list(held) == drops
    assert list((tmp_path / "pool").iterdir()) == []


@pytest.mark.parametrize("is_read", [True, False])
def test_a_full_disk_is_told_by_its_folder(monkeypatch, tmp_path, is_read):
    monkeypatch.setattr(durable, "TemporaryFile", lambda **_: FULL.open("r+b"))
    with (
        pytest.raises(DataError, match=f"{tmp_path}: cannot be written .* The disk is full"),
        hold_records(tmp_path, Drop) as held,
    ):
        held.add([Drop("pairs", "a", "why")])
        if is_read:
            list(held)


def test_what_fails_meanwhile_and_is_no_write_is_told_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="words.txt"), hold_records(tmp_path, Drop) as held:
        held.add([Drop("pairs", "a", "why")])
        (tmp_path / "words.txt").read_text()
