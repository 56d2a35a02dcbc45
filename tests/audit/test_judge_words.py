"""What a judge said about labelled pairs, wherever its evaluation lies; and what is told if not."""

import json
from dataclasses import replace

import pytest

from ste_plugin.audit.judge_words import folder_of, judge_words
from ste_plugin.audit.people_file import PeopleOnPair
from ste_plugin.errors import DataError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED, read_replies
from ste_plugin.storage.jsonl import replace_json, replace_rows
from tests.helpers.builders import config_text

PAIR = LabelledPair("p", "s", "Why?", "Because.", "No.")


def people(pair=PAIR):
    return {"p": PeopleOnPair("p", (1, 0, 0), pair)}


def evaluated(folder, verdicts=("A", "B"), key="p", **more):
    folder.mkdir(parents=True)
    orders = tuple(map(OrderVerdict, "AB", verdicts))
    pair = JudgedPair(key, "s", PAIR.prompt, orders, len(PAIR.chosen), len(PAIR.rejected))
    write_judged(folder, [replace(pair, **more)])
    results = {"model": "judges/mine", "judge_format": "verdict-d8e418b5"}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


@pytest.mark.parametrize(
    "name", ["", "eval", "eval/mine", "eval/mine/results.json", "eval/mine/judged.jsonl"]
)
def test_a_judge_is_named_by_any_folder_or_file_of_its_evaluation(tmp_path, name):
    evaluated(tmp_path / "eval/mine")
    words = judge_words(tmp_path / name, people(), tmp_path / "people.jsonl")
    assert (words["p"].side, words["p"].lengths) == (0, (8, 3))


@pytest.mark.parametrize(
    ("verdicts", "side"),
    [(("A", "B"), 0), (("B", "A"), 1), (("A", "A"), 2), (("A", None), 3), (("tie", "tie"), 2)],
)
def test_its_word_is_what_it_says_in_both_orders(tmp_path, verdicts, side):
    evaluated(tmp_path / "mine", verdicts)
    assert judge_words(tmp_path / "mine", people(), tmp_path)["p"].side == side


def logged(folder, replies):
    """Samples of one pair as plain lm-eval logs them."""
    said = read_replies(PAIR, replies, FORMATS["brief"])
    row = {"doc": PAIR.to_doc(), "acc_pc": [], "judged": {"verdicts": said.in_words(), "how": {}}}
    replace_rows(folder / "samples_ste_local_2026.jsonl", [row | {"filtered_resps": replies}])
    return folder


@pytest.mark.parametrize(
    ("replies", "side"),
    [
        (["[[A]]", "[[B]]"], 0),
        (["[[B]]", "[[A]]"], 1),
        (["[[A]]", "[[A]]"], 2),
        (["[[A]]", "The better one is"], 3),
        (["The better one", "is"], 3),
    ],
)
def test_samples_of_plain_lm_eval_are_read(tmp_path, replies, side):
    assert judge_words(logged(tmp_path, replies), people(), tmp_path)["p"].side == side


def test_a_pair_that_plain_lm_eval_did_not_ask_about_was_not_judged(tmp_path):
    with pytest.raises(DataError, match="none of the pairs"):
        judge_words(logged(tmp_path, [NOT_ASKED]), people(), tmp_path / "people.jsonl")


def test_a_pair_that_did_not_fit_the_context_was_not_judged(tmp_path):
    evaluated(tmp_path / "mine", fits=False)
    with pytest.raises(DataError, match="none of the pairs"):
        judge_words(tmp_path / "mine", people(), tmp_path / "people.jsonl")


def test_a_judge_of_other_pairs_is_told_the_command_that_measures_it(tmp_path):
    evaluated(tmp_path / "mine", key="other")
    with pytest.raises(DataError) as caught:
        judge_words(tmp_path / "mine", people(), tmp_path / "people.jsonl")
    assert str(caught.value).endswith(
        "(mine). Measure the judge on these pairs first, then name evaluations/labels-mine:\n"
        "  ste eval --model judges/mine "
        f"--data {tmp_path / 'people.jsonl'} --format verdict --out evaluations/labels-mine"
    )


