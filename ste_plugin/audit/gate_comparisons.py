"""Gates that compare an iteration with what would be shipped instead: losses, and its own words."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gate_decision import CHECK, P, Tested, undecided
from ste_plugin.audit.held_out import Compared, breaks_loss, compare_evaluations, read_words
from ste_plugin.audit.variety import compare_texts, p_not_below
from ste_plugin.context import GateFigures
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.storage.run_layout import RunLayout


def compared(figures: GateFigures) -> list[int]:
    """Return the seed, the reference and the iteration, each once."""
    return list(dict.fromkeys((0, figures.reference, figures.number)))


def evaluation(folder: RunLayout, number: int, name: str) -> Path:
    """Return the folder of an iteration's evaluation."""
    return folder.iteration(number) / "eval" / name


def loss_gates(figures: GateFigures, name: str, pairs: str, threshold: float) -> Iterator[Tested]:
    """Yield what a paired test says of the judge and the seed, and of it and the reference."""
    number, folder = figures.number, figures.context.folder
    own = evaluation(folder, number, pairs)
    earlier = [0] if name == "agreement_loss" else compared(figures)[:-1]
    for other in earlier:
        found = compare_evaluations(evaluation(folder, other, pairs), own)
        if found is None:
            why = f"{pairs} was not measured for both, or has no labelled pair."
            yield undecided(name, number, threshold, why, f"{pairs}, {judge_name(other)}")
            continue
        yield loss_gate(name, number, pairs, other, found, threshold)


def loss_gate(
    name: str, number: int, pairs: str, other: int, found: Compared, threshold: float
) -> Tested:
    """Return how much of being right an iteration lost to another judge on some pairs."""
    comparison, difference = found.comparison, found.comparison.acc_pc
    interval = difference.interval
    finding = Finding(
        CHECK,
        name,
        f"iteration {number}, {pairs}, {judge_name(other)}",
        0.0 - difference.difference,
        interval and (0.0 - interval[1], 0.0 - interval[0]),
        threshold,
        comparison.n,
        False,
        f"{comparison.right} on {pairs}: {difference.second:.0%}, {judge_name(other)} "
        f"{difference.first:.0%} (won {comparison.won}, lost {comparison.lost}; {P}); "
        f"it must not lose{f' {threshold:.0%}' if threshold else ''}.",
        "Look at what it learnt: `ste audit`. Other pair strategies, or fewer steps, may help.",
    )
    return Tested(finding, breaks_loss(comparison, threshold), {other: found.p_lost})


@dataclass(frozen=True, slots=True)
class _TextGate:
    name: str
    threshold: float | None
    words: str


def text_gates(figures: GateFigures) -> Iterator[Tested]:
    """Yield whether the judge's own words are as long and varied as the seed's, on dev prompts."""
    context, number = figures.context, figures.number
    config = context.config.gates
    gates = [
        _TextGate("variety", config.variety, "as many distinct pairs of words as"),
        _TextGate("length", config.length, "as many words as"),
    ]
    wanted = [gate for gate in gates if gate.threshold is not None]
    if not wanted or not context.judge_format.reasons:
        return
    places = [evaluation(context.folder, n, "dev") for n in (0, number)]
    texts = compare_texts(*(read_words(path, context.judge_format) for path in places))
    ratios = {"variety": texts.distinct_2, "length": texts.length}
    for gate in wanted:
        ratio, threshold = ratios[gate.name], gate.threshold or 0.0
        if ratio.figure is None or ratio.interval is None:
            why = f"{texts.texts} prompts have words of both judges, which are too few."
            yield undecided(gate.name, number, threshold, why)
            continue
        finding = Finding(
            CHECK,
            gate.name,
            f"iteration {number}",
            ratio.figure,
            ratio.interval,
            threshold,
            texts.texts,
            False,
            f"its judgments have {ratio.figure:.0%} {gate.words} the seed's on the same prompts; "
            f"at least {threshold:.0%}.",
            _SAME_WORDS,
            "least",
        )
        yield Tested(finding, ratio.below(threshold), {0: p_not_below(ratio, threshold)})


_SAME_WORDS = (
    "Read a few of its judgments beside the seed's (eval/dev/lm-eval). Fewer steps, a lower "
    "learning rate or more instructions keep its words its own."
)
