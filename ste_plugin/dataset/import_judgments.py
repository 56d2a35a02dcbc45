"""A data set of published judgments, with a manifest that any training with our plugin reads."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ste_plugin.dataset.judgment_files import (
    PublishedJudgments,
    hash_of,
    read_judgments,
)
from ste_plugin.dataset.row_formats import TrainingRow, assistant_turn
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging import JudgeFormat
from ste_plugin.labelled.row_files import file_rows
from ste_plugin.labelled.rows import Row
from ste_plugin.plugins.judge_formats import described
from ste_plugin.records import ORDERS, Drop, content_key
from ste_plugin.storage.dataset_manifest import IMPORTED, RowFile, open_row_file
from ste_plugin.storage.drop_log import open_drop_log
from ste_plugin.storage.jsonl import replace_json

_FORMATS = ("sft", "dpo")
_SPLITS = ("train", "dev")
HELD_OUT = "judge-dev"
"""The file of prompts that measure the judge while it trains."""


def import_judgments(
    files: Sequence[Path],
    folder: Path,
    judge_format: JudgeFormat,
    *,
    instructions: Path | None = None,
    dev_fraction: float = 0.05,
    seed: int = 0,
) -> Path:
    """Return the manifest of a data set in `folder`, made of files of published judgments.

    `instructions`: WildChat, for prompts that name a conversation of it by hash.
    Raises: ConfigError where there is a data set already; DataError for a bad row, or where no row
    is left to train on.
    """
    manifest = folder / "manifest.json"
    if manifest.exists():
        raise ConfigError(f"{manifest}: is there already. Name another folder, or remove it.")
    asked = _instructions(files, instructions) if instructions else {}
    entries: dict[str, Any] = {}
    with open_drop_log(folder / "drops.jsonl") as drops:
        with _open_rows(folder, entries) as rows:
            for found in read_judgments(_rows(files), judge_format, asked):
                if isinstance(found, Drop):
                    drops.drop(found)
                else:
                    rows.add(found, _split(found.instruction, dev_fraction, seed))
            rows.add_held_out(judge_format)
        read = rows.count + drops.reasons.total()
        if not entries["sft-train"]["rows"]:
            raise DataError(
                f"{', '.join(map(str, files))}: no row is left to train on of {read} read. "
                f"Dropped:\n{drops.commonest() or '  (none)'}"
            )
    content = {
        "imported": {"from": [path.name for path in files], "rows": read},
        "judge_format": described(judge_format) | {"version": IMPORTED},
        "settings": {"dataset": {"dev_fraction": dev_fraction}, "seed": seed},
        "counts": {"letters": {"train": dict(rows.letters)}},
        "drops": dict(drops.reasons),
        "files": entries,
    }
    replace_json(manifest, content)
    return manifest


class _Rows:
    """The files of rows that are being written."""

    def __init__(self, files: Mapping[str, RowFile]) -> None:
        self._files, self._learnt = files, set[str]()
        self.count = 0
        self.letters: Counter[str] = Counter()
        """Which letter is right in how many training prompts."""
        self._held_out: dict[str, dict[str, PublishedJudgments]] = {}
        """Instruction → key → its prompts that are held out."""

    def add(self, found: PublishedJudgments, split: str) -> None:
        """Write a preference, and the chosen judgment where it is new."""
        self.count += 1
        self.letters[found.better_is] += split == "train"
        self._files[f"dpo-{split}"].add([_dpo_row(found)])
        if split == "dev":
            self._held_out.setdefault(found.instruction, {})[found.key] = found
        key = content_key(found.key, found.chosen)
        if key not in self._learnt:
            self._learnt.add(key)
            self._files[f"sft-{split}"].add([_sft_row(found)])

    def add_held_out(self, judge_format: JudgeFormat) -> None:
        """Write the held-out prompts that show one pair in both orders."""
        for prompts in self._held_out.values():
            both = sorted(prompts.values(), key=lambda found: found.better_is)
            if [found.better_is for found in both] == list(ORDERS) and _same_words(*both):
                pair = content_key("imported pair", *(found.key for found in both))
                rows = [_held_out_row(found, pair, judge_format) for found in both]
                self._files[HELD_OUT].add(rows)


@contextmanager
def _open_rows(folder: Path, entries: dict[str, Any]) -> Iterator[_Rows]:
    """Open a file of each format and split; at the end their entries are in `entries`."""
    names = [*(f"{rows}-{split}" for rows in _FORMATS for split in _SPLITS), HELD_OUT]
    with ExitStack() as stack:
        yield _Rows(
            {name: stack.enter_context(open_row_file(folder, name, entries)) for name in names}
        )


def _rows(files: Sequence[Path]) -> Iterator[Row]:
    for path in files:
        if not path.exists():
            raise DataError(f"{path}: no such file. Correct the path.")
        yield from file_rows(path, "")


def _split(instruction: str, dev_fraction: float, seed: int) -> str:
    position = int(content_key("split", seed, instruction), 16) / 16**16
    return "dev" if position < dev_fraction else "train"


def _instructions(files: Sequence[Path], chats: Path) -> Mapping[str, str]:
    """Return hash → what the user asked in the turn that WildChat's row says."""
    wanted = {named for row in _rows(files) if (named := hash_of(row))}
    return dict(_asked(_rows([chats]), wanted))


def _asked(chats: Iterable[Row], wanted: set[str]) -> Iterator[tuple[str, str]]:
    for row in chats:
        row.require(("conversation_hash", "conversation"))
        if (named := str(row.columns["conversation_hash"])) in wanted:
            said = row.turns_of("conversation", "user")
            turn = int(row.columns.get("turn") or len(said))
            yield named, said[min(turn, len(said)) - 1]


def _same_words(one: PublishedJudgments, other: PublishedJudgments) -> bool:
    """Return whether two prompts differ in the order of what they show alone."""
    words = [sorted(" ".join(t["content"] for t in found.turns).split()) for found in (one, other)]
    return words[0] == words[1]


def _held_out_row(found: PublishedJudgments, pair: str, judge_format: JudgeFormat) -> TrainingRow:
    return {
        **_origin(found),
        "pair": pair,
        "subset": "imported",
        "messages": list(found.turns),
        "opening": judge_format.forced_prefix(""),
    }


def _origin(found: PublishedJudgments) -> TrainingRow:
    return {"instruction": found.instruction, "pair": found.key, "better_is": found.better_is}


def _sft_row(found: PublishedJudgments) -> TrainingRow:
    return {**_origin(found), "messages": [*found.turns, assistant_turn(found.chosen)]}


def _dpo_row(found: PublishedJudgments) -> TrainingRow:
    return {
        **_origin(found),
        "messages": list(found.turns),
        "chosen": assistant_turn(found.chosen),
        "rejected": assistant_turn(found.rejected),
    }
