"""Judges that are drawn by chance, as good or as bad as one says, and what gates find of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gate_comparisons import loss_gate
from ste_plugin.audit.gate_decision import decide
from ste_plugin.audit.gates import LEVELS, level_gate
from ste_plugin.audit.held_out import compared, sums_of
from ste_plugin.evaluation.judges import Outcome
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.metrics import acc, acc_pc
from ste_plugin.records import ORDERS, OTHER


class Kind(NamedTuple):
    """What a judge does on the average."""

    right: float = 0.75
    """Share of orders that it is right about where it judges by content."""
    always_a: float = 0.0
    """Share of orders in which it says A, whatever it is shown."""
    silent: float = 0.0
    """Share of replies that state no verdict."""


BIASED = Kind(right=0.7, always_a=0.6)
"""Says A in 80%, and prefers the same answer in both orders in a third of the pairs."""


class Pair(NamedTuple):
    """A pair that all judges are asked about."""

    prompt: str
    ease: float
    """0 to 1: where a judge that is right in 75% of all is right in this one, or not."""


def pairs_of(draw: np.random.Generator, count: int, each: int = 1) -> list[Pair]:
    """Pairs, `each` of them of one prompt, all of which are about as hard."""
    ease = draw.beta(3, 1, -(-count // each)) / 0.75
    return [Pair(f"prompt {n // each}", float(ease[n // each])) for n in range(count)]


def judged(draw: np.random.Generator, kind: Kind, pairs: Sequence[Pair]) -> list[JudgedPair]:
    """What a judge of this kind says about pairs, in both orders."""

    def said(gold: str, ease: float) -> str | None:
        chance = draw.random(3)
        if chance[0] < kind.silent:
            return None
        if chance[1] < kind.always_a:
            return "A"
        return gold if chance[2] < min(1.0, kind.right * ease) else OTHER[gold]

    return [
        JudgedPair(
            f"p{n}",
            "",
            pair.prompt,
            tuple(OrderVerdict(gold, own=said(gold, pair.ease)) for gold in ORDERS),
            9,
            9,
        )
        for n, pair in enumerate(pairs)
    ]


def outcomes(found: Sequence[JudgedPair]) -> list[Outcome]:
    """How right a judge is about pairs."""
    both, either = ([metric(pair)[0] for pair in found] for metric in (acc_pc, acc))
    return [
        Outcome("", pair.prompt, points, right == 1)
        for pair, right, points in zip(found, both, either, strict=True)
    ]


def gates_of(
    judges: Sequence[Sequence[JudgedPair]], people: Sequence[Sequence[JudgedPair]] = ()
) -> list[Finding]:
    """What the default gates find of the last of judges, held against those before it.

    `people`: of pairs that people labelled, what the first and the last of them say.
    """
    number, sums = len(judges) - 1, {n: sums_of(list(found)) for n, found in enumerate(judges)}
    tested = [level_gate(number, held, sums) for held in LEVELS]
    own = outcomes(judges[-1])
    for other, found in enumerate(judges[:-1]):
        both = compared(outcomes(found), own)
        tested.append(loss_gate("accuracy_loss", number, "dev", other, both, 0.0))
    if people:
        both = compared(outcomes(people[0]), outcomes(people[-1]))
        tested.append(loss_gate("agreement_loss", number, "people", 0, both, 0.0))
    return list(decide(tested))


def drawn_gates(
    draw: np.random.Generator, kinds: Sequence[Kind], pairs: int, each: int = 1
) -> list[Finding]:
    """What gates find of the last of some judges, on dev pairs and on as many of people."""
    dev, labelled = (pairs_of(draw, pairs, each) for _ in range(2))
    said = [[judged(draw, kind, asked) for kind in kinds] for asked in (dev, labelled)]
    return gates_of(said[0], said[1])
