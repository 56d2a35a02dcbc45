"""What a judge says of two answers."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.judging.verdict import Reading, Said
from ste_plugin.records import Verdict

Abstained = Literal["", "orders differ", "tie", "no verdict", "identical answers", "unsure"]
"""`unsure`: a cascade's decision that is the same in both orders, and not sure enough."""
Stage = Literal["", "decision", "reasoning", "vote"]


class Tokens(NamedTuple):
    """Tokens of requests, as the engine counts them."""

    prompt: int = 0
    """Read: each prompt once per request, a prompt that several samples share once."""
    written: int = 0

    def plus(self, other: "Tokens") -> "Tokens":
        """Return both together."""
        return Tokens(self.prompt + other.prompt, self.written + other.written)


NOTHING = Tokens()


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the judge to one prompt."""

    text: str
    """What it said after any thinking, stripped; with the letter where that was forced."""
    said: Said
    """What that says in the letters of its own prompt, or the score of the one answer shown."""
    thinking: str = ""
    """What it thought before, with the marks of its thoughts."""
    problem: str = ""
    """Why it does not count, where it does not: cut off, blocked, a thought that never ends."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was said to one of the two prompts of a pair."""

    first: Verdict
    """The answer that was shown first, as A; in a format that rates, the one that was shown."""
    verdict: Reading
    """Which of the caller's answers is better by this order."""
    probability: float | None
    """That the caller's A is better, from 0 to 1; None where it cannot be told."""
    reasoning: str
    """What the judge wrote before its verdict, in the letters of its own prompt."""
    replies: tuple[Reply, ...]
    """One per sample."""
    score: float | None = None
    """Of the answer that was shown, in a format that rates."""
    log_odds: float | None = None
    """The log-likelihood of the caller's A minus that of B, as the model gives them, before any
    calibration; None where they were not measured, or of several samples."""

    @property
    def reply(self) -> Reply:
        """The first reply."""
        return self.replies[0]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a judge says of two answers, A and B, shown to it in both orders."""

    verdict: Verdict | None
    """The answer that wins in both orders; None where the judge abstains, or there is a problem."""
    probability: float | None
    """That A is better: the mean over both orders; None where one of them does not tell."""
    abstained: Abstained = ""
    """Why there is no verdict of the judge's."""
    problem: str = ""
    """Why the answers could not be compared, and what to do."""
    orders: tuple[Order, ...] = ()
    """First the order in which A was shown first; empty where the judge was not asked."""
    probability_from: Literal["", "likelihoods", "samples"] = ""
    """`likelihoods`: of the letters, behind what the judge wrote. `samples`: the share of replies
    that prefer A, a tie counting half."""
    tokens: Tokens = NOTHING
    """Read and written for it; of a cascade by all stages that were asked."""
    stage: Stage = ""
    """Of a cascade: the stage that gave the verdict, or, where it abstains, the last one asked."""

    @property
    def reasoning(self) -> str:
        """What the judge wrote in the order in which its letters are the caller's."""
        return self.orders[0].reasoning if self.orders else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"tokens": self.tokens._asdict(), "reasoning": self.reasoning}


def identical() -> Comparison:
    """Return what is said of two answers that are the same text: no comparison is made."""
    return Comparison(None, 0.5, "identical answers")


def unable(problem: str) -> Comparison:
    """Return what is said of answers that cannot be compared."""
    return Comparison(None, None, problem=problem)


def made(name: str, comparison: Comparison) -> Comparison:
    """Return a comparison. Raises: DataError where it could not be made."""
    if comparison.problem:
        raise DataError(f"{name}: {comparison.problem}")
    return comparison
