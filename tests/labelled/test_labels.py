"""Which response is better, by labels in the words and numbers that files have."""

import json

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.labelled import Reading, read_labelled
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.labelled_rows import ASKED, BETTER, WORSE, user

SHP = {"history": ASKED, "domain": "askbaking_train", "human_ref_A": BETTER, "human_ref_B": WORSE}
OUTPUTS = {"input": ASKED, "output_1": WORSE, "output_2": BETTER}
NAMED = {"prompt": "input", "response_a": "output_1", "response_b": "output_2"}


def read(folder, row, **how):
    path = folder / "pairs.jsonl"
    path.write_text(json.dumps(row))
    return list(read_labelled(path, Reading(**how)))


def sides(folder, row, **how):
    return [(p.prompt, p.chosen, p.rejected, p.votes) for p in read(folder, row, **how)]


RIGHT = [(ASKED, BETTER, WORSE, (1, 0, 0))]


@pytest.mark.parametrize("label", ["b", "Response B", "model_b", " Assistant B ", "B>A", "B>>A"])
@pytest.mark.parametrize("column", ["label", "winner"])
def test_a_side_is_read_in_any_letters(tmp_path, column, label):
    row = {"prompt": ASKED, "response_a": WORSE, "response_b": BETTER, column: label}
    assert sides(tmp_path, row) == RIGHT


@pytest.mark.parametrize("label", ["Tie", "TIE", "tie (bothbad)", "both bad", "A=B", "equal"])
def test_a_tie_is_read_in_any_letters(tmp_path, label):
    row = {"prompt": ASKED, "response_a": WORSE, "response_b": BETTER, "winner": label}
    assert [pair.votes for pair in read(tmp_path, row)] == [(0, 0, 1)]


@pytest.mark.parametrize("label", [2, "2", 2.0])
def test_numbers_mean_what_labels_says(tmp_path, label):
    row = OUTPUTS | {"label": label}
    assert sides(tmp_path, row, columns=NAMED, labels={"1": "A", "2": "B"}) == RIGHT
    swapped = sides(tmp_path, row, columns=NAMED, labels={"1": "B", "2": "A"})
    assert swapped == [(ASKED, WORSE, BETTER, (1, 0, 0))]


@pytest.mark.parametrize("written", ["1", "1.0", " 1.00 "])
@pytest.mark.parametrize("label", [1, 1.0, "1", "1.0"])
def test_a_number_is_one_however_it_is_written(tmp_path, label, written):
    said = {written: "B", "2.0": "A"}
    assert sides(tmp_path, OUTPUTS | {"label": label}, columns=NAMED, labels=said) == RIGHT


def test_a_number_without_a_meaning_is_refused_with_the_cure(tmp_path):
    with pytest.raises(DataError, match=r"labels \{1: A, 2: B\} \(STE_JUDGE_LABELS=1=A,2=B\)"):
        read(tmp_path, OUTPUTS | {"label": 2}, columns=NAMED)


def test_a_label_that_labels_does_not_have_is_refused(tmp_path):
    with pytest.raises(DataError, match="'label' is int '3'; expected '1' or '2', as `labels` has"):
        read(tmp_path, OUTPUTS | {"label": 3}, columns=NAMED, labels={"1": "A", "2": "B"})


def test_the_environment_says_what_labels_mean():
    given = {"STE_JUDGE_DATA": "x.jsonl", "STE_JUDGE_LABELS": "1=A, 2=B,0=tie"}
    settings = JudgeSettings.read(given, {})
    assert settings.labels == {"1": "A", "2": "B", "0": "tie"}
    assert JudgeSettings.read(settings.environment(), {}).labels == settings.labels
    with pytest.raises(ConfigError, match="found '1=first'; expected what the file writes for A"):
        JudgeSettings.read(given | {"STE_JUDGE_LABELS": "1=first"}, {})


@pytest.mark.parametrize("vote", [1, "1", 1.0])
def test_a_vote_of_shp_is_1_for_its_first_comment(tmp_path, vote):
    (pair,) = read(tmp_path, SHP | {"labels": vote, "score_A": 9, "score_B": 3})
    assert (pair.prompt, pair.chosen, pair.subset) == (ASKED, BETTER, "askbaking_train")
    (pair,) = read(tmp_path, SHP | {"labels": 0, "score_A": 3, "score_B": 9})
    assert (pair.chosen, pair.rejected) == (WORSE, BETTER)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"labels": 1, "score_A": 3, "score_B": 9}, "'score_A' is 3 and 'score_B' is 9, but"),
        ({"labels": 2}, r"expected 1 \(A is better\) or 0"),
        ({}, "'labels' is missing or empty"),
    ],
)
def test_votes_of_shp_that_say_nothing_or_two_things_are_refused(tmp_path, more, told):
    with pytest.raises(DataError, match=told):
        read(tmp_path, SHP | more)


def test_scores_without_a_label_say_which_is_better(tmp_path):
    row = {"prompt": ASKED, "response_a": WORSE, "response_b": BETTER, "score_a": 1, "score_b": "9"}
    assert sides(tmp_path, row) == RIGHT
    assert [p.votes for p in read(tmp_path, row | {"score_b": 1})] == [(0, 0, 1)]


