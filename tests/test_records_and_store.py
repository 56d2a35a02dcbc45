"""Keys, records, and files that are whole or absent."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import judgment, pair
from ste_plugin.engines.base import ChatRequest, Message, Sampling
from ste_plugin.errors import DataError
from ste_plugin.records import Drop, Judgment, canonical, content_key
from ste_plugin.storage import dataset_manifest
from ste_plugin.storage.dataset_manifest import open_row_file, write_rows
from ste_plugin.storage.jsonl import (
    encode_record,
    encode_row,
    iter_records,
    open_for_append,
    open_replacement,
    read_records,
    read_rows,
    replace_records,
    replace_rows,
    truncate_partial_line,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5
)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Lone surrogates, too."""
ROWS = st.dictionaries(
    ANY_TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT, st.lists, max_leaves=5
    ),
    max_size=5,
)


def request(text: str = "hi", sample_index: int = 0, **more: object) -> ChatRequest:
    return ChatRequest("m", (Message("user", text),), Sampling(), sample_index, **more)


@given(JSON_VALUES, JSON_VALUES)
def test_keys_are_equal_exactly_when_contents_are(one, other):
    same = json.dumps(one) == json.dumps(other)
    assert (content_key(one) == content_key(other)) == same


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
        lambda some: st.lists(some) | st.lists(some).map(tuple) | st.dictionaries(ANY_TEXT, some),
    )
)
def test_keys_are_of_the_bytes_that_json_writes(value):
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "other",
    [
        ChatRequest("m2", (Message("user", "hi"),), Sampling()),
        request("ho"),
        request(sample_index=1),
        request(prefix="["),
        request(choices=("A", "B")),
        request(format_version="2"),
        ChatRequest("m", (Message("user", "hi"),), Sampling(temperature=0.1)),
    ],
)
def test_a_request_key_depends_on_everything_that_could_change_the_answer(other):
    assert request().key != other.key


def test_keys_stay_what_they_were_so_that_runs_of_older_versions_go_on():
    turns = (
        Message("system", "Sei h\u00f6flich.\x7f"),
        Message("user", 'Welche Antwort? "A"\n\t\\ \U0001d538'),
    )
    sampling = Sampling(0.7, 1e-5, 512)
    asked = ChatRequest("models/judge@1f", turns, sampling, 3, "[[", ("A", "B"), "brief-1")
    assert (asked.key, asked.seed) == ("806b3bfd5badbf6b-3", 905520533839452077)
    parts = ("pair", "\u00e9", 1, None, [1.5, {"b": 2, "a": 1e16}], True, 10**30)
    assert content_key(*parts) == "427da7339e806b08"


def test_samples_of_one_prompt_share_their_prompt_key():
    assert request(sample_index=0).prompt_key == request(sample_index=1).prompt_key


@given(st.text(), st.text())
def test_records_come_back_as_they_were_written(tmp_path_factory, one, two):
    path = tmp_path_factory.mktemp("rows") / "pairs.jsonl"
    records = [pair(key="p0", better=one), pair(key="p1", worse=two)]
    replace_records(path, records)
    assert read_records(path, type(records[0])) == records


def test_a_derived_line_that_is_no_record_names_file_line_field_and_cure(tmp_path):
    path = tmp_path / "judgments.jsonl"
    row = judgment().to_dict()
    del row["better_is"]
    path.write_bytes(encode_row(judgment().to_dict()) + encode_row(row))
    with pytest.raises(
        DataError,
        match=r"judgments.jsonl:2: not a Judgment "
        r"\(.*missing required field `better_is`\)(.|\n)*delete it",
    ):
        read_records(path, Judgment)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (rb'{"stage":"a","key":"b","reason":"c","\ud800":1}', "not a Drop"),
        (
            b'{"stage":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "not a JSON object .nested too deeply",
        ),
    ],
)
def test_odd_lines_of_a_derived_file_are_told_like_others(tmp_path, line, told):
    path = tmp_path / "drops.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(DataError, match=f"drops.jsonl:1: ({told})(.|\n)*delete it"):
        read_records(path, Drop)


def test_a_record_may_hold_texts_of_a_kind_of_their_own():
    class Text(str):
        __slots__ = ()

    assert encode_record(Drop("a", Text("b"), "c")) == encode_record(Drop("a", "b", "c"))


def test_a_torn_tail_is_cut_before_anything_is_appended(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2, "te')
    with open_for_append(path) as file:
        file.write(b'{"a": 3}\n')
    assert path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


@given(st.lists(st.text(alphabet="ab\u2028é", max_size=5), max_size=4), st.integers(min_value=0))
def test_cutting_a_torn_tail_keeps_every_whole_line(tmp_path_factory, texts, at):
    lines = [encode_row({"t": t}) for t in texts]
    content = b"".join(lines)
    path = tmp_path_factory.mktemp("torn") / "c.jsonl"
    path.write_bytes(content[: at % (len(content) + 1)])
    truncate_partial_line(path)
    kept = path.read_bytes()
    assert content.startswith(kept)
    assert kept == b"" or kept.endswith(b"\n")


def test_a_torn_tail_longer_than_any_block_is_cut_to_the_last_whole_line(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'{"a": 1}\n' + b"x" * 200_000)
    assert truncate_partial_line(path) == 200_000
    assert path.read_bytes() == b'{"a": 1}\n'


@given(ROWS)
def test_every_row_is_one_line_of_utf8_that_json_reads_back_as_it_was(row):
    line = encode_row(row)
    line.decode()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    # repr, as NaN is not equal to itself
    assert repr(json.loads(line)) == repr(row)


@given(ROWS)
def test_a_row_that_is_read_and_written_again_has_the_same_bytes(row):
    line = encode_row(row)
    assert encode_row(json.loads(line)) == line


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_a_line_without_fractions_has_the_bytes_that_json_gives_it(row):
    expected = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    assert encode_row(row) == expected + b"\n"


def test_a_line_with_a_lone_surrogate_is_escaped_as_a_whole():
    assert encode_row({"é": "\ud800"}) == b'{"\\u00e9":"\\ud800"}\n'


def test_numbers_that_json_has_no_word_for_and_integers_of_any_size_come_back(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {"nan": math.nan, "large": 10**30, "none": None, 1: "key"}
    replace_rows(path, [row])
    [(_, found)] = read_rows(path)
    assert math.isnan(found["nan"])
    assert (found["large"], found["none"], found["1"]) == (10**30, None, "key")


def test_a_value_that_json_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    replace_rows(path, [{"a": 1}])
    with pytest.raises(TypeError):
        replace_rows(path, [{"a": 2}, {"a": judgment()}])
    assert [row for _, row in read_rows(path)] == [{"a": 1}]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


@given(ANY_TEXT, ANY_TEXT)
def test_records_with_any_text_come_back_one_by_one(tmp_path_factory, one, two):
    path = tmp_path_factory.mktemp("rows") / "drops.jsonl"
    records = [Drop("judging", "k0", one), Drop("dataset", "k1", two)]
    replace_records(path, iter(records))
    assert list(iter_records(path, Drop)) == records


def test_a_record_as_a_dictionary_has_its_fields_in_their_order():
    fields = [("stage", "a"), ("key", "b"), ("reason", "c")]
    assert list(Drop("a", "b", "c").to_dict().items()) == fields


def test_a_file_whose_writer_fails_is_the_old_one_and_nothing_else_remains(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), open_replacement(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


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
