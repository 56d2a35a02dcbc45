"""Ranking answers by few comparisons: which pairs are asked, and how sure the order is."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log2

from ste_plugin.errors import DataError
from ste_plugin.judge.comparison import Abstained, Comparison
from ste_plugin.judge.strengths import fit_strengths
from ste_plugin.judge.texts import is_empty
from ste_plugin.records import content_key

CompareIndices = Callable[[Sequence[tuple[int, int]]], list[Comparison]]
"""Pairs of answers, by index → what the judge says of each."""
_ALIKE: tuple[Abstained, ...] = ("unsure", "orders differ", "tie")
_TRIES = 2
"""In a knockout, comparisons that may say nothing of an answer: the other one may be at fault."""


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
    score. None where no comparison of it, or no rating, says anything: it comes last."""
    intervals: tuple[tuple[float, float] | None, ...]
    """Per answer: 95 % interval of its score."""
    first_is_best: float
    """How sure the first place is: the chance that no other answer is better, by this judge. One
    of which nothing was said may be: it is as good as any, before anything is known of it."""
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


def checked_answers(answers: Iterable[str], budget: int | None) -> list[str]:
    """Return the answers that are to be ranked.

    Raises: DataError where there is nothing to rank, an answer is empty, or the budget is none.
    """
    told = [] if isinstance(answers, str) or not isinstance(answers, Iterable) else list(answers)
    if not told:
        found = "none in a list" if answers == [] else repr(answers)[:40]
        raise DataError(f"answers: found {found}; expected texts in a list, at least one.")
    for index, answer in enumerate(told):
        if not isinstance(answer, str) or is_empty(answer):
            found = "an empty text" if isinstance(answer, str) else type(answer).__name__
            raise DataError(
                f"answers: found {found} at index {index}; expected text. Leave it out."
            )
    if budget is not None and (not isinstance(budget, int) or budget < 1):
        raise DataError(f"budget: found {budget!r}; expected a whole number, at least 1.")
    return told


def rank_by_comparing(
    n: int, compare: CompareIndices, budget: int | None, *, only_first: bool = False
) -> Ranking:
    """Return a ranking of n different answers by at most `budget` comparisons, asked in rounds.

    Each round pairs answers that are about as strong, by all that was said so far, and that were
    not compared before. With `only_first` those that lost to all but a few leave after each round,
    down to one: a knockout, of one comparison fewer than there are answers. Answers that were asked
    about in vain, as ones too long for the judge, come last, without a score.
    Raises: DataError where no comparison says anything.
    """
    in_play = list(range(n))
    asked: list[Asked] = []
    while len(in_play) > 1:
        scores = _scores(n, asked)
        spent = len(_told(asked)) if only_first and budget is None else len(asked)
        left = (_default(n, only_first) if budget is None else budget) - spent
        pairs = next_pairs(in_play, scores, {(each.a, each.b) for each in asked})[: max(0, left)]
        if not pairs:
            break
        new = [Asked(*pair, said) for pair, said in zip(pairs, compare(pairs), strict=True)]
        asked += new
        if only_first:
            scores = _scores(n, asked)
            leaving = {_loser(each, scores) for each in new if _tells(each)} | _given_up(asked)
            in_play = [i for i in in_play if i not in leaving]
    return _ranking(n, asked, in_play if only_first else ())


def _default(n: int, only_first: bool) -> int:
    return n - 1 if only_first else default_budget(n)


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


def _chance(asked: Asked) -> float | None:
    """Return how likely the first of two answers is better; None where nothing is said of them.

    A cascade that read both and abstains gives no probability: to it they are alike.
    """
    said = asked.comparison
    return 0.5 if said.probability is None and said.abstained in _ALIKE else said.probability


def _tells(asked: Asked) -> bool:
    return _chance(asked) is not None


def _told(asked: Sequence[Asked]) -> list[tuple[int, int, float]]:
    chances = [(each.a, each.b, _chance(each)) for each in asked]
    return [(a, b, chance) for a, b, chance in chances if chance is not None]


def _in_vain(asked: Sequence[Asked]) -> Counter[int]:
    """Return the answers of which no comparison says anything → how many there were."""
    heard = {index for a, b, _ in _told(asked) for index in (a, b)}
    met = Counter(index for each in asked for index in (each.a, each.b))
    return Counter({index: times for index, times in met.items() if index not in heard})


def _given_up(asked: Sequence[Asked]) -> set[int]:
    """Return the answers that leave a knockout as nothing is said of them, whomever they meet."""
    return {index for index, times in _in_vain(asked).items() if times >= _TRIES}


def _scores(n: int, asked: Sequence[Asked]) -> list[float]:
    """Return how strong each answer is by what was said so far; least where that was nothing."""
    in_vain, scores = _in_vain(asked), fit_strengths(n, _told(asked)).scores
    return [float("-inf") if i in in_vain else score for i, score in enumerate(scores)]


def _loser(asked: Asked, scores: Sequence[float]) -> int:
    """Return which of two answers leaves a knockout: in a draw, the weaker one."""
    chance = _chance(asked)
    if chance is None or chance == 0.5:
        return min(asked.a, asked.b, key=lambda i: scores[i])
    return asked.b if chance > 0.5 else asked.a


def _ranking(n: int, asked: Sequence[Asked], ahead: Collection[int]) -> Ranking:
    """Return what was found; those `ahead` come before all others.

    Raises: DataError where no comparison says anything.
    """
    told, in_vain = _told(asked), _in_vain(asked)
    if asked and not told:
        why = asked[0].comparison.problem or asked[0].comparison.abstained
        raise DataError(
            f"None of {len(asked)} comparisons says which answer is better; the first: "
            f"{why.removesuffix('.')}. Look at one with compare()."
        )
    heard = [index for index in range(n) if index not in in_vain]
    place = {index: at for at, index in enumerate(heard)}
    found = fit_strengths(len(heard), [(place[a], place[b], chance) for a, b, chance in told])
    order = sorted(heard, key=lambda i: (i not in ahead, -found.scores[place[i]]))
    of_all = fit_strengths(n, told) if in_vain else found
    return Ranking(
        order=(*order, *sorted(in_vain)),
        scores=tuple(found.scores[place[i]] if i in place else None for i in range(n)),
        intervals=tuple(found.intervals[place[i]] if i in place else None for i in range(n)),
        first_is_best=of_all.best[order[0]],
        asked=tuple(asked),
    )
