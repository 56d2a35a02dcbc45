"""The same labelled pairs, whichever kind of file or data set holds them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.labelled.row_files import hub_rows
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench import REWARDBENCH
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.benchmark_rows import (
    helpsteer2,
    judgebench,
    llmbar,
    mtbench_human,
    rewardbench,
    rewardbench2,
    rmbench,
)
from tests.helpers.packed_files import PACKERS, json_lines, lay_out
from tests.helpers.source_files import (
    WRITERS,
    write_csv,
    write_jsonl,
    write_parquet_by_datasets,
)

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
said = words.map(lambda text: f"Say {text}.")  # no JSON, which `datasets` cannot tell from its own
meta = st.one_of(st.none(), st.integers(0, 9), said, st.lists(said, max_size=2))


def answers(*columns, label=None):
    return st.tuples(said, said).map(
        lambda texts: {columns[0]: f"A: {texts[0]}", columns[1]: f"B: {texts[1]}", "label": label}
    )


pairs = st.builds(
    lambda said, prompt, meta: {"prompt": prompt, "meta": meta, **said},
    st.one_of(
        answers("chosen", "rejected"),
        *(answers("response_a", "response_b", label=label) for label in ("A", "B", None)),
    ),
    said,
    meta,
)
COLUMNS = ("chosen", "rejected", "response_a", "response_b", "label", "prompt", "meta")


@st.composite
def files_of_pairs(draw):
    """Rows of both kinds, columns that do not apply being null; ids are texts or numbers."""
    rows = draw(st.lists(pairs, min_size=1, max_size=4))
    of_texts = draw(st.booleans())
    return [
        dict.fromkeys(COLUMNS)
        | row
        | {"id": f"p{i}" if of_texts or draw(st.booleans()) else i, "subset": "s"}
        | ({"meta": None} if of_texts else {})
        for i, row in enumerate(rows)
    ]


@settings(deadline=None)  # the first example imports `datasets`
@given(files_of_pairs())
def test_the_same_rows_in_every_kind_of_file_are_the_same_pairs(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "a.json").write_text(json.dumps(rows))
    found = {"json": read_pairs(JudgeSettings(folder / "a.json"))}
    for name, (file, write) in WRITERS.items():
        try:
            write(folder / file, rows)
        except (ValueError, TypeError):  # values of several types, which neither can tell
            assert name in ("csv", "parquet")
            continue
        found[name] = read_pairs(JudgeSettings(folder / file))
    assert [name for name in found if found[name] != found["json"]] == []
    assert {"jsonl", "parquet by datasets"} < set(found)


def noted(rows):
    """The rows with a note whose values differ in type, which makes it a column of JSON."""
    notes = ["a text", ["a list"], {"an": "object"}]
    return [{**row, "note": notes[i % 3]} for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    "rows_of", [rewardbench, judgebench, llmbar, mtbench_human, helpsteer2, rmbench]
)
def test_a_benchmark_is_the_same_in_parquet_as_datasets_writes_it(tmp_path, rows_of):
    rows = noted(rows_of())
    for row in rows[:1] if rows_of is mtbench_human else []:  # turns whose keys differ are JSON too
        row["conversation_a"] = [{**turn, "n": 1} for turn in row["conversation_a"]]
    write_jsonl(tmp_path / "a.jsonl", rows)
    write_parquet_by_datasets(tmp_path / "a.parquet", rows)
    of_lines, of_parquet = (
        read_pairs(JudgeSettings(tmp_path / file, benchmark=rows_of.__name__))
        for file in ("a.jsonl", "a.parquet")
    )
    assert of_lines == of_parquet


def test_rewardbench_2_is_the_same_in_parquet_as_datasets_writes_it(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", rewardbench2())
    write_parquet_by_datasets(tmp_path / "a.parquet", rewardbench2())
    of_lines, of_parquet = (REWARDBENCH2.read(tmp_path / f"a.{e}") for e in ("jsonl", "parquet"))
    assert of_lines == of_parquet


def test_a_data_set_gives_the_same_pairs_as_a_file(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    data_set = tmp_path / "set"
    data_set.mkdir()
    write_parquet_by_datasets(data_set / "train.parquet", noted(rewardbench()))
    write_jsonl(tmp_path / "a.jsonl", noted(rewardbench()))
    of_hub = [REWARDBENCH.convert([row]) for row in hub_rows(str(data_set), ["train"], {}, "")]
    of_file = read_pairs(JudgeSettings(tmp_path / "a.jsonl", benchmark="rewardbench"))
    assert [pair for pairs in of_hub for pair in pairs] == of_file


def test_a_data_set_that_cannot_be_read_is_told_with_what_would_do(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"a": 1}\n{"a": ')
    with pytest.raises(DataError, match=r"hub:.*cannot be read (?s:.)*Give a file\."):
        list(hub_rows(str(tmp_path / "set"), ["train"], {}, "Give a file."))


PAIRS = [
    {"id": f"p{n}", "subset": "s", "prompt": f"Say {n}.", "chosen": f"{n}", "rejected": "no"}
    for n in range(6)
]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("kind", ["jsonl", "ndjson", "json", "csv"])
def test_packed_pairs_are_read_as_if_they_were_not(tmp_path, kind, ending, bom):
    path = tmp_path / f"a.{kind}"
    write = {"csv": write_csv, "json": lambda path, rows: path.write_text(json.dumps(rows))}
    write.get(kind, write_jsonl)(path, PAIRS)
    packed = tmp_path / f"b.{kind}{ending}"
    packed.write_bytes(PACKERS[ending](bom + path.read_bytes()))
    assert read_pairs(JudgeSettings(packed)) == read_pairs(JudgeSettings(path))
    assert [pair.id for pair in read_pairs(JudgeSettings(packed))] == [row["id"] for row in PAIRS]


@pytest.mark.parametrize("pattern", ["labelled/part-*", "labelled", "*/*.jsonl.zst"])
def test_pairs_that_a_pattern_matches_are_read_in_natural_order(tmp_path, pattern):
    folder = tmp_path / "labelled"
    for number, row in zip((10, 2, 1, 9, 3, 100), PAIRS, strict=True):
        content = PACKERS[".zst"](json_lines(row))
        lay_out(folder, {f"part-{number}.jsonl.zst": content, "README.md": b""})
    pattern = pattern.replace("labelled", "[l]abelled")
    found = [pair.id for pair in read_pairs(JudgeSettings(tmp_path / pattern))]
    assert found == ["p2", "p1", "p4", "p3", "p0", "p5"]


@pytest.mark.parametrize("ending", [e for e in PACKERS if e])
@pytest.mark.parametrize("kind", ["jsonl", "json"])
def test_packed_pairs_that_break_off_are_told(tmp_path, kind, ending):
    path = tmp_path / f"a.{kind}{ending}"
    path.write_bytes(PACKERS[ending](json_lines(*PAIRS))[:-5])
    with pytest.raises(DataError, match=rf"a\.{kind}{ending}: cannot be unpacked from line"):
        read_pairs(JudgeSettings(path))
