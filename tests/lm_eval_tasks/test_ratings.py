"""Measuring a judge that rates each answer alone: by lm-eval, and as its replies are read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks.figures import metrics_of, summarise
from ste_plugin.lm_eval_tasks.judged_file import from_row, to_row
from ste_plugin.lm_eval_tasks.replies import read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.scripted_judge import GENERATED, SCORED, asked, run_task, scripted, written

RATING = FORMATS["rating"]
SHOWN = LabelledPair("p0", "s", "Name a fruit.", "An apple.", "A spade.")
SETTINGS = JudgeSettings(format="rating")
FORCED = replace(SETTINGS, force=True)


def rated(*scores):
    """A reply per score; None states none."""
    return [
        "I cannot say." if score is None else f"So it is. Final rating: [[{score}]]"
        for score in scores
    ]


def likely(score):
    """The logged likelihoods of all scores, of which one is nearly certain."""
    return [(0.0 if n == score else -50.0, n == score) for n in range(10)]


def judged(better, worse, settings=SETTINGS, scores=()):
    return read_replies(SHOWN, [*rated(better, worse), *scores], RATING, settings)


def overall(pairs, settings=SETTINGS):
    return summarise(pairs, settings=settings)["overall"]


@pytest.mark.parametrize(
    ("better", "worse", "verdicts", "acc"),
    [
        (7, 3, ["A", "B"], 1.0),
        (0, 3, ["B", "A"], 0.0),
        (4, 4, ["tie", "tie"], 0.5),
        (None, 3, [None, None], 0.5),
        (7, None, [None, None], 0.5),
        (7, 12, [None, None], 0.5),
    ],
)
def test_a_pair_is_judged_by_both_scores(better, worse, verdicts, acc):
    pair = judged(better, worse)
    assert [order.own for order in pair.orders] == verdicts
    found = overall([pair])
    assert (found["acc"], found["acc_pc"]) == (acc, float(acc == 1.0))
    assert found["judge_tie_rate"] == float(verdicts[0] == "tie")


def test_a_reply_without_a_score_counts_once_though_the_pair_has_no_verdict():
    assert overall([judged(7, None), judged(7, 3)])["invalid_rate"] == 0.25


def test_figures_of_the_order_of_answers_have_no_value_where_there_is_none():
    found = overall([judged(7, 3)])
    assert [found[name] for name in ("consistency", "pos_bias", "pick_a_baseline", "tie_rate")] == [
        None
    ] * 4
    assert found["len_bias"] is not None


def test_where_a_score_is_missing_the_likelihoods_say_which_answer_is_better():
    pair = judged(None, 3, FORCED, [*likely(2), *likely(1)])
    assert [(o.own, o.forced, o.final) for o in pair.orders] == [(None, "A", "A"), (None, "B", "B")]
    assert overall([pair], FORCED)["forced_rate"] == 1.0
    stated = judged(1, 3, FORCED, [*likely(2), *likely(1)])
    assert [order.final for order in stated.orders] == ["B", "A"]


def test_without_replies_the_expected_scores_are_compared():
    settings = replace(SETTINGS, mode="likelier")
    pair = read_replies(SHOWN, [*likely(8), *likely(2)], RATING, settings)
    assert [order.own for order in pair.orders] == ["A", "B"]
    assert [round(order.ratings[0], 6) for order in pair.orders] == [8, 2]
    assert overall([pair], settings)["acc"] == 1.0


def test_of_several_ratings_the_means_decide_and_not_how_often_one_is_higher():
    settings = replace(SETTINGS, votes=3)
    replies = [rated(9, 2, None), rated(3, 3, 3)]
    pair = read_replies(SHOWN, replies, RATING, settings)
    assert [order.own for order in pair.orders] == ["A", "B"]
    assert [order.samples for order in pair.orders] == [("A", "B", None), ("B", "A", None)]
    assert list(metrics_of([pair], settings))[-3:] == ["mean@1", "mean@2", "mean@3"]
    found = overall([pair], settings)
    assert (found["mean@1"], found["mean@2"], found["mean@3"]) == (0.5, 1.0, 1.0)


def test_one_rating_of_each_answer_scores_what_all_samples_score_one_by_one():
    settings = replace(SETTINGS, votes=4)
    pair = read_replies(SHOWN, [rated(5, 5, 5, 5), rated(1, 5, 9, 2)], RATING, settings)
    assert overall([pair], settings)["mean@1"] == (1 + 0.5 + 0 + 1) / 4


SCORES = st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=5)


@given(SCORES, SCORES)
def test_what_was_said_is_read_back_as_it_was_written(better, worse):
    settings = replace(SETTINGS, votes=max(len(better), 2))
    pair = read_replies(SHOWN, [rated(*better), rated(*worse)], RATING, settings)
    assert from_row(
        {k: list(v) if isinstance(v, tuple) else v for k, v in to_row(pair).items()}
    ) == (pair)


def rates_the_apple(prompt):
    shown = prompt.rpartition("[Answer]\n")[2]
    return f"It is {shown[:8]}. Final rating: [[{8 if 'apple' in shown else 3}]]"


def test_lm_eval_asks_for_a_rating_of_each_answer_and_reports_the_higher_one(tmp_path):
    model = scripted(rates_the_apple)
    found, samples = run_task(model, written(tmp_path / "pairs.jsonl"), judge_format="rating")
    assert (found["acc"], found["acc_pc"], found["invalid_rate"]) == (1.0, 1.0, 0.0)
    prompts = [prompt for prompt, _ in asked(model, GENERATED)]
    assert len(prompts) == 8
    assert sum("apple" in prompt for prompt in prompts) == 4
    assert not any("apple" in prompt and "spade" in prompt for prompt in prompts)
    told = samples[0]["judged"]["verdicts"]
    assert [(said["verdict"], said["ratings"]) for said in told] == [("A", [8]), ("B", [3])]


def test_lm_eval_draws_every_rating_of_a_vote_and_forces_by_the_likelihoods_of_scores(tmp_path):
    pairs = written(tmp_path / "pairs.jsonl")
    model = scripted(rates_the_apple)
    found, _ = run_task(model, pairs, judge_format="rating", votes=4)
    assert (found["acc"], found["mean@1"], found["mean@4"]) == (1.0, 1.0, 1.0)
    assert len(asked(model, GENERATED)) == 8 * 4
    silent = scripted(
        lambda _: "Hard to say.",
        lambda prompt, score: -abs(int(score) - (7 if "apple" in prompt else 2)),
    )
    found, _ = run_task(silent, pairs, judge_format="rating", force=True)
    assert (found["acc"], found["forced_rate"], found["invalid_rate"]) == (1.0, 1.0, 1.0)
    assert len(asked(silent, SCORED)) == 8 * 10


def test_the_official_mode_refuses_what_its_parser_cannot_read():
    with pytest.raises(ConfigError, match="'rating' gives its verdicts otherwise"):
        replace(SETTINGS, mode="official").load_judge_format()
