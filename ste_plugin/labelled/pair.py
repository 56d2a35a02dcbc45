"""A labelled pair: two responses to one prompt, and which of them people prefer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

VoteCounts = tuple[int, int, int]
"""How many people preferred the chosen response, the rejected one, neither."""
ONE_VOTE: VoteCounts = (1, 0, 0)
ONE_TIE: VoteCounts = (0, 0, 1)
UNLABELLED: VoteCounts = (0, 0, 0)
NO_MODELS = ("", "")


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two responses to one prompt, and which of them people (or a construction) prefer."""

    id: str
    subset: str
    """Part of the file that is also reported separately."""
    prompt: str
    """What was asked; several turns in words, as `text.turns.in_words` shows them."""
    chosen: str
    rejected: str
    section: str = ""
    """Part of a benchmark whose figure weighs the pairs of several subsets."""
    weight: float = 1.0
    """Of this pair within its section."""
    votes: VoteCounts = ONE_VOTE
    """Of people; `UNLABELLED` where nobody said which response is better."""
    group: str = ""
    """What a benchmark's authors report it under, where that is neither subset nor section."""
    counted_votes: VoteCounts | None = None
    """Those of the votes that its authors count, where they do not count all."""
    shown: str = ""
    """Columns of its row that the judge format shows, as a JSON object."""
    models: tuple[str, str] = NO_MODELS
    """Who wrote the chosen and the rejected response, where the file says so; never judged by."""

    @property
    def preferred(self) -> bool:
        """Whether more people prefer the chosen response than the other: no tie, and labelled."""
        return self.votes[0] > self.votes[1]

    def to_doc(self) -> dict[str, Any]:
        """Return the pair as lm-eval holds, hands over and logs it.

        Without what only some benchmarks have, which all pairs of a benchmark have or none, and
        without the names of models.
        """
        doc = {**asdict(self), "votes": list(self.votes)}
        if self.counted_votes is not None:
            doc["counted_votes"] = list(self.counted_votes)
        del doc["models"]
        return {key: value for key, value in doc.items() if key not in (*RARE, "shown") or value}

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """Return the pair that `to_doc` wrote."""
        votes = {key: tuple(doc[key]) for key in ("votes", "counted_votes") if key in doc}
        return cls(**{**doc, **votes})


RARE = ("group", "counted_votes")
