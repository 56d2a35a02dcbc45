"""A sample as CSV, and labels back from a spreadsheet, Label Studio and Argilla."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.review.csv_files import as_cell
from ste_plugin.review.labels import labels_path, read_labels
from ste_plugin.review.review_run import open_review
from tests.helpers.review_runs import plain_texts, run_with_pairs


@pytest.fixture
def run(tmp_path):
    return run_with_pairs(tmp_path / "run", plain_texts(40))


def review_of(run, kind="pair", rater=None):
    said = []
    return open_review(run.root, kind, rater, said.append), said


def exported(run, kind="pair", rater="ann", number=6):
    path = run.root.parent / f"{kind}-{rater}.csv"
    review_of(run, kind, rater)[0].export_csv(path, None, number)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def imported(run, text, kind="pair", rater=None, **columns):
    path = run.root.parent / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    review_of(run, kind, rater)[0].import_csv(path, columns)
    return read_labels(labels_path(run), kind)


def as_csv(rows, delimiter=",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def choose_good(row) -> str:
    return "1" if row["answer_1"].startswith("Good") else "2"


def test_what_is_exported_is_blind_and_comes_back_as_better_and_worse(run):
    rows = exported(run)
    assert list(rows[0]) == ["key", "question", "answer_1", "answer_2", "choice", "rater"]
    assert {row["choice"] + row["rater"] for row in rows} == {""}
    assert {choose_good(row) for row in rows} == {"1", "2"}
    rows = [row | {"choice": choose_good(row), "rater": "bob"} for row in rows]
    rows[0]["choice"], rows[1]["choice"] = "0", ""
    labels = imported(run, as_csv(rows))
    assert [x.choice for x in labels] == ["tie"] + ["better"] * 4
    assert {x.rater for x in labels} == {"bob"}
    assert imported(run, as_csv(rows)) == labels  # once more: nothing new


def test_a_spreadsheet_may_change_the_order_the_separator_and_the_numbers(run):
    rows = [
        {"rater": "bob", "choice": f"{choose_good(row)}.0", "key": f" {row['key']} "}
        for row in reversed(exported(run))
    ]
    for content in (as_csv(rows, ";"), as_csv(rows, "\t").encode("utf-16")):
        assert [x.choice for x in imported(run, content)] == ["better"] * 6


def test_label_studio_gives_a_row_per_annotation_with_its_own_id(run):
    rows = exported(run)
    given = [
        row | {"id": 7, "label": choose_good(row), "annotator": who, "annotation_id": 1}
        for row in rows
        for who in ("ann@lab.example", "12")
    ]
    labels = imported(run, as_csv(given))
    assert sorted({x.rater for x in labels}) == ["12", "ann@lab.example"]
    assert [x.choice for x in labels] == ["better"] * 12


@pytest.mark.parametrize("form", ["['{}', '{}']", '["{}", "{}"]', "['{}' '{}']"])
def test_argilla_gives_lists_of_which_the_submitted_count(run, form):
    given = [
        {
            "id": row["key"],
            "question": row["question"],
            "choice.responses": form.format(choose_good(row), "0"),
            "choice.responses.users": form.format("4f2d-1", "4f2d-2"),
            "choice.responses.status": form.format("submitted", "submitted" if n else "draft"),
        }
        for n, row in enumerate(exported(run, number=2))
    ]
    labels = imported(run, as_csv(given))
    assert [(x.rater, x.choice) for x in labels] == [
        ("4f2d-1", "better"),
        ("4f2d-1", "better"),
        ("4f2d-2", "tie"),
    ]


def test_columns_of_other_names_are_named(run):
    rows = [{"item": row["key"], "said": choose_good(row)} for row in exported(run)]
    labels = imported(run, as_csv(rows), rater="bob", key="item", choice="said")
    assert [(x.rater, x.choice) for x in labels] == [("bob", "better")] * 6
    with pytest.raises(ConfigError, match=r"--column key=id: .*labels\.csv has no such column"):
        imported(run, as_csv(rows), rater="bob", key="id")


def test_rater_names_those_whose_rows_do_not_and_nobody_else(run):
    rows = [row | {"choice": choose_good(row)} for row in exported(run)]
    rows[1]["rater"] = "ben"
    with pytest.raises(DataError) as caught:
        imported(run, as_csv(rows), rater="dora")
    assert str(caught.value).endswith(
        "labels.csv:3: rater 'ben', but --rater dora. Leave --rater out, as the file names its "
        "raters, or correct the row.\nNo label was taken over."
    )
    assert not labels_path(run).exists()
    rows[1]["rater"] = " dora "
    assert {x.rater for x in imported(run, as_csv(rows), rater="dora")} == {"dora"}


def test_a_column_of_raters_that_is_empty_is_told_as_such(run):
    rows = [row | {"choice": choose_good(row)} for row in exported(run)]
    with pytest.raises(DataError, match=r"the column 'rater' has no values\. Name another: --c"):
        imported(run, as_csv(rows))


def test_judgments_go_out_and_come_back(run):
    rows = exported(run, "judgment")
    assert "keeps to the question" in rows[0]["judgment"]
    rows = [row | {"choice": "no", "rater": "bob"} for row in rows]
    labels = imported(run, as_csv(rows), "judgment")
    assert {(x.kind, x.choice) for x in labels} == {("judgment", "fails")}


def complaint(run, text, **more) -> str:
    with pytest.raises(DataError) as told:
        imported(run, text, **more)
    assert read_labels(labels_path(run)) == []
    return str(told.value)


def test_what_is_wrong_is_named_by_file_and_line_and_nothing_is_taken_over(run):
    rows = [row | {"choice": "1", "rater": "bob"} for row in exported(run)]
    rows[0]["question"] = "over\ntwo lines"
    rows[1]["choice"] = "first"
    rows[2]["key"] = "0123456789abcdef-01234567"
    rows[3]["rater"] = "=1+1"
    rows[4]["key"] = rows[4]["key"].replace(rows[4]["key"][-8:], "00000000")
    said = complaint(run, as_csv(rows)).splitlines()
    for line, problem in zip(
        said,
        (
            "labels.csv:4: choice 'first'; expected 1, 2 or 0",
            "labels.csv:5: key '0123456789abcdef-01234567' is none of this run's pairs.",
            "labels.csv:6: rater '=1+1': expected a name",
            "labels.csv:7: key ",
        ),
        strict=False,
    ):
        assert problem in line
    assert "does not say in which order" in said[3]
    assert said[-1] == "No label was taken over."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "labels.csv: empty."),
        ("a,b\n1,2\n", "labels.csv:1: no column 'key'; found a, b. Name it: --column"),
        ("key,choice\nx,1\n", "no column 'rater'; found key, choice."),
        (
            b"key,choice,rater\nx,1,J\xfcrgen\n",
            "labels.csv:2: not UTF-8 text. Save it as CSV UTF-8",
        ),
        ('key,choice,rater\n"x"y,1,b\n', "labels.csv:2: not CSV"),
    ],
)
def test_a_file_of_another_kind_is_named(run, text, problem):
    assert problem in complaint(run, text)


def test_two_people_of_one_name_are_told_apart(run):
    rows = [row | {"choice": "1", "rater": "bob"} for row in exported(run, number=2)]
    twice = complaint(run, as_csv([*rows, rows[0] | {"choice": "0"}]))
    assert "labels.csv:4: bob labels this pair as tie, but as " in twice
    assert "in line 2. Two people need two names" in twice
    before = imported(run, as_csv(rows))
    with pytest.raises(DataError, match=r"labels\.csv:2: bob has labelled this pair already"):
        imported(run, as_csv([rows[0] | {"choice": "0"}]))
    assert read_labels(labels_path(run)) == before


def test_a_file_that_is_there_is_not_written_over(run):
    exported(run)
    with pytest.raises(ConfigError, match="exists already, maybe with labels"):
        exported(run)


@given(st.text(max_size=20))
def test_no_cell_is_a_formula(text):
    cell = as_cell(text)
    assert cell.endswith(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert not cell.startswith(("\t", "\r"))


def test_texts_of_strangers_survive_in_a_csv_file(tmp_path):
    hostile = '=HYPERLINK("http://evil.example")\n,"\x00\ud800'
    run = run_with_pairs(tmp_path / "run", [(hostile, "+1", "@x")], dataset="{test_fraction: 0}")
    (row,) = exported(run)
    assert row["question"].startswith("'=HYPERLINK")
    assert {row["answer_1"], row["answer_2"]} == {"'+1", "'@x"}
