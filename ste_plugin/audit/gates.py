"""The built-in gates: whether an iteration's judge is worse than what would be shipped instead.

Each is decided by figures of the dev pairs (people's labels for `agreement_loss`) and breaks only
where chance is no explanation. What cannot be computed breaks nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.held_out import (
    INCONSISTENCY,
    INVALID_RATE,
    POSITION_BIAS,
    TOWARD_A,
    breaks_loss,
    compare_labelled,
    measured_at,
    read_words,
    verdict_sums,
)
from ste_plugin.audit.jackknife import Estimate, GroupedSums
from ste_plugin.audit.shares import Held, more_frequent
from ste_plugin.audit.variety import compare_texts
from ste_plugin.context import GateFigures, RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout

CHECK = "gates"
NOT_HELD = "beyond its level; not held against it, as "
"""How the words begin of a level that is exceeded and does not break the gate."""


LEVELS = (
    Held(
        "position_bias",
        POSITION_BIAS,
        0.2,
        "one letter gets {value} of its verdicts",
        "Are the training rows as many of each letter (`letters` in dataset/manifest.json)? A "
        "lower learning rate, or fewer epochs, may keep it from learning the letter.",
        more_frequent,
        toward_a=TOWARD_A,
    ),
    Held(
        "consistency",
        INCONSISTENCY,
        0.5,
        "it prefers the same answer in both orders for {value} of the pairs",
        "Set dataset.both_orders_only: true, or train for fewer steps.",
        lambda value: 1 - value,
        "at least",
    ),
    Held(
        "invalid_rate",
        INVALID_RATE,
        0.1,
        "{value} of its replies state no verdict by themselves",
        "Read them in eval/dev/lm-eval; evaluation.max_new_tokens may be too low.",
    ),
)
"""The gates that hold a share to a level, which the config sets."""
NAMES = (*(held.name for held in LEVELS), "accuracy_loss", "agreement_loss", "variety", "length")
OF_AUDIT = "the audit"
"""How the words on a gate begin that is a failed figure of the audit."""


def check_gates(figures: GateFigures) -> Iterator[Finding]:
    """Yield a finding per gate that is set; `failed` where the iteration breaks it."""
    config, folder = figures.context.config.gates, figures.context.folder
    thresholds = {
        "position_bias": config.position_bias,
        "consistency": None if config.consistency is None else 1 - config.consistency,
        "invalid_rate": config.invalid_rate,
    }
    judges = {number: _evaluation(folder, number, "dev") for number in _compared(figures)}
    sums = {number: verdict_sums(path) for number, path in judges.items()}
    for held in LEVELS:
        if (threshold := thresholds[held.name]) is not None:
            yield _level_finding(figures.number, held._replace(level=threshold), sums)
    if config.accuracy_loss is not None:
        yield from _loss_findings(figures, "accuracy_loss", "dev", config.accuracy_loss)
    yield from _text_findings(figures)
    if config.agreement_loss is not None:
        for people in people_sets(figures):
            yield from _loss_findings(figures, "agreement_loss", people, config.agreement_loss)


def people_sets(figures: GateFigures) -> tuple[str, ...]:
    """Return the names of the evaluations whose labels are people's."""
    config = figures.context.config
    return tuple(config.evaluation.pairs) if config.gates.people is None else config.gates.people


def _compared(figures: GateFigures) -> list[int]:
    """Return the seed, the reference and the iteration, each once."""
    return list(dict.fromkeys((0, figures.reference, figures.number)))


def _evaluation(folder: RunLayout, number: int, name: str) -> Path:
    return folder.iteration(number) / "eval" / name


def _level_finding(number: int, held: Held, sums: Mapping[int, GroupedSums | None]) -> Finding:
    """Return whether a figure lies beyond its level, and got worse than in what is shipped now."""
    own = sums[number]
    if own is None:
        return undecided(held.name, number, held.level, "there are no dev pairs to measure it on.")
    estimate = held.share(own)
    others = {n: other for n, other in sums.items() if n != number and other is not None}
    changes = {n: held.change(other, own) for n, other in others.items()}
    course = held.course({n: held.share(other).figure for n, other in others.items()})
    failed = breaks_level(estimate, held.level, changes)
    words = f"{held.sentence(estimate.figure, course)}."
    if estimate.above(held.level) and not failed:
        words = f"{NOT_HELD}{_no_better(others)}: {words}"
    if estimate.interval is None:
        return undecided(held.name, number, held.level, f"of too few prompts: {words}")
    told = estimate if held.limit == "at most" else _of_the_rest(estimate)
    level = held.level if held.limit == "at most" else 1 - held.level
    n = int(max(own.total()[1::2]))
    subject = f"iteration {number}"
    limit: Literal["most", "least"] = "most" if held.limit == "at most" else "least"
    return Finding(
        CHECK,
        held.name,
        subject,
        told.figure,
        told.interval,
        level,
        n,
        failed,
        words,
        held.cure,
        limit,
    )


