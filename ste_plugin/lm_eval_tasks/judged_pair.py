"""What a judge said about one pair."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ste_plugin.judging.verdict import TIE, Reading, Said
from ste_plugin.lm_eval_tasks import votes
from ste_plugin.records import Verdict

NONE = "none"
"""No verdict, in words."""


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """What a judge said in one presentation order."""

    gold: Verdict
    """Letter under which the better response was shown."""
    own: Reading = None
    """What it said by itself, of several samples their majority; None for no single answer."""
    forced: Verdict | None = None
    """The likelier letter after the format's closing words; None where that was not measured."""
    samples: tuple[Reading, ...] = ()
    """What every sample drawn said; empty where only likelihoods were measured."""
    log_odds: float | None = None
    """Log-likelihood of A minus that of B; None where that was not measured."""
    ratings: tuple[Said, ...] = ()
    """Where answers are rated alone: the scores that the one shown here got, sample by sample, or
    the one that likelihoods let expect. A sample's verdict is by those of both answers."""

    @property
    def final(self) -> Reading:
        """Return the verdict that counts: its own, and a forced one only where it gave none."""
        return self.own or self.forced

    @property
    def silent(self) -> bool:
        """Return whether it says nothing; a vote that ended equal says that neither is better."""
        return self.final is None and not votes.ended_equal(self.samples)


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """What a judge said about one labelled pair."""

    id: str
    subset: str
    prompt: str
    orders: tuple[OrderVerdict, ...]
    """Every order shown, the better response as A first: both, or in mode `official` one."""
    chosen_chars: int
    rejected_chars: int
    section: str = ""
    weight: float = 1.0
    votes: tuple[int, int, int] = (1, 0, 0)
    """As in the labelled pair."""
    asked: int = 1
    """Samples per order of the full vote. Early stopping draws fewer, and which depends on what
    they say, so figures of the votes take the first `votes.always_drawn(asked)` of each order."""
    reply_chars: int = 0
    """Length of all replies together."""
    fits: bool = True
    """False where a prompt exceeded the context, so that nothing was asked and nothing counts."""

    group: str = ""
    counted_votes: tuple[int, int, int] | None = None
    """Both as in the labelled pair."""

    @property
    def decided(self) -> bool:
        """Return whether more people preferred the chosen response than the rejected one."""
        return self.votes[0] > self.votes[1]

    @property
    def shown_in_both_orders(self) -> bool:
        """Return whether it was shown in both orders."""
        return len(self.orders) == 2

    @property
    def rated(self) -> bool:
        """Return whether each answer was rated alone, so that there is no order to go by."""
        return any(order.ratings for order in self.orders)

    def in_words(self) -> list[dict[str, Any]]:
        """Return what was said in each order shown, for people who read lm-eval's samples."""
        return [
            _in_words(order) if self.fits else {"verdict": "not asked"} for order in self.orders
        ]


def _in_words(order: OrderVerdict) -> dict[str, Any]:
    final = order.final
    told = {
        "chosen_shown_as": order.gold,
        "verdict": final or NONE,
        "prefers": _preferred(order),
        "forced": order.own is None and final is not None,
    }
    if order.ratings:
        told["ratings"] = list(order.ratings)
    several = {"samples": [said or NONE for said in order.samples]}
    return told | (several if len(order.samples) > 1 else {})


def _preferred(order: OrderVerdict) -> str:
    if order.silent:
        return NONE
    if order.final is None or order.final == TIE:
        return "neither"
    return "chosen" if order.final == order.gold else "rejected"


def count_verdicts(pairs: Iterable[Iterable[Mapping[str, Any]]]) -> str:
    """Return how often each verdict was given, in words.

    >>> count_verdicts([[{"verdict": "A"}, {"verdict": "none"}], [{"verdict": "A"}]])
    '2 A, 1 none'
    """
    counts = Counter(str(order["verdict"]) for orders in pairs for order in orders)
    return ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
