"""Ranking answers by few comparisons: which pairs are asked, and how sure the order is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2

from ste_plugin.errors import DataError
from ste_plugin.judge.comparison import Comparison
from ste_plugin.judge.strengths import Strengths, fit_strengths
from ste_plugin.records import content_key

CompareIndices = Callable[[Sequence[tuple[int, int]]], list[Comparison]]
"""Pairs of answers, by index → what the judge says of each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Two answers that were compared, by their index."""

    a: int
    b: int
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers in the order of how good a judge finds them, as far as it was asked."""

    order: tuple[int, ...]
    """Indices of the answers, the best first."""
    scores: tuple[float | None, ...]
    """Per answer: log-odds of the Bradley-Terry model, 0 on average; in a format that rates, its
    score, or None where it got none."""
    intervals: tuple[tuple[float, float] | None, ...]
    """Per answer: 95 % interval of its score."""
    first_is_best: float
    """How sure the first place is: the chance that no other answer is better, by this judge."""
    asked: tuple[Asked, ...]
    """Which answers were compared, in the order of asking; none in a format that rates each."""

    @property
    def best(self) -> int:
        """Index of the best answer."""
        return self.order[0]

    def of_all(self, different: Sequence[str], answers: Sequence[str]) -> "Ranking":
        """Return the ranking of answers some of which are the same text; this is of `different`."""
        place = {answer: n for n, answer in enumerate(different)}
        indices: list[list[int]] = [[] for _ in different]
        for index, answer in enumerate(answers):
            indices[place[answer]].append(index)
        return Ranking(
            tuple(index for n in self.order for index in indices[n]),
            tuple(self.scores[place[answer]] for answer in answers),
            tuple(self.intervals[place[answer]] for answer in answers),
            self.first_is_best,
            tuple(Asked(indices[x.a][0], indices[x.b][0], x.comparison) for x in self.asked),
        )


def different_texts(answers: Sequence[str]) -> list[str]:
    """Return each text once, in an order that does not depend on theirs."""
    return sorted(set(answers), key=lambda answer: content_key("rank", answer))


def default_budget(answers: int) -> int:
    """Return how many comparisons a ranking may take: n log2 n, or all pairs of few answers.

    >>> [default_budget(n) for n in (1, 2, 3, 4, 8, 16, 64)]
    [0, 1, 3, 6, 24, 64, 384]
    """
    if answers < 2:
        return 0
    return min(answers * (answers - 1) // 2, answers * ceil(log2(answers)))


def check_answers(answers: Sequence[str], budget: int | None) -> None:
    """Raise DataError where there is nothing to rank, or an answer is empty."""
    if isinstance(answers, str) or not answers:
        raise DataError("answers: found none in a list; expected texts, at least one.")
    for index, answer in enumerate(answers):
        if not isinstance(answer, str) or not answer.strip():
            found = "an empty text" if isinstance(answer, str) else type(answer).__name__
            raise DataError(
                f"answers: found {found} at index {index}; expected text. Leave it out."
            )
    if budget is not None and budget < 1:
        raise DataError(f"budget: found {budget}; expected at least 1 comparison.")


def rank_by_comparing(
    n: int, compare: CompareIndices, budget: int | None, *, only_first: bool = False
) -> Ranking:
    """Return a ranking of n different answers by at most `budget` comparisons, asked in rounds.

    Each round pairs answers that are about as strong, by all that was said so far, and that were
    not compared before. With `only_first` those that lost to all but a few leave after each round,
    down to one: a knockout, of one comparison fewer than there are answers.
    Raises: DataError where no comparison says anything.
    """
    left = (n - 1 if only_first else default_budget(n)) if budget is None else budget
    in_play = list(range(n))
    asked: list[Asked] = []
    strengths = fit_strengths(n, [])
    while left > 0 and len(in_play) > 1:
        pairs = next_pairs(in_play, strengths.scores, {(each.a, each.b) for each in asked})[:left]
        if not pairs:
            break
        asked += [Asked(*pair, said) for pair, said in zip(pairs, compare(pairs), strict=True)]
        left -= len(pairs)
        strengths = _fitted(n, asked)
        if only_first:
            losers = {_loser(each, strengths.scores) for each in asked[-len(pairs) :]}
            in_play = [i for i in in_play if i not in losers]
    return _ranking(strengths, asked, in_play if only_first else ())


def next_pairs(
    in_play: Sequence[int], scores: Sequence[float], before: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return pairs of a round, each answer in one at most, the strongest answers first.

    The two of a pair are as near in score as can be; none is in `before`, either way round.
    """
    waiting = sorted(in_play, key=lambda i: -scores[i])
    pairs = []
    while waiting:
        first = waiting.pop(0)
        for other in waiting:
            if (first, other) not in before and (other, first) not in before:
                waiting.remove(other)
                pairs.append((first, other))
                break
    return pairs


def _fitted(n: int, asked: Sequence[Asked]) -> Strengths:
    told = [
        (each.a, each.b, each.comparison.probability)
        for each in asked
        if each.comparison.probability is not None
    ]
    if not told:
        problems = (each.comparison.problem or each.comparison.abstained for each in asked)
        raise DataError(
            f"None of {len(asked)} comparisons says which answer is better; the first: "
            f"{next(problems)}. Look at one with compare()."
        )
    return fit_strengths(n, told)


def _loser(asked: Asked, scores: Sequence[float]) -> int:
    """Return which of two answers leaves a knockout: where the judge abstains, the weaker one."""
    chance = asked.comparison.probability
    if chance is None or chance == 0.5:
        return min(asked.a, asked.b, key=lambda i: scores[i])
    return asked.b if chance > 0.5 else asked.a


def _ranking(strengths: Strengths, asked: Sequence[Asked], ahead: Sequence[int]) -> Ranking:
    """Return what was found; those `ahead` come before all others."""
    indices = range(len(strengths.scores))
    order = tuple(sorted(indices, key=lambda i: (i not in ahead, -strengths.scores[i])))
    return Ranking(
        order, strengths.scores, strengths.intervals, strengths.best[order[0]], tuple(asked)
    )
