"""The training rows of one split in all formats: written as examples come, narrowed to those that stay."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from ste_plugin.context import Iteration
from ste_plugin.dataset.filters import balance_letters
from ste_plugin.dataset.row_formats import DatasetFormat
from ste_plugin.judging.example import Example
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Split
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.storage.dataset_manifest import RowFile, open_row_file


class TrainingRows:
    """Files of rows, one a format. What stays is known only when every example has come."""

    def __init__(self, formats: Mapping[str, DatasetFormat], files: Mapping[str, RowFile]) -> None:
        self._files = [(name, rows_of, files[name]) for name, rows_of in formats.items()]
        self._used: dict[str, list[JudgeTask]] = {name: [] for name in formats}

    def add(self, task: JudgeTask, example: Example) -> None:
        """Write the rows that each format makes of an example."""
        for name, rows_of, file in self._files:
            if rows := rows_of(example):
                file.add(rows)
                self._used[name].append(task)

    def keep(self, chosen: Sequence[JudgeTask]) -> Iterator[Drop]:
        """Leave the rows of these questions only, as many of one letter as of the other; yield further drops.

        A format that makes no row of some of them is balanced once more, among those it does.
        """
        for task in chosen:
            task.chosen = True
        for name, _, file in self._files:
            used = self._used[name]
            among = [task for task in used if task.chosen]
            surplus = balance_letters(among)[1] if len(among) < len(chosen) else []
            yield from (replace(d, reason=f"{d.reason} among {name} rows") for d in surplus)
            gone = {drop.key for drop in surplus}
            file.keep(q.chosen and not (gone and q.key in gone) for q in used)


@contextmanager
def open_training_rows(
    iteration: Iteration, split: Split, entries: dict[str, Any]
) -> Iterator[TrainingRows]:
    """Open the files of one split's rows; at the end `entries` gets what a manifest says of each."""
    context, folder = iteration.context, iteration.folder / "dataset"
    formats = {
        name: find_contribution(context.plugins, "ste_dataset_formats", name, "dataset.formats")
        for name in context.config.dataset.formats or (iteration.rows,)
    }
    with ExitStack() as opened:
        files = {name: opened.enter_context(open_row_file(folder, f"{name}-{split}", entries))
                 for name in formats}  # fmt: skip
        yield TrainingRows(formats, files)