def _no_better(numbers: Iterable[int]) -> str:
    """Return that none of these judges, at most two, would be a better one to ship."""
    names = [judge_name(number) for number in numbers]
    if len(names) == 1:
        return f"{names[0]} is no better"
    return f"neither {' nor '.join(names)} is clearly better"


def _of_the_rest(estimate: Estimate) -> Estimate:
    """Return the share that is left: of consistency, from that of inconsistency."""
    figure, interval = estimate.figure, estimate.interval
    return Estimate(
        None if figure is None else 1 - figure,
        None if interval is None else (1 - interval[1], 1 - interval[0]),
    )


def breaks_level(estimate: Estimate, threshold: float, changes: Mapping[int, Estimate]) -> bool:
    """Return whether a figure, of which more is worse, breaks its level.

    It must lie above it with its whole interval, and be above that of the seed, or of the
    reference, by more than noise: what is shipped instead would else be no better.
    """
    worse = [c for c in changes.values() if c.above(0.0)]
    return estimate.above(threshold) and bool(worse or not changes)


def _loss_findings(
    figures: GateFigures, name: str, pairs: str, threshold: float
) -> Iterator[Finding]:
    """Yield what a paired test says of the judge and the seed, and of it and the reference."""
    number, folder = figures.number, figures.context.folder
    own = measured_at(_evaluation(folder, number, pairs))
    earlier = [0] if name == "agreement_loss" else _compared(figures)[:-1]
    for other in earlier:
        comparison = compare_labelled(measured_at(_evaluation(folder, other, pairs)), own)
        if comparison is None:
            why = f"{pairs} was not measured for both, or has no labelled pair."
            yield undecided(name, number, threshold, why, f"{pairs}, {judge_name(other)}")
            continue
        difference = comparison.acc_pc
        yield Finding(
            CHECK,
            name,
            f"iteration {number}, {pairs}, {judge_name(other)}",
            0.0 - difference.difference,
            difference.interval and (0.0 - difference.interval[1], 0.0 - difference.interval[0]),
            threshold,
            comparison.n,
            breaks_loss(comparison, threshold),
            f"{comparison.right} on {pairs}: {difference.second:.0%}, {judge_name(other)} "
            f"{difference.first:.0%} (won {comparison.won}, lost {comparison.lost}; "
            f"p = {comparison.p:.2g}); it must not lose{f' {threshold:.0%}' if threshold else ''}.",
            "Look at what it learnt: `ste audit`. Other pair strategies, or fewer steps, may help.",
        )


@dataclass(frozen=True, slots=True)
class _TextGate:
    name: str
    threshold: float | None
    words: str
    cure: str


def _text_findings(figures: GateFigures) -> Iterator[Finding]:
    """Yield whether the judge's own words are as long and varied as the seed's, on dev prompts."""
    context, number = figures.context, figures.number
    config = context.config.gates
    gates = [
        _TextGate("variety", config.variety, "as many distinct pairs of words as", _SAME_WORDS),
        _TextGate("length", config.length, "as many words as", _SAME_WORDS),
    ]
    wanted = [gate for gate in gates if gate.threshold is not None]
    if not wanted or not context.judge_format.reasons:
        return
    places = [_evaluation(context.folder, n, "dev") for n in (0, number)]
    compared = compare_texts(*(read_words(path, context.judge_format) for path in places))
    ratios = {"variety": compared.distinct_2, "length": compared.length}
    for gate in wanted:
        ratio, threshold = ratios[gate.name], gate.threshold or 0.0
        if ratio.figure is None or ratio.interval is None:
            why = f"{compared.texts} prompts have words of both judges, which are too few."
            yield undecided(gate.name, number, threshold, why)
            continue
        yield Finding(
            CHECK,
            gate.name,
            f"iteration {number}",
            ratio.figure,
            ratio.interval,
            threshold,
            compared.texts,
            ratio.below(threshold),
            f"its judgments have {ratio.figure:.0%} {gate.words} the seed's on the same prompts; "
            f"at least {threshold:.0%}.",
            gate.cure,
            "least",
        )


_SAME_WORDS = (
    "Read a few of its judgments beside the seed's (eval/dev/lm-eval). Fewer steps, a lower "
    "learning rate or more instructions keep its words its own."
)


def undecided(name: str, number: int, threshold: float, why: str, of: str = "") -> Finding:
    """Return the finding of a gate that cannot be computed."""
    subject = f"iteration {number}{of and ', '}{of}"
    return Finding(CHECK, name, subject, None, None, threshold, 0, False, f"undecided: {why}")


def read_findings(context: RunContext, iteration: int) -> Iterator[Finding]:
    """Yield what the gates of an iteration found when it was measured.

    Raises: DataError where they were not decided.
    """
    if iteration == 0:
        raise DataError("undecided: the seed has no gates; iterations are held against it.")
    path = context.folder.iteration(iteration) / "gates.json"
    if not path.exists():
        raise DataError(f"undecided: no {path}: `ste run` decides gates.")
    for row in read_json(path)["findings"]:
        if row["check"] == CHECK:
            yield Finding.from_dict(row)
