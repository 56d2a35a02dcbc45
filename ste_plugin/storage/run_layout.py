"""The paths of a run's files and folders."""

from dataclasses import dataclass
from pathlib import Path

OVERLAPS = "contamination.jsonl"
"""Instructions of the pool that repeat what is measured on, kept or not."""
READ, LABELLED, GIVEN = ".read.jsonl", ".labelled.jsonl", ".given.jsonl"
"""Instructions of the pool before they are selected, and given pairs before they are written; only
a killed run leaves these files."""


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The paths in one run's folder; nothing is created."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved config that the run was started with."""
        return self.root / "run.yaml"

    @property
    def judge_format(self) -> Path:
        """How its judge is asked, where no name says that: for use of the judge elsewhere."""
        return self.root / "judge_format.yaml"

    @property
    def events(self) -> Path:
        """Append-only log of stages, counts and seconds."""
        return self.root / "events.jsonl"

    @property
    def lock(self) -> Path:
        """Locked by the one process that writes."""
        return self.root / "run.lock"

    def part_lock(self, part: object) -> Path:
        """Return the file that is locked by the one process that answers a part of the requests."""
        return self.root / f"part-{part}.lock"

    @property
    def pool(self) -> Path:
        """Instructions and pairs, the same for all iterations."""
        return self.root / "pool"

    @property
    def report(self) -> Path:
        """The table of all iterations; written last."""
        return self.root / "report.json"

    @property
    def report_page(self) -> Path:
        """The page that people look at; made again from the other files at any time."""
        return self.root / "report.html"

    @property
    def audit(self) -> Path:
        """What `ste audit` found and asked."""
        return self.root / "audit"

    @property
    def review(self) -> Path:
        """What people said about pairs and judgments."""
        return self.root / "review"

    def iteration(self, number: int, stage: int = 1) -> Path:
        """Return the folder of an iteration from 1; number 0 holds the seed judge's evaluation.

        Later stages of an iteration that trains with several recipes lie inside it.
        """
        folder = self.root / f"iter-{number:02d}"
        return folder if stage == 1 else folder / f"stage-{stage:02d}"