def test_labels_of_pairs_that_were_not_held_out_say_where_others_come_from(tmp_path):
    evaluated(tmp_path / "mine", key="other")
    with pytest.raises(DataError, match="--split test"):
        judge_words(tmp_path / "mine", people(pair=None), tmp_path / "labels.jsonl")


def test_a_model_that_was_not_measured_is_told_the_command(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"a model's folder; expected a run(.|\n)*ste eval --model"):
        judge_words(tmp_path, people(), tmp_path / "people.jsonl")


def test_a_model_that_was_not_measured_is_measured_on_the_pairs_behind_a_runs_labels(tmp_path):
    """Labels have no texts: the held-out pairs that they are about have."""
    run, model = tmp_path / "run", tmp_path / "mine"
    model.mkdir()
    (model / "config.json").write_text("{}")
    replace_rows(run / "pool/dev-1.jsonl", [{"id": "x"}])
    replace_rows(run / "pool/test-2.jsonl", [{"id": "x"}, {"id": "p"}])
    replace_json(run / "pool/done.json", {"files": {"dev": "dev-1.jsonl", "test": "test-2.jsonl"}})
    with pytest.raises(DataError) as caught:
        judge_words(model, people(pair=None), run / "review/labels.jsonl")
    out = "evaluations/labels-mine"
    command = f"ste eval --model {model} --data {run}/pool/test-2.jsonl --out {out}/test"
    assert str(caught.value).endswith(f"then name {out}:\n  {command}")


def test_labels_that_no_held_out_pair_has_texts_for_say_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"has no texts, .*--split test"):
        judge_words(tmp_path, people(pair=None), tmp_path / "labels.jsonl")


def test_a_trained_judge_is_measured_in_its_format_and_a_folder_of_its_own(tmp_path):
    model = tmp_path / "runs/mine/iter-02/model"
    (model / "merged").mkdir(parents=True)
    (model / "merged/config.json").write_text("{}")
    trained = {"final": "merged", "data_sha256": {}, "judge_format": {"version": "brief-12ab34cd"}}
    (model / "trained.json").write_text(json.dumps(trained))
    with pytest.raises(DataError) as caught:
        judge_words(model / "merged", people(), tmp_path / "people.jsonl")
    assert str(caught.value).endswith(" --format brief --out evaluations/labels-mine-iter-02")


def test_an_unfinished_run_has_no_best_judge_whatever_was_logged_in_it(tmp_path):
    evaluated(tmp_path / "run/iter-01/eval/test")
    for name in ("a", "b"):
        (tmp_path / "run/iter-01/eval" / name).mkdir()
        (tmp_path / "run/iter-01/eval" / name / "samples_ste_local_2026.jsonl").touch()
    (tmp_path / "run/run.yaml").touch()
    with pytest.raises(DataError, match="no best iteration yet.*; give --iteration"):
        judge_words(tmp_path / "run", people(), tmp_path)
    assert judge_words(tmp_path / "run/iter-01", people(), tmp_path)["p"].side == 0


def test_a_pair_judged_in_two_evaluations_is_refused(tmp_path):
    evaluated(tmp_path / "eval/one")
    evaluated(tmp_path / "eval/two")
    with pytest.raises(DataError, match="'p' was judged in one and in two"):
        judge_words(tmp_path, people(), tmp_path / "people.jsonl")


@pytest.mark.parametrize("other", [{"prompt": "How?"}, {"chosen_chars": 99}])
def test_another_pair_of_the_same_id_is_refused(tmp_path, other):
    evaluated(tmp_path / "mine", **other)
    with pytest.raises(DataError, match="has other texts than the pair of that id"):
        judge_words(tmp_path / "mine", people(), tmp_path / "people.jsonl")


def test_a_run_is_named_by_its_folder_or_config_and_an_iteration_by_its_number(tmp_path):
    (tmp_path / "ste.yaml").write_text(config_text(run="runs/mine"))
    assert folder_of(tmp_path / "ste.yaml") == tmp_path / "runs/mine"
    assert folder_of(tmp_path / "ste.yaml", 2) == tmp_path / "runs/mine/iter-02"
    assert folder_of(tmp_path / "evaluations") == tmp_path / "evaluations"
