"""RewardBench 2 (Malik et al., 2025): one right answer among four; many right answers (Ties)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from ste_plugin.errors import DataError
from ste_plugin.judging.choosing import LETTERS
from ste_plugin.labelled.rows import Row
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark
from ste_plugin.records import content_key

TIES = "Ties"
ROWS = {
    "Factuality": 475,
    "Precise IF": 160,
    "Math": 183,
    "Safety": 450,
    "Focus": 495,
    TIES: 102,
}
"""Section → rows in the published data set."""
SECTIONS = tuple(ROWS)


@dataclass(frozen=True, slots=True)
class Choice:
    """A prompt with right and wrong answers."""

    id: str
    """SUBSET/id of the row; in Ties that is `ref:N` (one right answer) or `tied:N` (many)."""
    subset: str
    prompt: str
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """Return all answers, the right ones first."""
        return self.chosen + self.rejected

    @property
    def tie(self) -> tuple[str, str]:
        """Return a Ties row's kind, `ref` or `tied`, and the number that two prompts share."""
        kind, _, number = self.id.partition("/")[2].partition(":")
        return kind, number

    def shown(self) -> list[int]:
        """Return which of `answers` are shown as A, B, C, …: drawn from the id, always the same."""
        return sorted(range(len(self.answers)), key=lambda i: content_key(self.id, i))

    def to_doc(self) -> dict[str, Any]:
        """Return it as lm-eval holds, hands over and logs it."""
        return {**asdict(self), "chosen": list(self.chosen), "rejected": list(self.rejected)}

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """Return what `to_doc` wrote."""
        texts = {side: tuple(doc[side]) for side in ("chosen", "rejected")}
        return cls(**{**doc, **texts})


def convert(rows: Sequence[Row]) -> list[Choice]:
    """Return one row's answers. Raises: DataError where they are not what its subset needs."""
    (row,) = rows
    subset = row.one_of("subset", {name: name for name in SECTIONS})
    choice = Choice(
        id=f"{subset}/{row.key('id')}",
        subset=subset,
        prompt=row.prompt("prompt"),
        chosen=tuple(row.texts("chosen")),
        rejected=tuple(row.texts("rejected")),
    )
    if {text.strip() for text in choice.chosen} & {text.strip() for text in choice.rejected}:
        row.unusable("one answer is both chosen and rejected. Remove the row.")
    if subset == TIES:
        kind, number = choice.tie
        if kind not in ("ref", "tied") or not number:
            raise DataError(
                f"{row.where}: 'id' is {row.key('id')!r}; expected ref:N or tied:N in Ties."
            )
    elif (len(choice.chosen), len(choice.answers)) != (1, len(LETTERS)):
        raise DataError(
            f"{row.where}: {len(choice.chosen)} chosen and {len(choice.rejected)} rejected; "
            f"expected 1 and 3 in {subset}."
        )
    return [choice]


REWARDBENCH2 = Benchmark(
    name="rewardbench2",
    hub="allenai/reward-bench-2",
    splits=("test",),
    columns=("id", "subset", "prompt", "chosen", "rejected"),
    convert=convert,
    rows=sum(ROWS.values()),
    counts=ROWS,
    counted_as=lambda row: str(row.columns["subset"]),
    sections=SECTIONS,
)
