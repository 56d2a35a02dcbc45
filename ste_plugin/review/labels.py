"""What people said: `review/labels.jsonl`, to which every label is appended as it comes.

Nothing is ever changed there. A label that was taken back is followed by one that says so, and one
that was given anew by the new one, so the file is the history, and `read_labels` what counts now.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.records import Record, Verdict
from ste_plugin.storage.durable import make_folder
from ste_plugin.storage.jsonl import FIX_LINE, encode_record, open_for_append, parse_record
from ste_plugin.storage.run_layout import RunLayout

Kind = Literal["pair", "judgment"]
Choice = Literal["better", "worse", "tie", "holds", "fails", "unclear"]

CHOICES: dict[Kind, tuple[Choice, Choice, Choice]] = {
    "pair": ("better", "worse", "tie"),
    "judgment": ("holds", "fails", "unclear"),
}
"""What can be said of each; the last of each is that one cannot say."""

_NAME = re.compile(r"\w[\w .,@+'-]{0,99}")
_FIX = "Fix or remove the line; labels cannot be made again, so keep a copy of the file."


class Label(Record, frozen=True, omit_defaults=True):
    """What one person said about one pair, or about the reasoning of one judgment of it."""

    rater: str
    """The person's name, as given by `--rater`."""
    kind: Kind
    """`pair` or `judgment`."""
    pair_key: str
    """Which pair it is about."""
    choice: Choice | None
    """Of a pair `better` (the answer that is better by construction was preferred), `worse` or
    `tie` (cannot say, too); of a judgment `holds`, `fails` or `unclear`. None takes back what the
    rater said before."""
    judgment_key: str = ""
    """Which judgment it is about; empty for a pair."""
    shown: Verdict | None = None
    """Letter under which the better answer was shown, A being the first; None where it was labelled
    elsewhere, in an order that is not known."""
    time: str = ""
    """When, in UTC, as ISO 8601."""

    @property
    def item(self) -> tuple[Kind, str, str]:
        """What the label is about."""
        return self.kind, self.pair_key, self.judgment_key


def labels_path(folder: RunLayout) -> Path:
    """Return the file of a run's labels."""
    return folder.review / "labels.jsonl"


def read_labels(path: Path, kind: Kind | None = None) -> list[Label]:
    """Return the labels that count: of each rater and item the last, unless it was taken back.

    They are in the order in which they were given; there are none where there is no file.
    Raises: DataError naming file and line where a line is no label.
    """
    last: dict[tuple[object, ...], Label] = {}
    for label in read_history(path):
        last.pop((label.rater, *label.item), None)  # given anew, it comes last
        if label.choice:
            last[label.rater, *label.item] = label
    return [label for label in last.values() if kind in (None, label.kind)]


def read_history(path: Path) -> Iterator[Label]:
    """Yield every line of a file of labels, in its order; a last one that is cut off is none.

    Raises: DataError naming file and line where a line is no label.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and line.endswith(b"\n"):
                yield _parse(path, number, line)


def _parse(path: Path, number: int, line: bytes) -> Label:
    try:
        label = parse_record(Label, path, number, line)
    except DataError as error:
        told = str(error).removeprefix(f"{path}:{number}: ").removesuffix(FIX_LINE)
        raise DataError(f"{path}:{number}: {told.removesuffix('.')}. {_FIX}") from error
    if label.choice and label.choice not in CHOICES[label.kind]:
        raise DataError(
            f"{path}:{number}: {label.choice!r} of a {label.kind}, expected "
            f"{', '.join(CHOICES[label.kind])}. {_FIX}"
        )
    return label


def append_labels(path: Path, labels: Sequence[Label]) -> None:
    """Append labels, synced to disk before this returns; other processes may append, too.

    Raises: DataError where the disk is full or cannot be written; none of them counts then.
    """
    make_folder(path.parent)
    # what another writer has half written is no line that a kill cut off
    with FileLock(path.with_name("labels.lock")), open_for_append(path) as file:
        file.write(b"".join(map(encode_record, labels)))


def now() -> str:
    """Return the time as labels have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_rater(name: str, known: Iterable[str], where: str = "--rater") -> str:
    """Return a rater's name, spelt as everywhere.

    Raises: ConfigError for what is no name, or differs from a known one by case alone.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where} {name[:40]!r}: expected a name of up to 100 letters, digits, spaces and "
            ".,@+'-, the first of them a letter or digit."
        )
    for other in known:
        if other != name and other.casefold() == name.casefold():
            raise ConfigError(
                f"{where} {name}: there are labels by {other!r}. Use that name, or, for another "
                "person, one that differs by more than case."
            )
    return name


@contextmanager
def hold_rater(folder: RunLayout, rater: str) -> Iterator[None]:
    """Let no other process label by this name in the block.

    Raises: ConfigError where one does.
    """
    make_folder(folder.review)
    digest = hashlib.sha256(rater.casefold().encode()).hexdigest()[:16]
    try:
        with FileLock(folder.review / f"rater-{digest}.lock", timeout=0):
            yield
    except Timeout as error:
        raise ConfigError(
            f"--rater {rater}: somebody is labelling by this name in another process. Give another "
            "name, or end that one first."
        ) from error
