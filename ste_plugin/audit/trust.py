"""Whether a judge can be trusted, by pairs that people labelled: an answer for CI."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from ste_plugin.audit.always_valid import cases_needed
from ste_plugin.audit.always_valid import interval as always_valid
from ste_plugin.audit.judge_words import JudgeWord, judge_words
from ste_plugin.audit.people_file import PeopleOnPair, read_people
from ste_plugin.audit.run_pairs import all_chose, ids_that_chose, is_of_pool
from ste_plugin.errors import DataError, Inconclusive, NotTrusted
from ste_plugin.evaluation.shipped import judge_in_words
from ste_plugin.lm_eval_tasks.bootstrap import prompt_key, rounded
from ste_plugin.lm_eval_tasks.metrics import who_agree
from ste_plugin.records import Record
from ste_plugin.review.rates import Case, Estimate, rate_of

AT_LEAST = 0.8
"""Share of pairs on which a judge must be right in both orders. Two people agree on about as many:
81% of the pairs of MT-Bench that are no ties (Zheng et al. 2023)."""

Answer = Literal["TRUSTED", "NOT TRUSTED", "INCONCLUSIVE"]


class Trust(Record, frozen=True):
    """Whether a judge can be trusted, and what it was decided by."""

    answer: Answer
    judge: str
    """Where what it said was read."""
    which: str
    """Of a run: which of its judges, and whether the run ships that one; otherwise empty."""
    measure: str
    """`right`: in both orders, of the pairs on which most people agree. `of people`: its agreement
    with a person, less the share asked for of that between two people."""
    of_people: float | None
    """The share asked for of people's agreement; None where `right`."""
    threshold: float
    """What the figure is held to."""
    figure: float
    """Each prompt counts once, however many pairs it has."""
    interval: tuple[float, float]
    """95%, by which it was decided: valid however often one looks, or for one look."""
    one_look: bool
    """Whether it is valid for one look only."""
    pairs: int
    """That counted."""
    prompts: int
    labelled: int
    """Pairs in the file of labels."""
    labels_by: Literal["people", "construction"]
    """Whose they are; those of a run's held-out pairs themselves are by construction."""
    chose_judge: int
    """Of these are dev pairs of a run, by which its judge was chosen: they are left out."""
    not_judged: int
    """Of these the judge was not asked about."""
    divided: int
    """Of these people are divided on, or say tie: nobody can be right about them."""
    people: Estimate
    """How often two people say the same of a pair; None where no pair has two labels."""
    with_people: Estimate
    """How often the judge and a person say the same of these pairs."""
    more_prompts: int | None
    """About how many more prompts would decide, where it is inconclusive; None: no number would,
    as far as can be told."""
    more_pairs: int | None
    """As many labelled pairs, with as many a prompt as now."""

    @property
    def exit_code(self) -> int:
        """0 trusted, 8 not trusted, 9 inconclusive."""
        codes = {"NOT TRUSTED": NotTrusted.exit_code, "INCONCLUSIVE": Inconclusive.exit_code}
        return codes.get(self.answer, 0)


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is asked of a judge."""

    at_least: float = AT_LEAST
    """Share of pairs to be right about in both orders."""
    of_people: float | None = None
    """Instead: share of people's agreement with each other that its own with them is to reach."""
    one_look: bool = False
    """Whether these labels are looked at once only, so that a narrower interval holds."""


class Compared(NamedTuple):
    """A pair that people labelled and the judge was asked about."""

    prompt: str
    people: PeopleOnPair
    word: JudgeWord


def trust(judge: Path, labels: Path, criterion: Criterion) -> Trust:
    """Return whether a judge can be trusted, by the pairs that people labelled.

    Pairs that chose the judge of a run are left out: dev pairs of the run around the judge or the
    labels. Raises: DataError where the judge was measured on none of the others, saying how it is.
    """
    labelled = read_people(labels)
    chose = ids_that_chose(judge, labels)
    people = {key: said for key, said in labelled.items() if key not in chose}
    if not people:
        raise all_chose(labels, len(labelled))
    words = judge_words(judge, people, labels)
    compared = [Compared(prompt_key(word.prompt), people[key], word) for key, word in words.items()]
    values, threshold = _values(compared, criterion)
    if not values:
        raise DataError(_nothing_counts(labels, compared, criterion))
    found = _decide(judge, people, compared, values, threshold, criterion)
    return replace(
        found,
        labelled=len(labelled),
        labels_by="construction" if is_of_pool(labels) else "people",
        chose_judge=len(labelled) - len(people),
    )


Values = Mapping[str, Sequence[float]]
"""Prompt → what each of its pairs that count adds."""


