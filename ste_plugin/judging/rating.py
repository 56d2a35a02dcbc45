"""Pointwise judging: each answer is rated alone, and the one with the higher score is better."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, isnan
from typing import ClassVar, TypeGuard

from ste_plugin.engines.base import Message
from ste_plugin.judging.format import JudgeFormat, neutralise
from ste_plugin.judging.verdict import TIE, Reading, Said
from ste_plugin.text.thinking import split_thinking

_SCORE = re.compile(r"\[\[([0-9]+)\]\]")
LIKE_SCORE = re.compile(r"\[\s*\[\s*\d+\s*\]\s*\]")


@dataclass(frozen=True, slots=True)
class RatingFormat(JudgeFormat):
    """A format whose prompt shows one answer alone, for a whole number from 0 to 9.

    A digit is one token, so that a score can be forced, and expected from likelihoods.
    """

    pointwise: ClassVar[bool] = True
    mark: ClassVar[re.Pattern[str]] = _SCORE

    def render(self, instruction: str, answer_a: str, answer_b: str) -> tuple[Message, ...]:
        """Return the prompt that shows the first answer alone, as one user turn."""
        return (Message("user", f"{self.rubric}\n\n{one_answer(instruction, answer_a)}"),)

    @property
    def choices(self) -> Mapping[str, Said]:
        """The scores, as they are written, in rising order."""
        return {str(score): score for score in range(10)}

    @property
    def wanted(self) -> str:
        """What a reply is to end with, for error messages."""
        first, *_, last = (self.forced_text("[[", score) for score in self.choices)
        return f"{first} to {last}, and not the same for both answers of every pair"

    def parse(self, text: str) -> Said:
        """Return the score of a reply, or None when it gave no single one that there is."""
        return read_score(text, self.choices)

    def combine(self, said: Sequence[Said]) -> Said:
        """Return the mean of those that are scores; None where there is none."""
        return mean_score(said)

    def expect(self, log_likelihoods: Sequence[float]) -> Said:
        """Return the mean of the scores, each by how likely it is beside the others."""
        return expected_score(self.choices, log_likelihoods)

    def decide(self, own: Said, other: Said) -> Reading:
        """Return A where the answer of this prompt has the higher score, B where the other has it.

        Equal scores are a tie; without both there is no verdict.
        """
        return higher(own, other)


def expected_score(choices: Mapping[str, Said], log_likelihoods: Sequence[float]) -> float | None:
    """Return the mean of scores, each by its likelihood beside the others; None of no numbers."""
    highest = max(log_likelihoods)
    weights = [exp(each - highest) for each in log_likelihoods]
    scores = filter(is_score, choices.values())
    weighed = (weight * score for weight, score in zip(weights, scores, strict=True))
    expected = fsum(weighed) / fsum(weights)
    return None if isnan(expected) else expected


def mean_score(said: Sequence[Said]) -> float | None:
    """Return the mean of those that are scores; None where there is none."""
    scores = [each for each in said if is_score(each)]
    return fsum(scores) / len(scores) if scores else None


def higher(own: Said, other: Said) -> Reading:
    """Return A where the first score is higher, B where the second is; None without both."""
    if not is_score(own) or not is_score(other):
        return None
    return TIE if own == other else "A" if own > other else "B"


def is_score(said: object) -> TypeGuard[float]:
    """Return whether what a reply says is a score."""
    return isinstance(said, int | float)


def one_answer(instruction: str, answer: str) -> str:
    """Return the part of a prompt that shows one answer alone."""
    return f"[Instruction]\n{plain_text(instruction)}\n\n[Answer]\n{plain_text(answer)}"


def plain_text(text: str) -> str:
    """Return a text that can speak neither for us nor for the judge, not by a score either."""
    return neutralise(text.strip(), LIKE_SCORE)


def read_score(text: str, known: Collection[str]) -> int | None:
    """Return the score, or None when a reply gave no single one of these after its thinking.

    >>> read_score("Wrong year. Final rating: [[3]]", {"3"})
    3
    """
    # compared as text: Python refuses to read a number of thousands of digits
    numbers = {n.lstrip("0") or "0" for n in _SCORE.findall(split_thinking(text).said)}
    score = numbers.pop() if len(numbers) == 1 else ""
    return int(score) if score in known else None