@pytest.mark.parametrize("person", ["annotator", "annotator_id", "Annotated_by", "labeler"])
def test_the_name_of_whoever_labelled_a_row_is_no_label(tmp_path, person):
    row = {"prompt": ASKED, "response_a": WORSE, "response_b": BETTER, person: "A"}
    assert sides(tmp_path, row | {"score_a": 1, "score_b": 2}) == RIGHT
    assert [pair.votes for pair in read(tmp_path, row)] == [(0, 0, 0)]


def test_ranks_that_contradict_chosen_are_refused(tmp_path):
    row = {"prompt": ASKED, "chosen": BETTER, "rejected": WORSE}
    assert sides(tmp_path, row | {"chosen_rank": 1, "rejected_rank": 2}) == RIGHT
    with pytest.raises(DataError, match="'chosen_rank' is 2 and 'rejected_rank' is 1, but"):
        read(tmp_path, row | {"chosen_rank": 2, "rejected_rank": 1})


def test_numbered_responses_may_be_named_by_their_winner(tmp_path):
    row = {"prompt": ASKED, "response_1": WORSE, "response_2": BETTER, "winner": "response_2"}
    assert sides(tmp_path, row) == RIGHT


CHOSEN = {"prompt": ASKED, "chosen": BETTER, "rejected": WORSE}
OTHER = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}


def left_out(folder, caplog, more):
    """What is said of a row with more columns, before one that is a pair."""
    path = folder / "pairs.jsonl"
    path.write_text(f"{json.dumps(CHOSEN | more)}\n{json.dumps(OTHER)}\n")
    assert [pair.prompt for pair in read_labelled(path)] == ["Why?"]
    return caplog.text.partition("left out: ")[2].partition(")")[0]


@pytest.mark.parametrize(
    "tie",
    [
        {"status": "tie", "generations": [BETTER, WORSE], "rating": [9, 8]},
        {"preference": "equal"},
        {"human_preference": "A=B"},
        {"vote": "Both bad"},
        {"label": "tie"},
        {"verdict": "Tie"},
        {"is_tie": True},
        {"tie": "1"},
    ],
)
def test_a_tie_beside_chosen_and_rejected_is_no_preference(tmp_path, caplog, tie):
    assert left_out(tmp_path, caplog, tie) == "1 ties"


def test_a_tie_beside_lists_of_answers_is_no_preference(tmp_path, caplog):
    lists = {"chosen": [BETTER, "A fig."], "rejected": [WORSE]}
    assert left_out(tmp_path, caplog, lists | {"status": "tie"}) == "1 ties"


@pytest.mark.parametrize(
    "equal",
    [
        {"generations": [BETTER, WORSE], "rating": [9, 9]},
        {"ratings": "[4.5, 4.5]"},
        {"scores": [7, 7, 7]},
        {"ranks": [1, 1]},
    ],
)
def test_equal_scores_in_a_list_are_no_preference(tmp_path, caplog, equal):
    assert left_out(tmp_path, caplog, equal) == "1 equal scores"


@pytest.mark.parametrize(
    "more",
    [
        {"rating": [9, 8]},
        {"rating": [None, None]},
        {"rating": [9]},
        {"rating": 9},
        {"ratings": [5, 5], "chosen_score": 5, "rejected_score": 3},
        {"status": "done", "is_tie": False, "tie": "0"},
        {"chosen": "Tie", "rejected": "Equal"},
        {"topic": "tie"},
        {"ground_truth": "equal"},
        {"target": "tie"},
        {"gold": "Tie"},
        {"label": "equal"},
    ],
)
def test_what_only_looks_like_a_tie_leaves_a_preference(tmp_path, more):
    row = CHOSEN | more
    assert sides(tmp_path, row) == [(ASKED, row["chosen"], row["rejected"], (1, 0, 0))]


def test_preferences_for_openai_are_read(tmp_path):
    row = {
        "input": {"messages": [user(ASKED)], "tools": []},
        "preferred_output": [{"role": "assistant", "content": BETTER}],
        "non_preferred_output": [{"role": "assistant", "content": WORSE}],
    }
    assert sides(tmp_path, row) == RIGHT


def test_lists_of_right_and_wrong_answers_are_pairs_of_one_with_the_other(tmp_path):
    row = {"id": "7", "prompt": ASKED, "chosen": [BETTER, "A fig."], "rejected": [WORSE, "A nail."]}
    assert sides(tmp_path, row) == RIGHT
    every = {(p.chosen, p.rejected) for p in read(tmp_path, row, lists="all")}
    assert every == {(c, r) for c in row["chosen"] for r in row["rejected"]}


def test_an_aspect_that_is_rated_twice_counts_in_the_mean_of_ultrafeedback(tmp_path):
    def rated(text, helpful, instruction):
        annotations = {"helpfulness": [{"Rating": helpful}], "honesty": {"Rating": instruction}}
        return {"response": text, "annotations": annotations}

    row = {"instruction": ASKED, "completions": [rated(WORSE, "1", "2"), rated(BETTER, "5", "1")]}
    assert sides(tmp_path, row) == RIGHT


def test_columns_in_other_letters_are_named_in_the_error(tmp_path):
    with pytest.raises(DataError, match="'response_a': Did you mean 'Response A'"):
        read(tmp_path, {"Prompt": ASKED, "Response A": WORSE, "Response B": BETTER})


def test_a_file_of_semicolons_is_told_what_it_is(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("prompt;chosen;rejected\nName a fruit.;An apple.;A spade.\n")
    with pytest.raises(
        DataError, match=r"expected columns parted by commas\. Save the file as CSV"
    ):
        list(read_labelled(path))
