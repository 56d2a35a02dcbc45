"""Packed files: read as if they were not, and told where they break."""

import gzip
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.sources import READERS, read_instructions
from tests.helpers.packed_files import PACKERS, csv_lines, in_pieces, json_lines, lay_out, numbered
from tests.helpers.source_files import read, texts, write_parquet

PACKED = [ending for ending in PACKERS if ending]
WRITERS = {"jsonl": json_lines, "csv": csv_lines}


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_packed_file_is_read_as_if_it_were_not(tmp_path: Path, ending: str, kind: str) -> None:
    content = WRITERS[kind](*numbered(0, 9))
    lay_out(tmp_path, {f"a.{kind}{ending}": PACKERS[ending](content)})
    found, _ = read(tmp_path, path=f"a.{kind}{ending}", reader=kind)
    assert [i.text for i in found] == [f"q{n}" for n in range(9)]
    assert found[2].source == f"a.{kind}{ending}:{3 if kind == 'jsonl' else 4}"


@pytest.mark.parametrize("ending", PACKED)
def test_a_packed_file_is_known_whatever_it_is_called(tmp_path: Path, ending: str) -> None:
    lay_out(tmp_path, {"a.jsonl": PACKERS[ending](json_lines(*numbered(0, 2)))})
    assert texts(tmp_path) == ["q0", "q1"]


@pytest.mark.parametrize("ending", PACKED)
def test_packed_parts_that_follow_each_other_are_all_read(tmp_path: Path, ending: str) -> None:
    parts = [b'{"instruction": "q0"}\n{"instr', b"", b'uction": "q1"}\n{"instruction": "q2"}']
    lay_out(tmp_path, {f"a.jsonl{ending}": b"".join(map(PACKERS[ending], parts))})
    found, _ = read(tmp_path, path=f"a.jsonl{ending}")
    assert [(i.text, i.source[-2:]) for i in found] == [("q0", ":1"), ("q1", ":2"), ("q2", ":3")]


