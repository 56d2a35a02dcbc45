"""Training rows of one split in all formats: written as examples come, then filtered in place."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec.structs import replace

from ste_plugin.context import Iteration
from ste_plugin.dataset.filters import drop_single_orders
from ste_plugin.dataset.matching import Balance, balance_of
from ste_plugin.dataset.row_formats import IN_BOTH_ORDERS, DatasetFormat
from ste_plugin.dataset.verdict_rows import MIXED, DrawTasks, as_verdict, draw_of
from ste_plugin.judging.example import Example
from ste_plugin.plugins.manager import find_contribution
from ste_plugin.records import Drop, Split
from ste_plugin.sampling.judge_task import JudgeTask
from ste_plugin.storage.dataset_manifest import RowFile, open_row_file


class _FormatFile:
    """The rows of one format, and of which task each is."""

    def __init__(self, rows_from: DatasetFormat, file: RowFile, *, mixed: bool) -> None:
        """`mixed`: whether rows of two judge formats are in it; each then names its own."""
        self._rows_from, self._file, self._mixed = rows_from, file, mixed
        self._tasks: list[JudgeTask] = []
        self._are_verdicts = bytearray()

    def add(self, task: JudgeTask, example: Example, *, is_verdict: bool = False) -> None:
        rows = self._rows_from(example)
        if rows and self._mixed:
            rows = [row | {"judge_format": example.judge_format.name} for row in rows]
        if rows:
            self._file.add(rows)
            self._tasks.append(task)
            self._are_verdicts.append(is_verdict)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._file.rows

    @property
    def chosen(self) -> list[JudgeTask]:
        """The tasks that are trained on and have a row of their judgments."""
        are_verdicts = zip(self._tasks, self._are_verdicts, strict=True)
        return [task for task, is_verdict in are_verdicts if task.chosen and not is_verdict]

    def keep(self, dropped: Collection[str], with_verdict: Collection[str]) -> None:
        """Keep the rows of chosen tasks but `dropped`; verdict rows of `with_verdict` alone."""
        self._file.keep(
            task.chosen
            and not (dropped and task.key in dropped)
            and (not is_verdict or task.key in with_verdict)
            for task, is_verdict in zip(self._tasks, self._are_verdicts, strict=True)
        )


class TrainingRows:
    """Files of rows, one per format; which rows stay is known only after the last example."""

    def __init__(
        self,
        formats: Mapping[str, DatasetFormat],
        files: Mapping[str, RowFile],
        balance: Balance,
        draw: DrawTasks | None = None,
    ) -> None:
        """`draw`: which tasks get a verdict row, too; by default none."""
        self._balance, self._draw = balance, draw
        self._files = {
            name: _FormatFile(rows_from, files[name], mixed=bool(draw) and name == MIXED)
            for name, rows_from in formats.items()
        }
        self._held: list[tuple[JudgeTask, Example]] = []
        self.verdict_rows = 0
        """How many rows ask for the letter alone; known once `keep` is done."""

    def add(self, task: JudgeTask, example: Example) -> tuple[Example, ...]:
        """Write the rows that each format makes of an example; return all that may be learnt.

        Verdict rows come behind those of the pair's judgments, so that in both kinds the two orders
        are side by side.
        """
        if self._held and self._held[0][0].pair_key != task.pair_key:
            self._write_held()
        for file in self._files.values():
            file.add(task, example)
        if not self._draw or MIXED not in self._files:
            return (example,)
        verdict = as_verdict(example)
        self._held.append((task, verdict))
        return example, verdict

    def _write_held(self) -> None:
        for task, verdict in self._held:
            self._files[MIXED].add(task, verdict, is_verdict=True)
        self._held.clear()

    def keep(self, chosen: Sequence[JudgeTask]) -> Iterator[Drop]:
        """Keep only the rows of these tasks, balanced; yield a Drop for each other.

        A format that makes no row from some of the tasks is balanced again, among the others; one
        that is learnt in both orders loses the pairs that were kept in one.
        """
        self._write_held()
        for task in chosen:
            task.chosen = True
        for name, file in self._files.items():
            kept = file.chosen
            yield from _drops_without_row(name, chosen, kept)
            left, surplus = self._balance(kept) if len(kept) < len(chosen) else (kept, [])
            left, single = drop_single_orders(left) if name in IN_BOTH_ORDERS else (left, [])
            dropped = [*surplus, *single]
            yield from (replace(d, reason=f"{d.reason} among {name} rows") for d in dropped)
            drawn = self._draw(left) if self._draw and name == MIXED else ()
            self.verdict_rows += len(drawn)
            file.keep({drop.key for drop in dropped}, drawn)

    def count(self, name: str) -> int:
        """Return how many rows of a format there are; those that stay, once `keep` is done."""
        return self._files[name].rows


def _drops_without_row(
    name: str, chosen: Sequence[JudgeTask], kept: Sequence[JudgeTask]
) -> Iterator[Drop]:
    """Yield a Drop for each chosen task that a format makes no row of."""
    if len(kept) < len(chosen):
        with_row = {task.key for task in kept}
        missing = (task.key for task in chosen if task.key not in with_row)
        yield from (Drop("dataset", key, f"makes none of the {name} rows") for key in missing)


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
        config = context.config
        yield TrainingRows(formats, files, balance_of(config, split), draw_of(config, split))
