"""What there is to look at in a folder: which judge said something of which pairs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import read_json

SAMPLED = "sampled"
"""What judgments that a data set was made of are called, beside dev, test and tasks."""
_ROUND = re.compile(r"iter-(\d+)")


class FileState(NamedTuple):
    """What tells that a file is another one than before."""

    path: str
    """Below the folder that is looked at."""
    size: int
    mtime_ns: int
    inode: int


class Source(NamedTuple):
    """One judge on one set of pairs."""

    judge: str
    """`iter-01`, `iter-01/stage-02`, or the folder of a judge that `ste eval` measured."""
    round: int
    """Of the judge; 0 is the seed, or a judge outside a run."""
    on: str
    """`sampled`, dev, test, or a task of lm-eval."""
    file: FileState
    """judgments.jsonl or judged.jsonl."""
    samples: FileState | None = None
    """What lm-eval logged: prompts and replies. None where that is not there."""

    @property
    def is_sampled(self) -> bool:
        """Return whether these are judgments that a data set was made of."""
        return self.on == SAMPLED


class Contents(NamedTuple):
    """What a folder holds."""

    sources: tuple[Source, ...]
    pairs: FileState | None
    """pool/pairs.jsonl, where the folder is a run's."""
    held_out: tuple[FileState, ...]
    """pool/dev-*.jsonl and test-*.jsonl."""


def find_contents(root: Path) -> Contents:
    """Return what a run, or a folder of `ste eval`, holds by now; nothing is read but names.

    Raises: DataError where it is neither, or has nothing to look at yet.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder. Expected a run, or what `ste eval` wrote.")
    sources = tuple(_of_run(root) if is_run(root) else _of_evaluations(root))
    if not sources:
        raise DataError(f"{root}: {_why_nothing(root)}")
    held_out = sorted(p for name in ("dev", "test") for p in root.glob(f"pool/{name}-*.jsonl"))
    states = (state_of(root, path) for path in held_out)
    pairs = state_of(root, root / "pool" / "pairs.jsonl")
    return Contents(sources, pairs, tuple(state for state in states if state))


def is_run(root: Path) -> bool:
    """Return whether a folder is a run's."""
    return (root / "run.yaml").is_file()


def _why_nothing(root: Path) -> str:
    if is_run(root):
        return (
            "nothing was judged there yet: no iteration has judgments.jsonl or an evaluation. Wait "
            "for `ste run`; `ste status` says how far it is."
        )
    return (
        "expected a run (run.yaml), or what `ste eval` wrote (judged.jsonl), and found neither. "
        "Name the folder that holds one of them."
    )


def _of_run(root: Path) -> Iterator[Source]:
    folders = [p for p in root.glob("iter-*") if _ROUND.fullmatch(p.name) and p.is_dir()]
    for folder in sorted(folders, key=lambda p: int(p.name.removeprefix("iter-"))):
        for stage in (folder, *sorted(folder.glob("stage-*"))):
            judge = stage.relative_to(root).as_posix()
            number = int(folder.name.removeprefix("iter-"))
            if file := state_of(root, stage / "judgments.jsonl"):
                yield Source(judge, number, SAMPLED, file)
            yield from _measured(root, stage / "eval", judge, number)


def _of_evaluations(root: Path) -> Iterator[Source]:
    if (root / "judged.jsonl").is_file():
        yield from _evaluation(root, root, root.parent.name or "judge", 0)
        return
    yield from _measured(root, root, root.name, 0)
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        yield from _measured(root, folder, folder.name, 0)


def _measured(root: Path, place: Path, judge: str, number: int) -> Iterator[Source]:
    for path in sorted(place.glob("*/judged.jsonl")):
        yield from _evaluation(root, path.parent, judge, number)


def _evaluation(root: Path, folder: Path, judge: str, number: int) -> Iterator[Source]:
    logged = sorted(folder.glob("lm-eval/samples_*.jsonl"), key=lambda path: path.name)
    samples = state_of(root, logged[-1]) if logged else None
    if file := state_of(root, folder / "judged.jsonl"):
        yield Source(judge, number, folder.name, file, samples)


def spoken_by(root: Path, judge: str, *, sampled: bool) -> str:
    """Return whose words they are: for a round of training, those of the judge before it.

    As `iter-00 for iter-01` of what was sampled for iteration 1.
    """
    if not sampled:
        return judge
    name, _, stage = judge.partition("/stage-")
    if stage:
        return f"{name}/stage-{int(stage) - 1:02d} for {judge}"
    number = int(name.removeprefix("iter-"))
    try:  # by gates, an earlier one may have judged again
        speaker = int(read_json(root / judge / "dataset/manifest.json")["judged_by"]["iteration"])
    except (DataError, LookupError, TypeError, ValueError):
        speaker = max(number - 1, 0)
    return f"iter-{speaker:02d} for {judge}"


def state_of(root: Path, path: Path) -> FileState | None:
    """Return the state of a file below `root`, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    name = path.relative_to(root).as_posix()
    return FileState(name, found.st_size, found.st_mtime_ns, found.st_ino)
