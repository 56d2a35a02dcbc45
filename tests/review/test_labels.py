"""Labels are appended, by several people at once, and the last of each counts."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.review.labels import (
    CHOICES,
    Label,
    append_labels,
    check_rater,
    hold_rater,
    read_history,
    read_labels,
)
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers import environment

APPENDER = """
import sys
from pathlib import Path
from ste_plugin.review.labels import Label, append_labels
for n in range(40):
    append_labels(Path(sys.argv[1]), [Label(sys.argv[2], "pair", f"p{n}", "better")])
"""


def label(rater="ann", pair_key="p0", choice="better", **more) -> Label:
    return Label(rater, more.pop("kind", "pair"), pair_key, choice, **more)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review/labels.jsonl"


def test_there_are_no_labels_where_there_is_no_file(path):
    assert read_labels(path) == []


def test_what_was_said_last_counts_unless_it_was_taken_back(path):
    append_labels(path, [label(choice="better"), label(pair_key="p1", choice="tie")])
    append_labels(path, [label(choice="worse"), label(pair_key="p1", choice=None)])
    append_labels(path, [label("bob", choice="tie"), label(choice="fails", kind="judgment")])
    assert [(x.rater, x.kind, x.choice) for x in read_labels(path)] == [
        ("ann", "pair", "worse"),
        ("bob", "pair", "tie"),
        ("ann", "judgment", "fails"),
    ]
    assert [x.choice for x in read_labels(path, "judgment")] == ["fails"]
    assert len(list(read_history(path))) == 6


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from([1, 2, 0, None])),
        max_size=30,
    )
)
def test_labels_are_as_a_table_of_raters_and_items_would_be(tmp_path_factory, said):
    path, table = tmp_path_factory.mktemp("labels") / "labels.jsonl", {}
    for rater, key, number in said:
        choice = None if number is None else CHOICES["pair"][number]
        append_labels(path, [label(rater, key, choice)])
        table[rater, key] = choice
    found = {(x.rater, x.pair_key): x.choice for x in read_labels(path)}
    assert found == {item: choice for item, choice in table.items() if choice}


def test_a_line_that_a_kill_cut_off_is_none_and_the_next_label_is_whole(path):
    append_labels(path, [label()])
    with path.open("ab") as file:
        file.write(b'{"rater":"ann","ki')
    assert len(read_labels(path)) == 1
    append_labels(path, [label(pair_key="p1")])
    assert [x.pair_key for x in read_labels(path)] == ["p0", "p1"]


def test_two_people_at_once_lose_nothing(path):
    commands = [[sys.executable, "-c", APPENDER, str(path), rater] for rater in ("ann", "bob")]
    running = [subprocess.Popen(command, env=environment()) for command in commands]
    assert [process.wait() for process in running] == [0, 0]
    assert len(path.read_bytes().splitlines()) == len(read_labels(path)) == 80


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"nonsense\n", "not a JSON object"),
        (b'{"rater":"ann"}\n', "missing required field `kind`"),
        (
            b'{"rater":"ann","kind":"pair","pair_key":"p","choice":"holds"}\n',
            "'holds' of a pair, expected better, worse, tie",
        ),
        (b'{"rater":"ann",\n', "not a JSON object"),
    ],
)
def test_a_line_that_is_no_label_is_named(path, line, problem):
    append_labels(path, [label()])
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(DataError, match=r"labels\.jsonl:2: .*labels cannot be made again") as told:
        read_labels(path)
    assert problem in str(told.value)
    assert str(told.value).count("Fix or remove the line") == 1


@pytest.mark.parametrize("name", ["Ann", "ann@lab.example", "7", "Ännä Ö. O'Neil-Smith", " a  b "])
def test_people_have_names_of_many_kinds(name):
    assert check_rater(name, []) == " ".join(name.split())


@pytest.mark.parametrize("name", ["", " ", "=cmd()", "-x", "a\nb\x1b", "x" * 101, "<b>"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ConfigError, match="expected a name"):
        check_rater(name, [])


def test_two_names_that_differ_by_case_alone_are_one_person(tmp_path):
    with pytest.raises(ConfigError, match="there are labels by 'Ann'"):
        check_rater("ann", ["Ann"])
    folder = RunLayout(tmp_path)
    taken = "--rater ann: somebody is labelling by this name"
    with (
        hold_rater(folder, "Ann"),
        pytest.raises(ConfigError, match=taken),
        hold_rater(folder, "ann"),
    ):
        pass
    with hold_rater(folder, "ann"), hold_rater(folder, "bob"):
        pass
