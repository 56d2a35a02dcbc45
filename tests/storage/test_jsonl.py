"""Lines of JSON: read back as they were written, in files that are whole or absent."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.records import Drop, Judgment
from ste_plugin.storage.jsonl import (
    encode_record,
    encode_row,
    iter_records,
    open_for_append,
    open_replacement,
    parse_line,
    read_records,
    read_rows,
    replace_records,
    replace_rows,
    truncate_partial_line,
)
from tests.helpers.builders import judgment, pair
from tests.helpers.json_values import ANY_TEXT, JSON_VALUES

ROWS = st.dictionaries(
    ANY_TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT, st.lists, max_leaves=5
    ),
    max_size=5,
)


@given(st.text(), st.text())
def test_records_come_back_as_they_were_written(tmp_path_factory, one, two):
    path = tmp_path_factory.mktemp("rows") / "pairs.jsonl"
    records = [pair(key="p0", better=one), pair(key="p1", worse=two)]
    replace_records(path, records)
    assert read_records(path, type(records[0])) == records


@given(st.dictionaries(ANY_TEXT, JSON_VALUES, max_size=5), st.booleans())
def test_a_line_is_read_as_json_reads_it(row, ascii_only):
    line = json.dumps(row, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    try:
        expected = json.loads(line.decode())
    except UnicodeDecodeError:
        with pytest.raises(DataError, match="some.jsonl:7"):
            parse_line(Path("some.jsonl"), 7, line)
    else:
        assert repr(parse_line(Path("some.jsonl"), 7, line)) == repr(expected)


@pytest.mark.parametrize("number", ["1E400", "-0", "-0.0", "1" * 40, "5e-324", "0.1e1", "NaN"])
def test_a_number_is_read_as_json_reads_it(number):
    line = f'{{"a":{number}}}'
    assert repr(parse_line(Path("some.jsonl"), 1, line.encode())) == repr(json.loads(line))


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


def test_a_file_whose_writer_fails_is_the_old_one_and_nothing_else_remains(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), open_replacement(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
