"""Training rows of one split in all formats: written as examples come, then filtered in place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from ste_plugin.context import Iteration
from ste_plugin.dataset.matching import Balance, balance_of
from ste_plugin.dataset.row_formats import DatasetFormat
from ste_plugin.judging.example import Example
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Split
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.storage.dataset_manifest import RowFile, open_row_file


class TrainingRows:
    """Files of rows, one per format; which rows stay is known only after the last example."""

    def __init__(
        self,
        formats: Mapping[str, DatasetFormat],
        files: Mapping[str, RowFile],
        balance: Balance,
    ) -> None:
        self._balance = balance
        self._files = [(name, rows_from, files[name]) for name, rows_from in formats.items()]
        self._used: dict[str, list[JudgeTask]] = {name: [] for name in formats}

    def add(self, task: JudgeTask, example: Example) -> None:
        """Write the rows that each format makes of an example."""
        for name, rows_from, file in self._files:
            if rows := rows_from(example):
                file.add(rows)
                self._used[name].append(task)

    def keep(self, chosen: Sequence[JudgeTask]) -> Iterator[Drop]:
        """Keep only the rows of these tasks, balanced; yield a Drop for each other.

        A format that makes no row from some of the tasks is balanced again, among the others.
        """
        for task in chosen:
            task.chosen = True
        for name, _, file in self._files:
            used = self._used[name]
            kept = [task for task in used if task.chosen]
            surplus = self._balance(kept)[1] if len(kept) < len(chosen) else []
            yield from (replace(d, reason=f"{d.reason} among {name} rows") for d in surplus)
            dropped = {drop.key for drop in surplus}
            file.keep(task.chosen and not (dropped and task.key in dropped) for task in used)


@contextmanager
def open_training_rows(
    iteration: Iteration, split: Split, entries: dict[str, Any]
) -> Iterator[TrainingRows]:
    """Open the files of one split's rows; at the end their entries are added to `entries`."""
    context, folder = iteration.context, iteration.folder / "dataset"
    formats = {
        name: find_contribution(context.plugins, "ste_dataset_formats", name, "dataset.formats")
        for name in context.config.dataset.formats or (iteration.rows,)
    }
    with ExitStack() as stack:
        files = {}
        for name in formats:
            file = open_row_file(folder, f"{name}-{split}", entries)
            files[name] = stack.enter_context(file)
        yield TrainingRows(formats, files, balance_of(context.config, split))
