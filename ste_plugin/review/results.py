"""What comes of a run's review: `review/agreement.json`, for people, the report and scripts."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ste_plugin.config import RunConfig
from ste_plugin.errors import DataError
from ste_plugin.evaluation.judges import iterations_at
from ste_plugin.evaluation.shipped import number_in_words
from ste_plugin.lm_eval_tasks.judged_file import read_judged
from ste_plugin.lm_eval_tasks.judged_pair import NONE
from ste_plugin.lm_eval_tasks.metrics import CHOSEN, NEITHER, REJECTED, SILENT, preferred
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import Record, ResponsePair
from ste_plugin.review.agreement import Agreement, Rating, agreement, agreement_with, pairwise
from ste_plugin.review.judgments_by import of_newest_judge
from ste_plugin.review.labels import CHOICES, Label, labels_path, read_labels
from ste_plugin.review.majority import most_say
from ste_plugin.review.rates import Case, Estimate, rate_of
from ste_plugin.storage.jsonl import iter_records, replace_json
from ste_plugin.storage.run_layout import RunLayout

HELD_OUT = ("dev", "test")
ALL = "all"


class Reviewed(NamedTuple):
    """A pair that people labelled."""

    strategy: str
    instruction_key: str
    split: str
    stands_for: float
    """How many pairs of its strategy: people see as many of each strategy, however common it is."""


class StrategyRate(Record, frozen=True):
    """How often people find that the better answers of a strategy are better."""

    pairs: int
    prompts: int
    better: int
    """Pairs that most people call better; who says tie counts, too."""
    worse: int
    """The other way round."""
    undecided: int
    """The others: people are divided, or most cannot tell."""
    rate: Estimate
    """Of `better` among all, undecided ones included."""
    wrong: Estimate
    """Of `worse` among all."""


class Results(Record, frozen=True):
    """What people said of a run's pairs and judgments."""

    labels: dict[str, int]
    """Rater → how many labels of hers count, of pairs and of judgments."""
    of_other_pairs: int
    """Labels of pairs that this run does not have; they are left out."""
    strategies: dict[str, StrategyRate]
    """Pair strategy → how often its better answers are; `all`, each by how many pairs it has."""
    people: Agreement | None
    """All raters of pairs together; None for fewer than two."""
    pairs_of_people: dict[str, Agreement]
    """`A / B` → how far two of them agree."""
    judge: Agreement | None
    """The judge with a person, whoever that is, on held-out pairs; None where it was measured on
    none of those that were labelled."""
    judge_with: dict[str, Agreement]
    """Rater → how far the judge agrees with her."""
    judge_iteration: int | None
    """Which one's; 0 is the seed."""
    reasoning: dict[str, Estimate]
    """Pair strategy, or `all` → how often a person finds that a judgment's reasoning holds: of the
    newest judge whose judgments were labelled."""
    people_on_reasoning: Agreement | None
    judge_is: str = ""
    """In words: which one's, and whether the run ships that one."""
    reasoning_by: str = ""
    """In words: whose judgments `reasoning` is of."""
    reasoning_of_others: int = 0
    """Labels of judgments that other judges of the run wrote; they are left out."""

    @property
    def ceiling(self) -> float | None:
        """How often two people say the same of a pair: a judge cannot be asked for more."""
        return self.people.raw.value if self.people else None


def review_results(folder: RunLayout, config: RunConfig, iteration: int | None = None) -> Results:
    """Return what comes of a run's labels; without an iteration kept in `review/agreement.json`.

    `iteration` is that of the judge held against people: by default the last that was measured,
    of which the report speaks.
    Raises: DataError where nobody has labelled anything, or all labels are of other pairs.
    """
    path = labels_path(folder)
    labels = read_labels(path)
    if not labels:
        raise DataError(f"{path}: nobody has labelled anything yet. `ste review` shows the pairs.")
    pairs = _reviewed_pairs(folder, config, labels)
    known = [label for label in labels if label.pair_key in pairs]
    if not known:
        raise DataError(
            f"{path}: {len(labels)} labels, none of a pair of this run. Labels belong to the pairs "
            "that people saw: has the run been made anew, or is the file another run's?"
        )
    number, judged = _judge(folder.root, {label.pair_key for label in known}, iteration)
    of_judgments = {label.judgment_key for label in known if label.kind == "judgment"}
    newest, by = of_newest_judge(folder, of_judgments)
    results = _results(known, pairs, number, judged, len(labels) - len(known), newest)
    results = msgspec.structs.replace(results, reasoning_by=by)
    if results.judge_iteration is not None:
        words = number_in_words(folder.root, results.judge_iteration)
        results = msgspec.structs.replace(results, judge_is=words)
    if iteration is None:
        replace_json(folder.review / "agreement.json", to_json(results))
    return results


def to_json(results: Results) -> dict[str, Any]:
    """Return the results as the file has them."""
    builtins: dict[str, Any] = msgspec.to_builtins(results)
    return builtins | {"ceiling": results.ceiling}


def _reviewed_pairs(
    folder: RunLayout, config: RunConfig, labels: Iterable[Label]
) -> dict[str, Reviewed]:
    """Return pair key → what is known of the pairs of the run that were labelled."""
    wanted = {label.pair_key for label in labels}
    there: Counter[tuple[str, str]] = Counter()
    found: dict[str, Reviewed] = {}
    for pair in iter_records(folder.pool / "pairs.jsonl", ResponsePair):
        split = split_of(pair.split_key, config)
        there[pair.strategy, split] += 1
        if pair.key in wanted:
            found[pair.key] = Reviewed(pair.strategy, pair.instruction_key, split, 1)
    drawn = Counter(pair.strategy for pair in found.values())
    splits = {pair.split for pair in found.values()}
    in_all = {name: sum(there[name, split] for split in splits) for name in drawn}
    return {
        key: pair._replace(stands_for=in_all[pair.strategy] / drawn[pair.strategy])
        for key, pair in found.items()
    }


