"""The built-in gates: whether an iteration's judge is worse than what would be shipped instead.

Each is decided by figures of the dev pairs (people's labels for `agreement_loss`) and breaks only
where chance is no explanation. What cannot be computed breaks nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gate_comparisons import compared, evaluation, loss_gates, text_gates
from ste_plugin.audit.gate_decision import CHECK, P, Tested, decide, undecided
from ste_plugin.audit.held_out import INCONSISTENCY, INVALID_RATE, LETTER_A, verdict_sums
from ste_plugin.audit.jackknife import Estimate, GroupedSums
from ste_plugin.audit.shares import Held, meant_for, more_frequent
from ste_plugin.context import GateFigures, RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.storage.jsonl import read_json

NOT_HELD = "beyond its level; not held against it, as "
"""How the words begin of a level that is exceeded and does not break the gate."""


LEVELS = (
    Held(
        "position_bias",
        LETTER_A,
        0.2,
        "one letter gets {value} of its verdicts",
        "Are the training rows as many of each letter (`letters` in dataset/manifest.json)? A "
        "lower learning rate, or fewer epochs, may keep it from learning the letter.",
        more_frequent,
        is_letter=True,
        is_of_orders=True,
    ),
    Held(
        "consistency",
        INCONSISTENCY,
        0.5,
        "it prefers the same answer in both orders for {value} of the pairs",
        "Set dataset.both_orders_only: true, or train for fewer steps.",
        lambda value: 1 - value,
        "at least",
        is_of_orders=True,
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
    """Yield the findings of the gates that are set; `failed` where the iteration breaks one."""
    config = figures.context.config.gates
    tested = list(_level_gates(figures))
    if config.accuracy_loss is not None:
        tested += loss_gates(figures, "accuracy_loss", "dev", config.accuracy_loss)
    tested += text_gates(figures)
    if config.agreement_loss is not None:
        for people in people_sets(figures):
            tested += loss_gates(figures, "agreement_loss", people, config.agreement_loss)
    yield from decide(tested)


def people_sets(figures: GateFigures) -> tuple[str, ...]:
    """Return the names of the evaluations whose labels are people's."""
    config = figures.context.config
    return tuple(config.evaluation.pairs) if config.gates.people is None else config.gates.people


def _level_gates(figures: GateFigures) -> Iterator[Tested]:
    config, folder = figures.context.config.gates, figures.context.folder
    thresholds = {
        "position_bias": config.position_bias,
        "consistency": None if config.consistency is None else 1 - config.consistency,
        "invalid_rate": config.invalid_rate,
    }
    sums = {n: verdict_sums(evaluation(folder, n, "dev")) for n in compared(figures)}
    for held in meant_for(figures.context.judge_format, LEVELS):
        if (threshold := thresholds[held.name]) is not None:
            yield level_gate(figures.number, held._replace(level=threshold), sums)


def level_gate(number: int, held: Held, sums: Mapping[int, GroupedSums | None]) -> Tested:
    """Return whether a figure lies beyond its level, and how likely it got worse by chance alone.

    `sums`: of the iteration, and of those that it is held against.
    """
    own = sums[number]
    if own is None:
        return undecided(held.name, number, held.level, "there are no dev pairs to measure it on.")
    estimate = held.share(own)
    others = {n: other for n, other in sums.items() if n != number and other is not None}
    course = held.course({n: held.share(other).figure for n, other in others.items()})
    is_beyond = estimate.above(held.level)
    words = f"{held.sentence(estimate.figure, course)}{f' ({P})' if is_beyond and others else ''}."
    if estimate.interval is None:
        return undecided(held.name, number, held.level, f"of too few prompts: {words}")
    is_most = held.limit == "at most"
    told = estimate if is_most else _of_the_rest(estimate)
    limit: Literal["most", "least"] = "most" if is_most else "least"
    finding = Finding(
        CHECK,
        held.name,
        f"iteration {number}",
        told.figure,
        told.interval,
        held.level if is_most else 1 - held.level,
        int(held.of.cases(own.total())),
        False,
        words,
        held.cure,
        limit,
    )
    ps = {n: held.p_worse(other, own) for n, other in others.items()}
    return Tested(finding, is_beyond, ps or {number: 0.0}, f"{NOT_HELD}{_no_better(others)}: ")


def _no_better(numbers: Iterable[int]) -> str:
    """Return that none of these judges, at most two, is sure to be a better one to ship."""
    names = [judge_name(number) for number in numbers]
    if len(names) == 1:
        return f"{names[0]} is not clearly better"
    return f"neither {' nor '.join(names)} is clearly better"


def _of_the_rest(estimate: Estimate) -> Estimate:
    """Return the share that is left: of consistency, from that of inconsistency."""
    figure, interval = estimate.figure, estimate.interval
    return Estimate(
        None if figure is None else 1 - figure,
        None if interval is None else (1 - interval[1], 1 - interval[0]),
    )


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
