"""Which files a source names: one, a folder's, or those that a pattern matches."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ste_plugin.errors import DataError
from tests.helpers.packed_files import json_lines, lay_out, numbered
from tests.helpers.source_files import read, texts, write_parquet


def piece(number: int) -> bytes:
    """A file of one row, which says its number."""
    return json_lines({"instruction": f"q{number}"})


def refused(base: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as error:
        read(base, **settings)
    return str(error.value)


# One file


@pytest.mark.parametrize("reader", ["jsonl", "csv", "parquet"])
def test_a_missing_file_is_named_by_its_resolved_path(tmp_path: Path, reader: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path / "configs", {"path": "../gone.x", "reader": reader})
    assert f"{tmp_path / 'gone.x'}: no such file" in str(error.value)


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "[me]"))
    lay_out(tmp_path / "[me]", {"data/a.jsonl": piece(1), "data/b.jsonl": piece(2)})
    base = tmp_path / "elsewhere"
    assert texts(base, path="~/data/a.jsonl") == ["q1"]
    assert texts(base, path="~/data") == texts(base, path="~/data/*") == ["q1", "q2"]
    assert "no such file" in refused(base, path="~no-such-user/a.jsonl")


def test_a_link_is_read_under_its_own_name(tmp_path: Path) -> None:
    lay_out(tmp_path, {"blobs/8c1f": piece(1), "blobs/9d2a": piece(2)})
    snapshot = lay_out(tmp_path, {"snapshots/main/README.md": b"Read me."}) / "snapshots/main"
    for name, blob in (("a.jsonl", "8c1f"), ("b.jsonl", "9d2a")):
        (snapshot / name).symlink_to(f"../../blobs/{blob}")
    assert texts(tmp_path, path="snapshots/main") == ["q1", "q2"]
    assert texts(tmp_path, path="snapshots/main/b.jsonl") == ["q2"]


@pytest.mark.parametrize("name", ["part[1].jsonl", "a*.jsonl", "what?.jsonl"])
def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, {name: piece(1), "part1.jsonl": piece(2), "ab.jsonl": piece(3)})
    assert texts(tmp_path, path=name) == ["q1"]


# Folders and patterns


@pytest.mark.parametrize("path", ["data", "data/", "./data", "data/*", "data/*.jsonl", "*"])
def test_pieces_are_read_in_natural_order(tmp_path: Path, path: str) -> None:
    lay_out(tmp_path, {f"data/part-{n}.jsonl": piece(n) for n in (10, 2, 1, 9, 100)})
    assert texts(tmp_path, path=path) == ["q1", "q2", "q9", "q10", "q100"]


def test_the_config_may_lie_in_the_folder_of_the_pieces(tmp_path: Path) -> None:
    lay_out(tmp_path, {"ste.yaml": b"run: x", "b/a.jsonl": piece(2), "a.jsonl": piece(1)})
    found, _ = read(tmp_path, path=".")
    assert [(i.text, i.source) for i in found] == [("q1", "a.jsonl:1"), ("q2", "b/a.jsonl:1")]


@pytest.mark.parametrize("path", ["data", "data/**/*.jsonl"])
def test_rows_are_placed_by_file_and_line_below_what_the_source_names(
    tmp_path: Path, path: str
) -> None:
    lay_out(tmp_path, {"data/b/2.jsonl": b"\n" + piece(2) + b"{", "data/1.jsonl": piece(1)})
    found, drops = read(tmp_path, path=path, on_bad_line="skip")
    assert [i.source for i in found] == ["data/1.jsonl:1", "data/b/2.jsonl:2"]
    assert [(d.key, d.reason) for d in drops] == [("data/b/2.jsonl:3", "malformed line")]
    assert "data/b/2.jsonl:3: expected a JSON object" in refused(tmp_path, path=path)


def test_a_pattern_may_be_absolute_and_may_match_folders(tmp_path: Path) -> None:
    lay_out(tmp_path, {"x/en/1.jsonl": piece(1), "x/fr/README.md": b"", "x/fr/2.jsonl": piece(2)})
    (tmp_path / "configs").mkdir()
    assert texts(tmp_path / "configs", path=f"{tmp_path}/x/??") == ["q1", "q2"]
    assert texts(tmp_path / "configs", path="../x/**") == ["q1", "q2"]


ASIDE = (
    *(
        "README.md",
        "LICENSE",
        "LICENSE.txt",
        ".gitattributes",
        "_SUCCESS",
        "load.py",
        "config.yaml",
    ),
    *("dataset_infos.json", "dataset_info.json", "state.json", ".cache/a.jsonl"),
    *(".part-1.jsonl.crc", "part-1.jsonl.crc", "_temporary/0/part-9.jsonl"),
)


@pytest.mark.parametrize("name", ["makefile", "notice", "Changelog", "citation"])
def test_rows_are_read_whatever_they_are_about(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, {f"data/{name}.jsonl": piece(1), "data/python.jsonl": piece(2)})
    assert sorted(texts(tmp_path, path="data")) == ["q1", "q2"]


@pytest.mark.parametrize("path", ["data", "data/**/*"])
def test_hidden_files_and_what_describes_the_rows_are_left(tmp_path: Path, path: str) -> None:
    lay_out(tmp_path, {f"data/{name}": b"no rows" for name in ASIDE})
    lay_out(tmp_path, {"data/part-1.jsonl": piece(1)})
    assert texts(tmp_path, path=path) == ["q1"]


def test_a_folder_without_rows_is_told_with_what_is_in_it(tmp_path: Path) -> None:
    lay_out(tmp_path, {f"data/{name}": b"" for name in ASIDE})
    said = refused(tmp_path, path="data")
    assert f"{tmp_path / 'data'}: expected files that end in .jsonl, .ndjson, .json" in said
    assert ".gitattributes" in said
    assert "and 6 more" in said
    (tmp_path / "empty").mkdir()
    assert "found nothing. Put the files there" in refused(tmp_path, path="empty")


@pytest.mark.parametrize(
    ("files", "path", "found"),
    [
        (["a.jsonl", "b.parquet"], "data", "found b.parquet beside 1 that do. Read one kind"),
        (["a.jsonl", "b.jsonl.lz4"], "data", "found b.jsonl.lz4 beside 1 that do"),
        (["a.jsonl", "b.jsonl.tmp"], "data/*", "found b.jsonl.tmp beside 1 that do"),
        (["a.jsonl", "b.parquet.gz"], "data", "found b.parquet.gz beside 1 that do"),
        (["a.jsonl", "part-00000"], "data", "found part-00000 beside 1 that do"),
        (["a.csv.gz", "b.csv"], "data", "found a.csv.gz, b.csv. Set reader: csv."),
        (["x/a.parquet"], "data", "found x/a.parquet. Set reader: parquet."),
        (["a.arrow"], "data", "found a.arrow. Read one kind"),
    ],
)
def test_files_of_another_kind_are_refused_by_name(
    tmp_path: Path, files: list[str], path: str, found: str
) -> None:
    lay_out(tmp_path, {f"data/{name}": piece(1) for name in files})
    assert found in refused(tmp_path, path=path)


def test_files_without_an_ending_are_read_where_a_pattern_names_them(tmp_path: Path) -> None:
    lay_out(tmp_path, {"out/_SUCCESS": b"", **{f"out/part-0000{n}": piece(n) for n in (1, 0)}})
    assert texts(tmp_path, path="out/part-*") == ["q0", "q1"]


def test_a_pattern_may_ask_for_hidden_files(tmp_path: Path) -> None:
    lay_out(tmp_path, {"_1.jsonl": piece(1), ".2.jsonl": piece(2), "3.jsonl": piece(3)})
    assert texts(tmp_path, path="_*.jsonl") == ["q1"]
    assert texts(tmp_path, path=".*.jsonl") == ["q2"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "data/part_*.jsonl",
            "{0}/data/part_*.jsonl: no file matches this pattern; {0}/data holds ",
        ),
        ("gone/*/x.jsonl", "; {0} holds data. `path: gone/*/x.jsonl` of an instruction source is"),
    ],
)
def test_a_pattern_without_a_match_is_told_with_what_lies_nearby(
    tmp_path: Path, path: str, said: str
) -> None:
    lay_out(tmp_path, {f"data/part-{n}.jsonl": piece(n) for n in range(12)})
    message = refused(tmp_path, path=path)
    assert said.format(tmp_path) in message
    if path.startswith("data"):
        assert "holds part-0.jsonl, part-1.jsonl, part-2.jsonl" in message
        assert "part-7.jsonl and 4 more." in message


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    lay_out(tmp_path, {"data/a.jsonl": piece(1)})
    (tmp_path / "data" / "b.jsonl").symlink_to("../blobs/gone")
    for path in ("data", "data/*"):
        said = refused(tmp_path, path=path)
        assert "data/b.jsonl: expected a file, found a link to ../blobs/gone, which is" in said


@pytest.mark.parametrize("path", ["data", "data/*", "data/*/*.jsonl"])
def test_links_to_folders_are_followed_once(tmp_path: Path, path: str) -> None:
    lay_out(tmp_path, {"big/1.jsonl": piece(1), "data/z/2.jsonl": piece(2)})
    (tmp_path / "data" / "a").symlink_to("../big")
    (tmp_path / "data" / "again").symlink_to("../big")
    (tmp_path / "data" / "z" / "up").symlink_to("..")
    (tmp_path / "data" / "z" / "up2").symlink_to("../..")
    assert texts(tmp_path, path=path) == ["q1", "q2"]


@pytest.mark.parametrize("path", [".", "**/*.jsonl", "**"])
def test_what_a_run_has_written_beside_its_instructions_is_no_source(
    tmp_path: Path, path: str
) -> None:
    run = {"run.yaml": b"", "events.jsonl": b"{}", "pool/instructions.jsonl": piece(2)}
    lay_out(tmp_path / "runs" / "first", run)
    lay_out(tmp_path, {"a.jsonl": piece(1), "more/run.yaml": b"", "more/b.jsonl": piece(3)})
    if path == "**":
        lay_out(tmp_path, {"run.yaml": b"", "events.jsonl": piece(0)})
        assert texts(tmp_path, path=path) == ["q1", "q0", "q3"]
    else:
        assert texts(tmp_path, path=path) == ["q1", "q3"]
    assert texts(tmp_path, path="runs/first/**/i*.jsonl") == ["q2"]
    assert texts(tmp_path, path="runs/*/pool/i*.jsonl") == ["q2"]
    assert texts(tmp_path, path="runs/first/pool") == ["q2"]


@pytest.mark.parametrize(
    ("log", "table"), [("_delta_log/0.json", "Delta"), (".hoodie/hoodie.properties", "Hudi")]
)
def test_a_table_whose_log_says_which_files_count_is_refused(
    tmp_path: Path, log: str, table: str
) -> None:
    lay_out(tmp_path / "set", {log: b"{}", "part-0.jsonl": piece(0), "part-1.jsonl": piece(1)})
    said = refused(tmp_path, path="set")
    assert f"{tmp_path / 'set'}: expected a folder of files that all count, found a" in said
    assert f"found a {table} table" in said
    assert texts(tmp_path, path="set/*.jsonl") == ["q0", "q1"]  # the user says which count


@pytest.mark.parametrize("there", [(0, 1), (0, 2), (1, 2)])
def test_a_series_that_lacks_a_file_is_told(tmp_path: Path, there: tuple[int, int]) -> None:
    lay_out(tmp_path / "x", {f"data/train-0000{n}-of-00003.jsonl": piece(n) for n in there})
    said = refused(tmp_path, path="x")
    assert f"{tmp_path / 'x'}: expected 3 files data/train-…-of-…, found 2 of them." in said
    assert texts(tmp_path, path="x/data/*") == [f"q{n}" for n in there]


@pytest.mark.parametrize(
    "name", ["c4-train.0000{}-of-00003.json.gz", "v1.2-train-{}-of-3.jsonl", "part_{}_of_3.jsonl"]
)
def test_a_series_is_known_however_its_numbers_are_set_apart(tmp_path: Path, name: str) -> None:
    lay_out(tmp_path, {f"data/{name.format(n)}": piece(n) for n in (0, 2)})
    assert "expected 3 files" in refused(tmp_path, path="data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    lay_out(tmp_path, {"data/a.jsonl": piece(1), "data/b/b.jsonl": piece(2)})
    (tmp_path / "data" / "b").chmod(0)
    assert "data/b: cannot be read" in refused(tmp_path, path="data")
    (tmp_path / "data" / "b").chmod(0o700)


# Splits


HUB = {f"data/{split}-{n:05}-of-00002.jsonl": n for split in ("train", "test") for n in (0, 1)}
FOLDERS = {f"{split}/{n}.jsonl": n for split in ("training", "dev", "eval") for n in (0, 1)}
NAMES = {f"{name}.jsonl": 0 for name in ("train", "valid", "test")}


@pytest.mark.parametrize(
    ("files", "split", "files_read"),
    [
        (HUB, "train", ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"]),
        (HUB, "test", ["data/test-00000-of-00002.jsonl", "data/test-00001-of-00002.jsonl"]),
        (FOLDERS, "train", ["training/0.jsonl", "training/1.jsonl"]),
        (FOLDERS, "validation", ["dev/0.jsonl", "dev/1.jsonl"]),
        (NAMES, "train", ["train.jsonl"]),
        (NAMES, "dev", ["valid.jsonl"]),
        ({"test/0.jsonl": 0, "test/1.jsonl": 1}, "train", ["test/0.jsonl", "test/1.jsonl"]),
        ({"chat_train.jsonl": 0, "chat-test-2.jsonl": 1}, "test", ["chat-test-2.jsonl"]),
        ({"split=train/0.jsonl": 0, "split=test/0.jsonl": 1}, "train", ["split=train/0.jsonl"]),
        (
            {"train_sft-0-of-1.jsonl": 0, "test_sft-0-of-1.jsonl": 1},
            "train_sft",
            ["train_sft-0-of-1.jsonl"],
        ),
        ({"en.jsonl": 0, "fr.jsonl": 1}, "train", ["en.jsonl", "fr.jsonl"]),
    ],
)
def test_of_a_folder_with_several_splits_one_is_read(
    tmp_path: Path, files: dict[str, int], split: str, files_read: list[str]
) -> None:
    lay_out(tmp_path / "set", {name: piece(n) for name, n in files.items()})
    found, _ = read(tmp_path, path="set", split=split)
    assert [i.source for i in found] == [f"set/{name}:1" for name in files_read]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["human-00000-of-00001.jsonl", "test-00000-of-00001.jsonl"], "files of human, test."),
        (["train.jsonl", "test.jsonl", "more.jsonl"], "test, train and, of none, more.jsonl."),
    ],
)
def test_splits_that_do_not_fit_are_told(tmp_path: Path, names: list[str], found: str) -> None:
    lay_out(tmp_path, {f"set/{name}": piece(1) for name in names})
    said = refused(tmp_path, path="set")
    assert f"{tmp_path / 'set'}: expected the split 'train' (`split`), found files of " in said
    assert found in said


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["train-00000-of-00001.jsonl"], "found files of train."),
        (["train.jsonl", "more.jsonl"], "found files of train and, of none, more.jsonl."),
        (["en.jsonl", "fr.jsonl"], "found files of none, en.jsonl, fr.jsonl."),
        (["test.jsonl", "more.jsonl"], "found files of test and, of none, more.jsonl."),
    ],
)
def test_a_split_that_a_folder_does_not_tell_apart_is_not_read_as_if_it_did(
    tmp_path: Path, names: list[str], found: str
) -> None:
    lay_out(tmp_path, {f"set/{name}": piece(1) for name in names})
    said = refused(tmp_path, path="set", split="test")
    assert f"{tmp_path / 'set'}: expected the split 'test' (`split`), {found}" in said


def test_a_pattern_is_read_whatever_splits_it_matches(tmp_path: Path) -> None:
    lay_out(tmp_path, {"test.jsonl": piece(1), "train.jsonl": piece(2)})
    assert texts(tmp_path, path="t*.jsonl") == ["q1", "q2"]


# Folders that say what their rows have in common


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(json_lines(*rows))


@pytest.mark.parametrize(("ending", "write"), [("jsonl", write_json), ("parquet", write_parquet)])
@pytest.mark.parametrize("path", ["data", "data/lang=*", "data/**/*.{}"])
def test_partitions_are_columns(
    tmp_path: Path, ending: str, write: Callable[[Path, Any], None], path: str
) -> None:
    places = ["lang=en/year=2024", "lang=pt%2DBR/year=2023", "lang=__HIVE_DEFAULT_PARTITION__"]
    for number, place in enumerate(places):
        folder = tmp_path / "data" / place
        folder.mkdir(parents=True)
        write(folder / f"part-0.{ending}", numbered(number, number + 1))
    settings = {"path": path.format(ending), "reader": ending, "on_bad_line": "skip"}
    assert texts(tmp_path, where={"lang": "en"}, **settings) == ["q0"]
    assert texts(tmp_path, where={"year": 2023}, **settings) == ["q1"]
    assert texts(tmp_path, columns={"category": "lang"}, **settings) == ["q2", "q0", "q1"]
    found, _ = read(tmp_path, columns={"category": "lang"}, **settings)
    assert [i.category for i in found] == ["", "en", "pt-BR"]


def test_what_a_row_says_counts_more_than_its_folder(tmp_path: Path) -> None:
    row = {"instruction": "q", "lang": "de"}
    lay_out(tmp_path, {"data/lang=en/a.jsonl": json_lines(row)})
    assert texts(tmp_path, path="data", where={"lang": "de"}) == ["q"]


def test_folders_above_what_the_source_names_say_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, {"lang=en/a.jsonl": piece(1), "lang=en/b.jsonl": piece(2)})
    for path in ("lang=en", "lang=en/*.jsonl"):
        assert "no column 'lang'" in refused(tmp_path, path=path, where={"lang": "en"})
