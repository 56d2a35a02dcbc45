"""Pairs that people call wrong: which they are, and that no data set begun later holds them."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.dataset.reviewed import REASON, called_wrong, find_wrong, read_choices
from ste_plugin.errors import DataError
from ste_plugin.records import Drop, ResponsePair
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import Redo
from ste_plugin.storage.jsonl import read_json, read_records
from tests.helpers.fake_runs import SPLITS, generated, rows_of, written

DROP = SPLITS | {"reviewed": "drop"}


def label(pair_key, choice, rater="ann", **more):
    return {"kind": "pair", "rater": rater, "pair_key": pair_key, "choice": choice, **more}


def lines(*labels):
    return "".join(json.dumps(row) + "\n" for row in labels).encode()


def people_say(run, *labels):
    (run / "review").mkdir(exist_ok=True)
    with (run / "review/labels.jsonl").open("ab") as file:
        file.write(lines(*labels))


def pairs_of(run):
    return read_records(run / "pool/pairs.jsonl", ResponsePair)


@given(st.lists(st.sampled_from(["better", "worse", "tie"]), max_size=9))
def test_a_pair_is_wrong_where_more_than_half_say_worse(choices):
    said = {str(rater): choice for rater, choice in enumerate(choices)}
    assert called_wrong(said) == (choices.count("worse") > len(choices) / 2)


def test_of_one_raters_labels_of_a_pair_the_last_counts_and_may_be_taken_back(tmp_path):
    content = lines(
        *(label("p", choice) for choice in ("worse", "better")),
        *(label("q", choice) for choice in ("worse", None)),
        label("r", "fails", kind="judgment", judgment_key="j"),
    )
    assert read_choices(kept_in(tmp_path, content)) == {"p": {"ann": "better"}}


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    content = lines(label("p", "worse")) + b'{"kind": "pa'
    assert read_choices(kept_in(tmp_path, content)) == {"p": {"ann": "worse"}}


def kept_in(folder, content):
    (folder / "labels.jsonl").write_bytes(content)
    return folder / "labels.jsonl"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"kind": "pair"\n', "labels.jsonl:1: not a JSON object"),
        (
            lines({"kind": "pair", "rater": "ann"}),
            "labels.jsonl:1: not a Label (Object missing required field `pair_key`",
        ),
        (lines(label("gone", "worse")), "its labels are of 1 pairs, of which this run has none"),
    ],
)
def test_a_file_that_is_damaged_or_of_another_run_is_told(tmp_path, content, told):
    with pytest.raises(DataError) as caught:
        find_wrong(kept_in(tmp_path, content), ["p"])
    assert told in str(caught.value)


def test_nobody_has_labelled_anything_yet(tmp_path):
    found = find_wrong(tmp_path / "labels.jsonl", ["p"])
    assert (found.pairs, found.wrong) == (0, ())


def test_wrong_pairs_are_no_rows_and_are_counted_as_drops(tiny_model, tmp_path):
    path, run = written(tmp_path, tiny_model), tmp_path / "run"
    before = generated(path)
    bad, good = (shown_in(run, row) for row in (rows_of(path, "sft-train")[i] for i in (0, -1)))
    people_say(run, label(bad, "worse"), label(bad, "worse", "ben"), label(good, "tie"))
    settings = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(settings | {"dataset": DROP}))
    assert generated(path) == before  # what is made stays as it was made

    made = redone(path)
    assert made["drops"][f"judging: {REASON}"] == 1
    drops = read_records(run / "iter-01/drops.jsonl", Drop)
    assert [drop.key for drop in drops if drop.reason == REASON] == [bad]
    told = made["reviewed"]
    assert (told["pairs"], told["wrong"], told["raters"]) == (2, 1, 2)
    keys = {shown_in(run, row) for row in rows_of(path, "sft-train")}
    assert good in keys
    assert bad not in keys
    for held_out in ("judge-dev", "judge-test"):
        assert made["files"][held_out] == before["files"][held_out]


def shown_in(run, row):
    """The key of the pair that a row's prompt shows."""
    prompt = row["messages"][0]["content"]
    return next(p.key for p in pairs_of(run) if p.better in prompt and p.worse in prompt)


def redone(path):
    with open_run(path, [], quiet=True, redo=Redo("generate")) as context:
        return read_json(stages.generate(context, 1))


def test_labels_that_come_while_a_data_set_is_made_count_in_the_next_one(tiny_model, tmp_path):
    path, run = written(tmp_path, tiny_model, dataset=DROP), tmp_path / "run"
    generated(path)
    first, second = [p for p in pairs_of(run) if p.key in judged(run)][:2]
    people_say(run, label(first.key, "worse"))
    (run / "iter-01/reviewed.json").unlink()
    (run / "iter-01/dataset/manifest.json").unlink()  # killed before the end
    made = generated(path)
    assert made["drops"][f"judging: {REASON}"] == 1

    people_say(run, label(second.key, "worse"))
    (run / "iter-01/dataset/manifest.json").unlink()
    assert generated(path) == made  # resumed: of the labels that it was begun with

    anew = redone(path)
    assert anew["drops"][f"judging: {REASON}"] == 2
    assert anew["reviewed"]["labels_sha256"] != made["reviewed"]["labels_sha256"]


def judged(run):
    return {row["pair_key"] for row in map(json.loads, (run / "iter-01/pass_rates.jsonl").open())}
