"""Ranking answers: few comparisons, the right order where the judge is right, and how sure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.errors import DataError
from ste_plugin.judge.comparison import Comparison, unable
from ste_plugin.judge.ranking import default_budget, different_texts, next_pairs, rank_by_comparing
from ste_plugin.judge.strengths import fit_strengths
from tests.helpers.asked_judges import compares, fake_judge, told

NUMBERS = st.lists(st.integers(0, 10_000), min_size=1, max_size=12, unique=True)


def right(numbers):
    """A judge that prefers the larger number."""
    return compares(lambda a, b: 1.0 if numbers[a] > numbers[b] else 0.0)


@given(NUMBERS)
def test_a_judge_that_is_always_right_gets_the_right_order_where_all_pairs_are_asked(numbers):
    n = len(numbers)
    found = rank_by_comparing(len(numbers), right(numbers), n * n)
    assert [numbers[i] for i in found.order] == sorted(numbers, reverse=True)
    assert len({frozenset((each.a, each.b)) for each in found.asked}) == n * (n - 1) // 2


@given(NUMBERS, st.integers(1, 40))
def test_no_more_is_asked_than_the_budget_and_no_pair_twice(numbers, budget):
    found = rank_by_comparing(len(numbers), right(numbers), budget)
    pairs = [frozenset((each.a, each.b)) for each in found.asked]
    assert len(pairs) == len(set(pairs)) <= budget
    assert sorted(found.order) == list(range(len(numbers)))


@given(st.integers(2, 500))
def test_by_default_no_more_is_asked_than_n_log_n(n):
    assert n - 1 <= default_budget(n) <= n * math.ceil(math.log2(n))


@given(NUMBERS, st.randoms())
def test_the_order_in_which_answers_are_given_changes_nothing(numbers, random):
    shuffled = random.sample(numbers, len(numbers))
    orders = []
    for given_order in (numbers, shuffled):
        answers = [f"answer {number}" for number in given_order]
        different = different_texts(answers)
        judge = right([int(answer.split()[1]) for answer in different])
        ranking = rank_by_comparing(len(different), judge, 8).of_all(different, answers)
        orders.append([answers[i] for i in ranking.order])
    assert orders[0] == orders[1]


@given(NUMBERS)
def test_a_knockout_finds_the_best_by_one_comparison_fewer_than_answers(numbers):
    found = rank_by_comparing(len(numbers), right(numbers), None, only_first=True)
    assert numbers[found.best] == max(numbers)
    assert len(found.asked) == len(numbers) - 1


@pytest.mark.parametrize("only_first", [True, False])
def test_answers_that_a_cascade_is_unsure_about_stay_before_one_that_is_worse(only_first):
    def ask(pairs):
        unsure = Comparison(None, None, "unsure")
        return [
            unsure if 3 not in pair else Comparison(None, 0.95 if pair[1] == 3 else 0.05)
            for pair in pairs
        ]

    found = rank_by_comparing(4, ask, None, only_first=only_first)
    assert found.order[-1] == 3 and None not in found.scores
    assert found.first_is_best < 0.5


def test_answers_that_a_cascade_is_always_unsure_about_are_as_likely_to_be_best():
    unsure = Comparison(None, None, "unsure")
    found = rank_by_comparing(4, lambda pairs: [unsure] * len(pairs), None)
    assert found.first_is_best == pytest.approx(0.25, abs=0.03)


def test_a_judge_that_cannot_tell_leaves_all_as_likely_to_be_best():
    found = rank_by_comparing(4, compares(lambda *_: 0.5), None)
    assert found.scores == pytest.approx([0, 0, 0, 0], abs=1e-9)
    assert found.first_is_best == pytest.approx(0.25, abs=0.03)
    assert all(low < 0 < high for low, high in found.intervals)


def test_more_comparisons_make_the_first_place_surer():
    numbers = list(range(8))
    few, many = (rank_by_comparing(len(numbers), right(numbers), n) for n in (7, 28))
    assert few.first_is_best < many.first_is_best < 1


def test_where_nothing_says_which_is_better_the_first_reason_is_told():
    with pytest.raises(DataError, match="None of 1 comparisons .* the first: no verdict"):
        rank_by_comparing(2, compares(lambda *_: None), None)


def test_a_pair_is_of_neighbours_in_strength_that_have_not_met():
    scores = [3.0, 2.0, 1.0, 0.0]
    assert next_pairs([3, 2, 1, 0], scores, set()) == [(0, 1), (2, 3)]
    assert next_pairs([3, 2, 1, 0], scores, {(1, 0)}) == [(0, 2), (1, 3)]


@given(st.integers(2, 9), st.data())
def test_strengths_are_centred_and_their_intervals_hold_them(n, data):
    index, share = st.integers(0, n - 1), st.floats(0, 1)
    pair = st.tuples(index, index, share).filter(lambda told: told[0] != told[1])
    found = fit_strengths(n, data.draw(st.lists(pair, max_size=20)))
    assert sum(found.scores) == pytest.approx(0, abs=1e-6)
    assert sum(found.best) == pytest.approx(1)
    bounds = zip(found.intervals, found.scores, strict=True)
    assert all(low < score < high for (low, high), score in bounds)


def test_a_win_and_the_same_loss_cancel_out():
    assert fit_strengths(2, [(0, 1, 1.0), (1, 0, 1.0)]).scores == pytest.approx((0, 0))


def larger(request):
    _, a, b = (part.split("\n")[1] for part in request.messages[-1].content.split("\n\n")[-3:])
    return f"[[{'A' if a > b else 'B'}]]"


def test_a_judge_ranks_texts_equal_ones_side_by_side(monkeypatch):
    judge, engine = fake_judge(monkeypatch, larger)
    found = judge.rank("Count.", ["two 2", "nine 9", "two 2", "four 4"])
    assert found.order == (0, 2, 1, 3)
    assert found.scores[0] == found.scores[2]
    assert engine.count == 2 * len(found.asked) == 6
    assert judge.best_of("Count.", ["a", "c", "b"]).best == 1


def test_a_format_that_rates_is_asked_once_per_answer(monkeypatch):
    def rated(request):
        return f"[[{request.messages[-1].content[-1]}]]"

    judge, engine = fake_judge(monkeypatch, rated, "rating")
    found = judge.rank("Count.", ["is 3", "is 9", "is x", "is 5"])
    assert found.order == (1, 3, 0, 2)
    assert found.scores == (3, 9, None, 5)
    assert (found.asked, engine.count) == ((), 4)
    # the score that was not heard is one of 3, 9 and 5, and that of the best shares its place
    assert found.first_is_best == pytest.approx(2 / 3 + 1 / 3 / 2, abs=0.03)


def test_equal_scores_share_the_first_place(monkeypatch):
    judge, _ = fake_judge(monkeypatch, lambda _: "[[7]]", "rating")
    assert judge.rank("Count.", ["a", "b"]).first_is_best == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("prompt", "answers", "budget", "message"),
    [
        ("x", [], None, "found none in a list"),
        ("x", "abc", None, "answers: found .abc.; expected texts in a list"),
        ("x", ["a", " "], None, "an empty text at index 1"),
        ("x", ["a", None], None, "NoneType at index 1"),
        (" ", ["a", "b"], None, "the prompt is empty"),
        ("x", ["a", "b"], 0, "budget: found 0"),
        ("x", ["a", "b"], "3", "budget: found '3'; expected a whole number"),
        ("x", ["a", "b"], 1.5, "budget: found 1.5"),
        ("x", 5, None, "answers: found 5; expected texts in a list"),
        ("x", None, None, "answers: found None"),
        ("x", ["a", "\u200b\x00"], None, "found an empty text at index 1"),
    ],
)
def test_what_cannot_be_ranked_is_refused(monkeypatch, prompt, answers, budget, message):
    judge, _ = fake_judge(monkeypatch, lambda _: "[[A]]")
    with pytest.raises(DataError, match=message):
        judge.rank(prompt, answers, budget)


def test_one_answer_is_the_best_without_asking(monkeypatch):
    judge, engine = fake_judge(monkeypatch, lambda _: "[[A]]")
    found = judge.rank("x", ["a"])
    assert (found.order, found.first_is_best, engine.count) == ((0,), 1.0, 0)


def of_which_one_is_too_long(numbers, unfit):
    def compare(pairs):
        return [
            unable("too long for the model's context by 9 tokens.")
            if unfit in pair
            else told(float(numbers[pair[0]] > numbers[pair[1]]))
            for pair in pairs
        ]

    return compare


@given(st.permutations(range(6)), st.integers(2, 6), st.data())
def test_an_answer_that_cannot_be_compared_comes_last_and_does_not_cost_others_their_place(
    numbers, n, draw
):
    numbers, unfit = numbers[:n], draw.draw(st.integers(0, n - 1))
    fit = sorted((i for i in range(n) if i != unfit), key=lambda i: -numbers[i])
    compare = of_which_one_is_too_long(numbers, unfit)
    if n == 2:
        with pytest.raises(DataError, match=r"by 9 tokens\. Look at one"):
            rank_by_comparing(n, compare, None)
        return
    ranking = rank_by_comparing(n, compare, n * n)
    assert ranking.order == (*fit, unfit)
    assert (ranking.scores[unfit], ranking.intervals[unfit]) == (None, None)
    assert rank_by_comparing(n, compare, None, only_first=True).best == fit[0]


def test_a_knockout_among_draws_is_not_won_by_what_was_never_compared():
    def compare(pairs):
        return [unable("too long") if 1 in pair else told(0.5) for pair in pairs]

    found = rank_by_comparing(4, compare, None, only_first=True)
    assert found.order[-1] == 1
    assert sum(each.comparison.probability is not None for each in found.asked) <= 3


def test_an_answer_that_was_not_heard_may_be_the_best_and_takes_from_the_first_one_s_chance():
    numbers = [2, 1, 0]
    heard = rank_by_comparing(2, right(numbers), 9)
    found = rank_by_comparing(3, of_which_one_is_too_long(numbers, 2), 9)
    assert found.order == (0, 1, 2)
    assert 1 / 3 < found.first_is_best < heard.first_is_best - 0.1