def _values(compared: Iterable[Compared], criterion: Criterion) -> tuple[Values, float]:
    """Return the values, between 0 and 1, and what their mean is held to."""
    values: dict[str, list[float]] = defaultdict(list)
    ratio = criterion.of_people
    for prompt, people, word in compared:
        if ratio is None:
            if people.preferred is not None:
                values[prompt].append(float(word.side == people.preferred))
        elif sum(people.votes) > 1:
            less = agreement_of_judge(people, word) - ratio * agreement_of_people(people)
            values[prompt].append((less + ratio) / (1 + ratio))
    return values, criterion.at_least if ratio is None else ratio / (1 + ratio)


def agreement_of_judge(people: PeopleOnPair, word: JudgeWord) -> float:
    """Return which share of the people says of a pair what the judge says."""
    return who_agree(people.votes, word.side) / sum(people.votes)


def agreement_of_people(people: PeopleOnPair) -> float:
    """Return how many of all pairs of people say the same of a pair of answers."""
    n = sum(people.votes)
    return sum(votes * (votes - 1) for votes in people.votes) / (n * (n - 1))


def _decide(
    judge: Path,
    people: Mapping[str, PeopleOnPair],
    compared: Sequence[Compared],
    values: Values,
    threshold: float,
    criterion: Criterion,
) -> Trust:
    means = [sum(given) / len(given) for given in values.values()]
    low, high = _interval(values, criterion.one_look)
    answer: Answer = "INCONCLUSIVE"
    if low >= threshold or high < threshold:
        answer = "TRUSTED" if low >= threshold else "NOT TRUSTED"
    pairs = sum(map(len, values.values()))
    more = None
    if answer == "INCONCLUSIVE":
        more = _more(means, threshold, (low, high), criterion.one_look)
    ratio = criterion.of_people
    shift, scale = (0.0, 1.0) if ratio is None else (ratio, 1 + ratio)
    figure, *ends = (rounded(v * scale - shift) for v in (sum(means) / len(means), low, high))
    return Trust(
        answer=answer,
        judge=str(judge),
        which=judge_in_words(judge),
        measure="right" if ratio is None else "of people",
        of_people=ratio,
        threshold=rounded(threshold * scale - shift),
        figure=figure,
        interval=(ends[0], ends[1]),
        one_look=criterion.one_look,
        pairs=pairs,
        prompts=len(means),
        labelled=len(people),
        labels_by="people",
        chose_judge=0,
        not_judged=len(people) - len(compared),
        divided=sum(c.people.preferred is None for c in compared),
        people=_by_prompt(compared, lambda c: agreement_of_people(c.people)),
        with_people=_by_prompt(compared, lambda c: agreement_of_judge(c.people, c.word)),
        more_prompts=more,
        more_pairs=None if more is None else ceil(more * pairs / len(means)),
    )


def _by_prompt(compared: Iterable[Compared], rate: Callable[[Compared], float]) -> Estimate:
    """Return the mean of a rate of the pairs with two labels or more, each prompt counting once."""
    several = [c for c in compared if sum(c.people.votes) > 1]
    pairs = Counter(c.prompt for c in several)
    return rate_of(Case(c.prompt, rate(c), 1 / pairs[c.prompt]) for c in several)


def _interval(values: Values, one_look: bool) -> tuple[float, float]:
    """Return the interval of the mean over prompts."""
    if not one_look:
        return always_valid([sum(given) / len(given) for given in values.values()])
    cases = [Case(prompt, v, 1 / len(given)) for prompt, given in values.items() for v in given]
    return rate_of(cases).interval or (0.0, 1.0)


def _more(
    means: Sequence[float], threshold: float, interval: tuple[float, float], one_look: bool
) -> int | None:
    """Return about how many more prompts would decide, if they are like these."""
    if not one_look:
        needed = cases_needed(means, threshold)
        return None if needed is None else max(1, needed - len(means))
    away = abs(sum(means) / len(means) - threshold)
    half = (interval[1] - interval[0]) / 2
    if away < 1e-3:
        return None
    return max(1, ceil(len(means) * (half / away) ** 2) - len(means))


def _nothing_counts(labels: Path, compared: Sequence[Compared], criterion: Criterion) -> str:
    if criterion.of_people is None:
        return (
            f"{labels}: on none of the {len(compared)} pairs that the judge was asked about do "
            "most people prefer one answer, so that nobody can be right about them. Label more."
        )
    return (
        f"{labels}: none of the {len(compared)} pairs that the judge was asked about has labels "
        "by two people, so that nothing is known of how far people agree. Have a second person "
        "label them, or leave --of-people out."
    )
