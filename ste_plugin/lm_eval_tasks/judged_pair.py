"""What a judge said about one pair."""

from dataclasses import dataclass

from ste_plugin.records import Verdict


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """What a judge said in one presentation order."""

    gold: Verdict
    """Letter under which the better response was shown."""
    own: Verdict | None = None
    """What it said by itself, of several samples their majority; None for no single answer."""
    forced: Verdict | None = None
    """The likelier letter after the format's closing words; None where that was not measured."""
    samples: tuple[Verdict | None, ...] = ()
    """What every sample drawn said; empty where only likelihoods were measured."""
    log_odds: float | None = None
    """Log-likelihood of A minus that of B; None where that was not measured."""

    @property
    def final(self) -> Verdict | None:
        """Return the verdict that counts: its own, and a forced one only where it gave none."""
        return self.own or self.forced


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
