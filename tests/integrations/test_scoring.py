"""Scores of answers: the share of its comparisons that each wins, in its group or a reference's."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.integrations.scoring import meetings, score_answers, score_of
from ste_plugin.judge import Comparison
from tests.helpers.comparers import NO_VERDICT, TOO_LONG, Always, ShorterWins

ASK = "Name a fruit."


def values(answers, references=None, judge=None, prompts=None, **settings):
    prompts = prompts or [ASK] * len(answers)
    return score_answers(judge or ShorterWins(), prompts, answers, references, **settings).values


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["a", "bb", "ccc"], [1.0, 0.5, 0.0]),
        (["bb", "cc"], [0.5, 0.5]),  # the judge abstains
        (["a", "bb", ""], [1.0, 0.5, 0.0]),  # an empty answer is below one that lost
        (["a", "", ""], [1.0, 0.0, 0.0]),
        (["", ""], [0.0, 0.0]),
        (["same"] * 3, [0.5] * 3),
        (["a", "a", "bb"], [1.0, 1.0, 0.0]),  # the same text earns the same
    ],
)
def test_a_score_is_the_share_of_comparisons_that_are_won(answers, expected):
    assert values(answers) == expected


def test_neither_empty_nor_identical_answers_are_shown_to_the_judge():
    judge = ShorterWins()
    assert values(["", "a", "a"], judge=judge) == [0.0, 1.0, 1.0]
    assert values(["", "a"], ["bb", "bb"], judge=judge) == [0.0, 1.0]
    assert judge.asked == [(ASK, "a", "bb")]


def test_all_groups_are_compared_in_one_call_and_only_within_themselves():
    judge = ShorterWins()
    turns = [{"role": "user", "content": "Say hello."}]
    prompts = [ASK, turns, ASK, turns]
    assert values(["aaa", "b", "a", "bb"], judge=judge, prompts=prompts) == [0.0, 1.0, 1.0, 0.0]
    assert len(judge.batches) == 1
    assert {answer[0] for _, *pair in judge.asked for answer in pair} == {"a", "b"}
    assert all(a[0] == b[0] for _, a, b in judge.asked)


def test_an_answer_is_compared_with_its_own_reference():
    judge = ShorterWins()
    found = values(["bb", "bb", "bb"], ["a", "ccc", "dd"], judge=judge)
    assert found == [0.0, 1.0, 0.5]
    assert judge.asked == [(ASK, "bb", "a"), (ASK, "bb", "ccc"), (ASK, "bb", "dd")]


def test_a_completion_alone_is_an_error_as_nothing_tells_what_it_is_worth():
    with pytest.raises(DataError, match="one answer to 'Say hello.' among 3.*whole groups"):
        values(["a", "b", "c"], prompts=[ASK, ASK, "Say hello."])


def test_an_empty_reference_is_an_error_that_names_its_row():
    with pytest.raises(DataError, match="reference 2 of 2, to 'Name a fruit.': empty"):
        values(["a", "b"], ["x", ""])


@pytest.mark.parametrize("said", [NO_VERDICT, TOO_LONG, Comparison(None, 0.5, "orders differ")])
def test_what_cannot_be_decided_is_a_draw(said):
    scores = score_answers(Always(said), [ASK] * 2, ["a", "bb"])
    assert scores.values == [0.5, 0.5]
    assert (scores.tally.compared, scores.tally.abstained) == (1, 1)
    assert scores.tally.silent == (said.abstained != "orders differ")
    assert scores.tally.problems == ((said.problem,) if said.problem else ())


def test_a_tally_tells_how_often_length_won():
    tally = score_answers(ShorterWins(), [ASK] * 3, ["a", "bb", "cc"]).tally
    assert (tally.shorter_won, tally.longer_won, tally.abstained_share) == (2, 0, 1 / 3)
    assert tally.lean_to_longer == -2 / 3


def test_the_probability_may_count_instead_of_the_verdict():
    assert values(["a", "bb"], by="probability") == [0.75, 0.25]
    assert score_of(NO_VERDICT, "probability") == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "verdicts"}, "did you mean 'verdict'?"),
        ({"opponents": 0}, "opponents: found 0; expected 1 or more"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, message):
    with pytest.raises(ConfigError) as error:
        values(["a", "b"], **settings)
    assert message in str(error.value)


@given(count=st.integers(0, 40), opponents=st.integers(1, 12))
def test_everybody_meets_equally_many_others_once(count, opponents):
    met = list(meetings(count, opponents))
    times = Counter(i for pair in met for i in pair)
    assert len({frozenset(pair) for pair in met}) == len(met)
    assert all(i != j for i, j in met)
    asked = min(count - 1, opponents + opponents % 2)
    assert set(times.values()) <= {asked}
    assert len(times) == (count if count > 1 else 0)


@given(st.lists(st.text("ab", max_size=4), min_size=2, max_size=12), st.integers(1, 6))
def test_scores_are_shares_and_the_same_for_the_same_text(answers, opponents):
    found = values(answers, opponents=opponents)
    assert all(0 <= value <= 1 for value in found)
    by_text = dict(zip(answers, found, strict=True))
    assert found == [by_text[answer] for answer in answers]
    assert all(value == 0 for answer, value in by_text.items() if not answer)
    if all(answers):
        different = list(by_text.values())
        assert sum(different) == pytest.approx(len(different) / 2)  # what one wins another loses
