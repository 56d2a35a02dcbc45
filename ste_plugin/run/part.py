"""One part of a run's requests, answered beside others: by the jobs of an array, say.

A part writes one file of completions for each stage, which no other process writes. All else that
is derived from completions on the way is made in a temporary folder of the part's own, and once
more by `ste run`.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import (
    CompletionStore,
    CompletionStores,
    find_completions,
)
from ste_plugin.inference.share import Part
from ste_plugin.pairs.pool_files import is_settled
from ste_plugin.run.open_run import lock_part, open_aside
from ste_plugin.run.used_plugins import require_used
from ste_plugin.run.wave import find_wave
from ste_plugin.storage.config_file import read_config
from ste_plugin.storage.run_layout import RunLayout


@dataclass(frozen=True, slots=True)
class AnsweredPart:
    """What a part has answered."""

    completions: int
    stage: str
    """The stage that goes on once all parts have answered; empty where nothing is left to ask."""
    left: int
    """Samples that other parts had not answered."""
    stopped: bool
    """Whether the budget has left some out."""


def parse_part(text: str) -> Part:
    """Return the part that `I/N` names. Raises: ConfigError."""
    number, _, count = text.partition("/")
    if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return Part(int(number), int(count))
    raise ConfigError(
        f"--part: expected I/N with I from 1 to N, such as 3/16, found {text!r}. The jobs of an "
        "array give their own number: --part $SLURM_ARRAY_TASK_ID/16, with --array=1-16."
    )


def answer_part(
    path: Path, files: Sequence[Path], part: Part, *, quiet: bool = False
) -> AnsweredPart:
    """Answer a part of what the run that a config describes would ask next.

    Raises: ConfigError where another process works on the same part; what `ste generate` raises.
    """
    with open_part(path, files, part, quiet=quiet) as context:
        wave = find_wave(context)
        stopped = context.budget.stopped
    title, left = (wave.title, wave.left) if wave else ("", 0)
    return AnsweredPart(part.taken, title, left, stopped)


@contextmanager
def open_part(
    path: Path, files: Sequence[Path], part: Part, *, quiet: bool
) -> Iterator[RunContext]:
    """Open a run to answer a part of its requests; other parts may be answered meanwhile.

    The caller must have checked that the user trusts the config's plugins, as for `open_run`.
    """
    config, base = read_config(path), path.resolve().parent
    folder = RunLayout(base / config.run)
    with lock_part(config, folder, part), _temporary_run(folder.root) as own:

        def open_store(path: Path) -> CompletionStore:
            return CompletionStore(folder.root / path.relative_to(own), str(part))

        aside = config.model_copy(update={"run": own})
        with open_aside(aside, base, files, quiet=quiet) as context:
            require_used(context.plugins, folder)
            stores = CompletionStores(open_store)
            paths = [own / p.relative_to(folder.root) for p in find_completions(folder.root)]
            tokens = sum(stores.open(p).written_tokens for p in paths)
            part.budget = _share_of_budget(context, tokens, part.count)
            yield replace(context, share=part, stores=stores, budget=part.budget)


def _share_of_budget(context: RunContext, used_tokens: int, parts: int) -> Budget:
    """Return a part's share of the tokens that are left, and all of the minutes."""
    limits = context.config.budget
    tokens = limits.max_tokens_total
    if tokens is not None:
        tokens = (tokens - used_tokens) // parts
    return Budget(tokens, limits.max_minutes, say=context.progress.say)


@contextmanager
def _temporary_run(root: Path) -> Iterator[Path]:
    """Make a folder that shows what of a run is done, and takes what is made; then remove it."""
    own = Path(mkdtemp(prefix="ste-part-"))
    try:
        _show(root, own)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _show(folder: Path, own: Path) -> None:
    """Link what a run's folder holds, but completions and what is not finished.

    Derived files are only ever replaced as a whole, so that a link is replaced and not its target.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        target = own / path.name
        if path.name.startswith(("iter-", "stage-")):
            target.mkdir()
            _show(path, target)
        elif _is_shown(path):
            target.symlink_to(path.resolve())


def _is_shown(path: Path) -> bool:
    if path.name == "pool":
        return is_settled(RunLayout(path.parent))
    if path.name == "dataset":
        return (path / "manifest.json").exists()
    if path.name == "events.jsonl" or path.name.endswith(".completions.jsonl"):
        return False
    return path.suffix in (".json", ".jsonl") or path.name in ("model", "eval", "review")
