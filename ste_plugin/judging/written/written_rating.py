"""A judge format that a file says all of, and that shows and rates each answer alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ste_plugin.judging.rating import expected_score, higher, mean_score
from ste_plugin.judging.verdict import Reading, Said
from ste_plugin.judging.written.templates import ANSWER
from ste_plugin.judging.written.written_format import WrittenFormat


@dataclass(frozen=True, slots=True)
class WrittenRating(WrittenFormat):
    """How a judge rates one answer, as a file says; the higher score of a pair wins."""

    pointwise: ClassVar[bool] = True

    def answers(self, answer_a: str, answer_b: str) -> dict[str, str]:
        """Return the first answer, which a prompt shows alone."""
        return {ANSWER: answer_a}

    @property
    def choices(self) -> Mapping[str, Said]:
        """The scores that may be forced, in rising order; nothing without closing words."""
        if not self.file.closing or not self.file.scores:
            return {}
        lowest, highest = self.file.scores
        return {f"{self._gap}{score}": score for score in range(lowest, highest + 1)}

    @property
    def wanted(self) -> str:
        """What a reply is to end with, for error messages."""
        within = f" from {self.file.scores[0]} to {self.file.scores[1]}" if self.file.scores else ""
        return (
            f"a score{within}, as `verdict` of its file reads it, and not the same for both "
            "answers of every pair"
        )

    def combine(self, said: Sequence[Said]) -> Said:
        """Return the mean of those that are scores; None where there is none."""
        return mean_score(said)

    def expect(self, log_likelihoods: Sequence[float]) -> Said:
        """Return the mean of the scores, each by how likely it is beside the others."""
        return expected_score(self.choices, log_likelihoods)

    def decide(self, own: Said, other: Said) -> Reading:
        """Return A where the answer of this prompt has the higher score, B where the other has."""
        return higher(own, other)