def _judge(
    root: Path, wanted: set[str], iteration: int | None
) -> tuple[int | None, dict[str, str]]:
    """Return a judge's iteration, and pair key → what it said, of the held-out pairs wanted."""
    try:
        measured = iterations_at(root)
    except DataError:
        return None, {}
    if iteration is not None and iteration not in measured:
        raise DataError(
            f"{root}: the judge of iteration {iteration} was not measured; those of "
            f"{', '.join(map(str, sorted(measured)))} were."
        )
    number = max(measured) if iteration is None else iteration
    said: dict[str, str] = {}
    for name in HELD_OUT:
        if evaluation := measured[number].get(name):
            said |= _said(evaluation.path)
    return number, {key: choice for key, choice in said.items() if key in wanted}


def _said(path: Path) -> dict[str, str]:
    """Return pair key → `better` or `worse`, in both orders, `tie`, or `none` where one has no
    verdict, which no person says."""
    judged = read_judged(path)
    names = {CHOSEN: "better", REJECTED: "worse", NEITHER: "tie", SILENT: NONE}
    pairs = judged if isinstance(judged, list) else []
    return {pair.id: names[preferred(pair)] for pair in pairs if pair.fits}


def _results(
    labels: Sequence[Label],
    pairs: Mapping[str, Reviewed],
    number: int | None,
    judged: Mapping[str, str],
    others: int,
    newest: Collection[str],
) -> Results:
    of_pairs = [_rating(label, label.pair_key, pairs) for label in labels if label.kind == "pair"]
    on_reasons = [label for label in labels if label.kind == "judgment"]
    of_reasons = [_rating(label, label.judgment_key, pairs) for label in on_reasons]
    by_newest = [label for label in on_reasons if label.judgment_key in newest]
    raters = sorted({rating.rater for rating in of_pairs})
    offered = CHOICES["pair"]
    held = {name: [r for r in of_pairs if r.rater == name and r.item in judged] for name in raters}
    return Results(
        labels=dict(Counter(label.rater for label in labels)),
        of_other_pairs=others,
        strategies=_strategies(of_pairs, pairs),
        people=agreement(of_pairs, offered) if len(raters) > 1 else None,
        pairs_of_people={f"{a} / {b}": f for (a, b), f in pairwise(of_pairs, offered).items()},
        judge=agreement_with(judged, of_pairs, offered) if any(held.values()) else None,
        judge_with={
            r: agreement_with(judged, given, offered) for r, given in held.items() if given
        },
        judge_iteration=number if any(held.values()) else None,
        reasoning=_reasoning(by_newest, pairs),
        reasoning_of_others=len(on_reasons) - len(by_newest),
        people_on_reasoning=agreement(of_reasons, CHOICES["judgment"])
        if len({rating.rater for rating in of_reasons}) > 1
        else None,
    )


def _rating(label: Label, item: str, pairs: Mapping[str, Reviewed]) -> Rating:
    pair = pairs[label.pair_key]
    return Rating(label.rater, item, str(label.choice), pair.instruction_key, pair.stands_for)


def _strategies(
    ratings: Iterable[Rating], pairs: Mapping[str, Reviewed]
) -> dict[str, StrategyRate]:
    """Return strategy → its rate, `all` last."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for rating in ratings:
        votes[rating.item][rating.category] += 1
    by_strategy: dict[str, list[str]] = defaultdict(list)
    for key in votes:
        by_strategy[pairs[key].strategy].append(key)
    named = dict(sorted(by_strategy.items())) | ({ALL: list(votes)} if len(by_strategy) > 1 else {})
    return {name: _strategy(keys, votes, pairs) for name, keys in named.items()}


def _strategy(
    keys: Sequence[str], votes: Mapping[str, Counter[str]], pairs: Mapping[str, Reviewed]
) -> StrategyRate:
    net = {key: most_say(*(votes[key][choice] for choice in CHOICES["pair"])) for key in keys}

    def rate(sign: int) -> Estimate:
        return rate_of(
            Case(pairs[key].instruction_key, float(net[key] == sign), pairs[key].stands_for)
            for key in keys
        )

    return StrategyRate(
        pairs=len(keys),
        prompts=len({pairs[key].instruction_key for key in keys}),
        better=sum(n > 0 for n in net.values()),
        worse=sum(n < 0 for n in net.values()),
        undecided=sum(n == 0 for n in net.values()),
        rate=rate(1),
        wrong=rate(-1),
    )


def _reasoning(labels: Iterable[Label], pairs: Mapping[str, Reviewed]) -> dict[str, Estimate]:
    """Return strategy → how often reasoning holds, `all` last."""
    cases: dict[str, list[Case]] = defaultdict(list)
    for label in labels:
        pair = pairs[label.pair_key]
        case = Case(pair.instruction_key, float(label.choice == "holds"), pair.stands_for)
        cases[pair.strategy].append(case)
    if len(cases) > 1:
        cases[ALL] = [case for given in cases.values() for case in given]
    return {name: rate_of(given) for name, given in cases.items()}
