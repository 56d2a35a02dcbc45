"""Redoing a run from a stage on: which settings need it, and where the old output goes."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ste_plugin.errors import ConfigError
from ste_plugin.storage.durable import move
from ste_plugin.storage.run_layout import RunLayout

Stage = Literal["pool", "generate", "train", "eval"]

STAGES: dict[Stage, str] = {
    "pool": "everything",
    "generate": "data sets, trainings and evaluations",
    "train": "trainings and evaluations",
    "eval": "evaluations",
}
"""Stage → what is made by it and after it."""

_DEPENDS: tuple[tuple[re.Pattern[str], Stage | None], ...] = (
    (re.compile(r"(iterations|keep|budget|hosts)\b"), None),
    (re.compile(r"evaluation\.(tasks|data|too_long)\b"), None),
    (re.compile(r"(judge|generator)\.(engine$|options\.(?!revision|dtype|adapter))"), None),
    (re.compile(r"dataset\.(dev|test)_fraction"), "pool"),
    (re.compile(r"(judging|dataset|training\.recipe)\b"), "generate"),
    (re.compile(r"training\b"), "train"),
    (re.compile(r"evaluation\b"), "eval"),
    (re.compile(r""), "pool"),
)
"""Setting → the first stage whose output depends on it; None for those on which nothing made depends."""


@dataclass(frozen=True, slots=True)
class Redo:
    """What is to be done again on purpose."""

    stage: Stage
    iteration: int = 1
    """The first iteration to redo; the pool is that of all of them."""

    def covers(self, stage: Stage) -> bool:
        """Return whether what this stage makes is made anew, in every iteration."""
        everywhere = self.iteration <= 1 or self.stage == "pool"
        order = list(STAGES)
        return everywhere and order.index(self.stage) <= order.index(stage)


def first_stage(setting: str) -> Stage | None:
    """Return the first stage that a changed setting makes obsolete, or None where it is free to change.

    >>> first_stage("judging.samples"), first_stage("judge.model"), first_stage("keep")
    ('generate', 'pool', None)
    """
    return next(stage for pattern, stage in _DEPENDS if pattern.match(setting))


def refuse_changes(root: Path, changed: list[str], redo: Redo | None) -> None:
    """Raise ConfigError for settings that would mix two runs in one folder, with what they make obsolete.

    `changed` holds lines of `setting: old → new`.
    """
    needed = [(line, first_stage(line.split(":")[0])) for line in changed]
    open_ones = [(line, s) for line, s in needed if s and not (redo and redo.covers(s))]
    if not open_ones:
        return
    told = "\n".join(f"  {line}  (makes obsolete: {STAGES[stage]})" for line, stage in open_ones)
    order = list(STAGES)
    earliest = min((stage for _, stage in open_ones), key=order.index)
    raise ConfigError(
        f"{root}: made with other settings, says its run.yaml:\n{told}\n"
        "Set them back, or give this run another folder (run: ...), or redo what depends on them: "
        f"`ste run CONFIG --from {earliest}`, which keeps the old output beside the new."
    )


def set_aside(folder: RunLayout, redo: Redo) -> Path | None:
    """Move what is to be redone into `old-1`, `old-2`, … of the run; return that folder, if anything moved.

    Completions stay: they are found again by what was asked, so only what is asked anew is paid for.
    """
    numbers = range(1, 1000)
    target = next(t for n in numbers if not (t := folder.root / f"old-{n}").exists())
    for path in _obsolete(folder, redo):
        _move(path, target / path.relative_to(folder.root))
    return target if target.exists() else None


def _obsolete(folder: RunLayout, redo: Redo) -> list[Path]:
    iterations = sorted(folder.root.glob("iter-[0-9]*"))
    later = [p for p in iterations if p.name > f"iter-{redo.iteration:02d}"]
    mine = folder.iteration(redo.iteration)
    match redo.stage:
        case "pool":
            found = [folder.pool, *iterations]
        case "generate":
            found = [mine, *later]
        case "train":
            made = ("model", "eval", "axolotl.yaml", "axolotl.log", "report.md", "done.json")
            found = [*(mine / name for name in made), *sorted(mine.glob("stage-*")), *later]
        case "eval":
            first = "iter-00" if redo.iteration <= 1 else mine.name
            judged = [p for p in iterations if p.name >= first]
            found = [p / name for p in judged for name in ("eval", "report.md", "done.json")]
    return [p for p in [folder.report, *found] if p.exists()]


def _move(source: Path, target: Path) -> None:
    """Move a file or folder, without the completions in it."""
    if source.name.endswith(".completions.jsonl"):
        return
    if source.is_dir() and any(source.rglob("*.completions.jsonl")):
        for path in sorted(source.iterdir()):
            _move(path, target / path.name)
    else:
        move(source, target)