def test_a_zstd_file_may_begin_with_a_frame_to_skip(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    content = skipped + PACKERS[".zst"](json_lines(*numbered(0, 2)))
    lay_out(tmp_path, {"a.jsonl.zst": content})
    assert texts(tmp_path, path="a.jsonl.zst") == ["q0", "q1"]


@pytest.mark.parametrize("ending", PACKERS)
def test_pieces_are_as_people_have_them(tmp_path: Path, ending: str) -> None:
    """Among them a byte-order mark, ends of lines as in Windows, none at the end, nothing."""
    pieces = [
        b'\xef\xbb\xbf{"instruction": "q0"}\r\n\r\n{"instruction": "q1"}\r\n',
        b"",
        b"\n",
        b"\xef\xbb\xbf",
        b'{"instruction": "q2"}',
        b'\xef\xbb\xbf{"instruction": "q3"}\n',
    ]
    files = {f"x/{n}.jsonl{ending}": PACKERS[ending](piece) for n, piece in enumerate(pieces)}
    lay_out(tmp_path, files)
    assert texts(tmp_path, path="x") == ["q0", "q1", "q2", "q3"]


HTML = b"\n<!DOCTYPE html><html><body>403 Forbidden</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:8c1f\nsize 12\n"
XML = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"


def long_rows(count: int) -> list[dict[str, Any]]:
    """Rows that no packing makes short."""
    draw = random.Random(0)
    return [{"instruction": f"q{n} {draw.getrandbits(400):x}"} for n in range(count)]


def damaged(content: bytes, damage: str, pack: Callable[[bytes], bytes]) -> bytes:
    """What is left of a packed file."""
    middle = len(content) // 2
    more = pack(json_lines(*numbered(0, 9)))
    return {
        "cut off": content[:middle],
        "cut at its end": content[:-1],
        "changed": content[:middle] + b"\0" * 99 + content[middle + 99 :],
        "followed by a page": content + HTML,
        "followed by a damaged part": content + b"\0" + more[1:],
    }[damage]


DAMAGE = ["cut off", "cut at its end", "changed", "followed by a page"]


@pytest.mark.parametrize("damage", [*DAMAGE, "followed by a damaged part"])
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("ending", PACKED)
def test_a_broken_file_among_many_is_told_with_the_line_and_never_skipped(
    tmp_path: Path, ending: str, kind: str, damage: str
) -> None:
    if (ending, damage) == (".zst", "changed"):
        pytest.skip("a zstd file need not have a checksum, as this one does not")
    write, pack = WRITERS[kind], PACKERS[ending]
    files = {f"x/{n}.{kind}{ending}": pack(write(*numbered(0, 1))) for n in range(9)}
    broken = damaged(pack(write(*long_rows(4000))), damage, pack)
    lay_out(tmp_path, files | {f"x/5.{kind}{ending}": broken})
    source = {"path": "x", "reader": kind}
    with pytest.raises(DataError, match=rf"x/5\.{kind}{ending}: cannot be unpacked from") as error:
        read(tmp_path, source | {"on_bad_line": "skip"})
    line = int(str(error.value).partition("from line ")[2].partition(" ")[0])
    assert 1 <= line <= 4002
    assert "cut off or damaged" in str(error.value)
    with pytest.raises(DataError, match=rf"x/5\.{kind}{ending}:"):  # perhaps at what it unpacks to
        read(tmp_path, source)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("7.jsonl", HTML, "expected text in UTF-8, found an HTML or XML page"),
        ("7.jsonl", POINTER, "expected text in UTF-8, found a Git LFS pointer"),
        ("7.jsonl.gz", XML, "expected gzip, as its name says, found an HTML or XML page"),
        ("7.jsonl.zst", POINTER, "expected zstd, as its name says, found a Git LFS pointer"),
        ("7.jsonl.gz", b'{"instruction": "q"}', 'says, found \'{"instruction": "q"}\'. Rename'),
        ("7.jsonl.xz", b"", "expected xz, as its name says, found an empty file, or fetch"),
        ("7.jsonl", b"PAR1 and more", "found Parquet. Read it as such"),
        ("7.jsonl.gz", gzip.compress(b"PAR1 and more", mtime=0), "found Parquet. Read it as such"),
        (
            "7.jsonl.gz",
            gzip.compress(bytes(257) + b"ustar", mtime=0),
            "found a tar archive. Unpack it: tar",
        ),
        ("7.jsonl.gz", b"\x1f\x8b\x08", "cannot be unpacked from line 1 on"),
        ("7.parquet", HTML, "not a readable Parquet file: found an HTML or XML page"),
        ("7.parquet", POINTER, "not a readable Parquet file: found a Git LFS pointer"),
        ("7.parquet", b"", "not a readable Parquet file: it begins with b'' instead"),
        ("7.parquet", b"PAR1 and half of it", "its end is missing, at row 0"),
        ("7.parquet", b"PAR1 and no footer PAR1", "not a readable Parquet file: "),
    ],
)
def test_a_file_that_is_none_is_told_before_any_is_read(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    ending = name.partition(".")[2]
    lay_out(tmp_path / "x", {name: content})
    for n in (1, 2, 10, 11):
        if ending == "parquet":
            write_parquet(tmp_path / "x" / f"{n}.parquet", numbered(n, n + 1))
        else:
            packed = PACKERS[ending.removeprefix("jsonl")](json_lines({"instruction": f"q{n}"}))
            lay_out(tmp_path / "x", {f"{n}.{ending}": packed})
    source = SourceConfig(path="x", reader=ending.partition(".")[0], limit=1)
    with pytest.raises(DataError) as error:
        next(read_instructions([source], tmp_path, READERS.__getitem__))
    assert f"{tmp_path / 'x' / name}: " in str(error.value)
    assert said in str(error.value)


def test_the_files_of_all_sources_are_looked_at_first(tmp_path: Path) -> None:
    lay_out(tmp_path, {"a.jsonl": json_lines(*numbered(0, 2)), "b.jsonl": HTML})
    sources = [SourceConfig(path="a.jsonl"), SourceConfig(path="b.jsonl")]
    with pytest.raises(DataError, match=r"b\.jsonl: .*HTML"):
        next(read_instructions(sources, tmp_path, READERS.__getitem__))


def test_zstd_without_its_library_names_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, {"a.jsonl.zst": PACKERS[".zst"](json_lines(*numbered(0, 2)))})
    for name in [n for n in sys.modules if n.split(".")[0] == "pyarrow"] + ["pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)  # what the import system calls "not there"
    with pytest.raises(ConfigError, match=r"a\.jsonl\.zst: .* pip install 'ste-plugin\[data\]'"):
        texts(tmp_path, path="a.jsonl.zst")


# The same rows in any pieces

said = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
split_rows = st.lists(st.builds(lambda text: {"instruction": f"Say {text}."}, said), min_size=1)
cuts = st.lists(st.integers(0, 12), max_size=12)


@settings(deadline=None)  # the first example imports pyarrow
@given(split_rows, cuts, st.data())
def test_the_same_rows_in_any_pieces_however_packed_are_the_same_instructions(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, str]],
    cuts: list[int],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    lay_out(folder, {"a.jsonl": json_lines(*rows)})
    expected = [(i.key, i.text) for i in read(folder)[0]]
    pieces = in_pieces(rows, [min(cut, len(rows)) for cut in cuts])
    for kind, write in WRITERS.items():
        for number, piece in enumerate(pieces):
            ending = data.draw(st.sampled_from(list(PACKERS)))
            content = PACKERS[ending](write(*piece))
            lay_out(folder, {f"{kind}/part-{number}.{kind}{ending}": content})
        for path in (kind, f"{kind}/part-*"):
            found, drops = read(folder, path=path, reader=kind)
            assert ([(i.key, i.text) for i in found], drops) == (expected, [])
    (folder / "parquet").mkdir()
    for number, piece in enumerate(filter(None, pieces)):
        write_parquet(folder / "parquet" / f"part-{number}.parquet", piece)
    found, _ = read(folder, path="parquet", reader="parquet")
    assert [(i.key, i.text) for i in found] == expected
