"""What a person and a log see of long work: progress bars on a terminal, one line per event."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ste_plugin import screen
from ste_plugin.storage.jsonl import encode_row, open_for_append
from ste_plugin.text.redaction import redact
from ste_plugin.text.sanitize import escape_for_terminal


def make_console(
    *, stderr: bool = False, quiet: bool = False, pipe_width: int | None = None
) -> Console:
    """Return a console that prints text as it is, without markup or colours of its own.

    `pipe_width`: columns where it is not a terminal; by default rich's choice.
    """
    file = screen.stderr() if stderr else screen.stdout()
    console = Console(file=file, quiet=quiet, highlight=False, markup=False, emoji=False)
    if pipe_width is not None and not console.is_terminal:
        console.width = pipe_width
    return console


class Bar:
    """One piece of long work; `step` says that some of it is done."""

    def __init__(self, progress: Progress | None, title: str, total: int | None) -> None:
        """`progress`: where it is drawn, if it is."""
        self._progress = progress
        self._task = None if progress is None else progress.add_task(title, total=total, rate="")
        self._began, self._tokens = time.monotonic(), 0

    def step(self, tokens: int = 0) -> None:
        """Count one item done, and the tokens that it generated."""
        if self._progress is None or self._task is None:
            return
        self._tokens += tokens
        seconds = max(time.monotonic() - self._began, 0.1)
        rate = f"{self._tokens / seconds:,.0f} tok/s" if self._tokens else ""
        self._progress.update(self._task, advance=1, rate=rate)


@dataclass(frozen=True, slots=True)
class ProgressReporter:
    """Where a run reports to."""

    events: Path
    """events.jsonl of the run."""
    quiet: bool = False
    """True for `--json` and for tests."""

    @property
    def console(self) -> Console:
        """Return the console for people: standard error, so that pipes stay clean."""
        return make_console(stderr=True, quiet=self.quiet)

    def say(self, text: str) -> None:
        """Print one line for a person, without secrets and control characters."""
        self.console.print(escape_for_terminal(redact(text)), soft_wrap=True)

    def event(self, stage: str, **facts: Any) -> None:
        """Append one line to the run's events."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with open_for_append(self.events) as file:
            line = encode_row({"at": at, "stage": stage, **facts})
            file.write(redact(line.decode()).encode())

    @contextmanager
    def bar(self, title: str, total: int | None) -> Iterator[Bar]:
        """Show progress with rate and time left; nothing is drawn in a pipe."""
        if self.quiet or not screen.stderr().isatty():
            yield Bar(None, title, total)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        shared = screen.is_shared()  # else rich would lead libraries' words back from their log
        with Progress(
            *columns,
            console=self.console,
            transient=True,
            redirect_stdout=shared,
            redirect_stderr=shared,
        ) as progress:
            yield Bar(progress, escape_for_terminal(title), total)
