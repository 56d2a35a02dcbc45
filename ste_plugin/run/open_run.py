"""Opening a run: config read and compared, folder locked, plugins loaded."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import yaml

from ste_plugin import __version__
from ste_plugin.config import RunConfig
from ste_plugin.context import RunContext, open_engine
from ste_plugin.dataset.kept_judgment import check_constructed, check_keep
from ste_plugin.dataset.verdict_rows import check_forced, check_verdict_share
from ste_plugin.engines.base import Place
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.errors import ConfigError, SteError
from ste_plugin.evaluation.given_pairs import read_given
from ste_plugin.evaluation.kept_out import read_kept_out
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore, find_completions
from ste_plugin.inference.probe import Probes
from ste_plugin.pairs.shown_columns import columns_to_show
from ste_plugin.pairs.writers import check_writers
from ste_plugin.plugins.judge_formats import keep_copy
from ste_plugin.plugins.manager import find_contribution, plugin_manager
from ste_plugin.progress import ProgressReporter
from ste_plugin.run.locks import OTHER_PARTS_S, hold, lock_run
from ste_plugin.run.redo import (
    Redo,
    flat_settings,
    refuse_changes,
    require_iteration,
    set_aside,
)
from ste_plugin.run.used_plugins import require_used, used_plugins
from ste_plugin.storage.config_file import changed_fields, read_config, read_run_yaml
from ste_plugin.storage.durable import make_folder, sync_folders
from ste_plugin.storage.jsonl import read_rows, replace_bytes, truncate_partial_line
from ste_plugin.storage.run_layout import OVERLAPS, RunLayout


@contextmanager
def open_run(
    path: Path, files: Sequence[Path], *, quiet: bool = False, redo: Redo | None = None
) -> Iterator[RunContext]:
    """Open the run that a config describes, as its only writer; `redo` sets old output aside first.

    This runs the code of plugins that the config lists. The caller must have checked that the user
    trusts them, as the command does with `--plugin` (`plugins.manager.require_named_plugins`).
    Raises: ConfigError where the config is wrong, or has changed since the run began, or another
    process works on the run; PluginError where a plugin does not fit.
    """
    with open_described(read_config(path), path.resolve().parent, files, quiet, redo) as context:
        yield context


@contextmanager
def open_described(
    config: RunConfig, base: Path, files: Sequence[Path], quiet: bool, redo: Redo | None = None
) -> Iterator[RunContext]:
    """Open the run of a config that need not be a file; `base`: where its paths start.

    Raises: as `open_run`.
    """
    if redo:
        require_iteration(config, redo.iteration, least=0 if redo.stage == "eval" else 1)
    context = _make_context(config, base, files, quiet=quiet)
    folder = context.folder
    _check_names(context)
    new_folders = _missing_folders(folder)
    make_folder(folder.root)
    with lock_run(folder), _undo_on_error(folder, new_folders):
        sync_folders(folder.root)  # a killed start may have made some
        truncate_partial_line(folder.events)
        now = _refuse_changes(config, folder, redo)
        require_used(context.plugins, folder, redo)
        if redo and (old := set_aside(folder, redo)):
            context.progress.event("redo", redone=redo.stage, old=old.name)
            context.progress.say(f"The old output is in {old}.")
        # last: nothing of other settings, or plugins, lies there any more
        _write_config(now, context)
        keep_copy(context.judge_format, folder.judge_format)
        try:
            # under the lock: reading removes a partial line, which another writer may be writing
            yield replace(context, budget=read_remaining_budget(context))
        finally:
            context.models.close()


@contextmanager
def open_existing(
    config: RunConfig,
    base: Path,
    files: Sequence[Path],
    *,
    quiet: bool = False,
    instead: str | None = None,
) -> Iterator[RunContext]:
    """Open an existing run, as its only writer; no model is opened, and nothing is written.

    `instead`: what else can be done while another process works on it, by default to look at a
    copy.

    Raises: ConfigError where there is no run, or another process works on it.
    """
    context = _make_context(config, base, files, quiet=quiet)
    if not context.folder.config.exists():
        raise ConfigError(
            f"{context.folder.root}: not a run's folder (no run.yaml); nothing was made yet. "
            "`ste run` makes one."
        )
    copy = (
        " What is looked at must not change meanwhile, and what is found is kept in the run: to "
        f"look now, copy {base} (cp -r) and look at the run in the copy."
    )
    with lock_run(context.folder, copy if instead is None else instead):
        yield context


@contextmanager
def open_to_examine(
    config: RunConfig,
    base: Path,
    files: Sequence[Path],
    *,
    quiet: bool = False,
    instead: str | None = None,
) -> Iterator[RunContext]:
    """Open an existing run, as its only writer, with its models and what is left of its budget.

    `instead`: as of `open_existing`.
    Raises: ConfigError where there is no run, another process works on it, or the config has
    changed since it began.
    """
    with open_existing(config, base, files, quiet=quiet, instead=instead) as context:
        _refuse_changes(config, context.folder, None)
        try:
            yield replace(context, budget=read_remaining_budget(context))
        finally:
            context.models.close()
            context.stores.close()


@contextmanager
def open_aside(
    config: RunConfig, base: Path, files: Sequence[Path], *, quiet: bool
) -> Iterator[RunContext]:
    """Open a run in a new folder of nobody else's, which is the caller's to remove.

    Nothing but the run's own output is written there: no config, no lock.
    Raises: ConfigError for names that no plugin contributes and wrong engine options.
    """
    context = _make_context(config, base, files, quiet=quiet)
    _check_names(context)
    try:
        yield context
    finally:
        context.models.close()


def _make_context(
    config: RunConfig, base: Path, files: Sequence[Path], *, quiet: bool
) -> RunContext:
    """Return a run's context with no limit on its budget; nothing is written, no model opened."""
    listed = [(base / path).resolve() for path in config.plugins]
    plugins = plugin_manager(dict.fromkeys([*listed, *(path.resolve() for path in files)]))
    folder = RunLayout(base / config.run)
    progress = ProgressReporter(folder.events, quiet)
    place = Place.of_run(config, base, progress.say)
    models = ModelPool(lambda model: open_engine(model, place, plugins))
    return RunContext(
        config,
        base,
        folder,
        plugins,
        progress,
        models,
        Budget(),
        Probes(progress.say),
        read_kept_out=read_kept_out,
        read_given=read_given,
    )


@contextmanager
def lock_part(config: RunConfig, folder: RunLayout, part: object) -> Iterator[None]:
    """Hold the lock of a part of a run, beside which other parts may be answered.

    Raises: ConfigError where another process holds it, or that of the whole run, or the run has
    other settings.
    """
    _refuse_changes(config, folder, None)
    new_folders = _missing_folders(folder)
    make_folder(folder.root)
    with _undo_on_error(folder, new_folders), hold(folder.part_lock(part), "this part of the run"):
        with hold(folder.lock, "this run", OTHER_PARTS_S):
            pass  # `ste run` and the like hold it; a part that begins now lets it go at once
        yield


def _missing_folders(folder: RunLayout) -> list[Path]:
    return [path for path in (folder.root, *folder.root.parents) if not path.exists()]


@contextmanager
def _undo_on_error(folder: RunLayout, new_folders: Sequence[Path]) -> Iterator[None]:
    """Remove a new run if an error ends it before it holds more than the instructions it read.

    `new_folders` are those that opening has made; a run that existed before is left as it is.
    """
    try:
        yield
    except SteError:
        read = (folder.pool / name for name in ("instructions.jsonl", OVERLAPS))
        ours = (folder.config, folder.judge_format, folder.events, folder.lock, *read)
        files = (path for path in folder.root.rglob("*") if path.is_file())
        if new_folders and not any(path.stat().st_size for path in files if path not in ours):
            shutil.rmtree(folder.root)
            for path in new_folders[1:]:
                with suppress(OSError):  # another program has put something there meanwhile
                    path.rmdir()
        raise


def _check_names(context: RunContext) -> None:
    """Raise ConfigError for names that no plugin contributes and wrong engine options.

    Nothing is written before that.
    """
    config = context.config
    check_keep(context.judge_format, config)
    check_constructed(context.judge_format, config)
    check_verdict_share(context.judge_format, config)
    check_forced(context.judge_format, config)
    columns_to_show(context)
    for model in filter(None, (context.generator_model, config.judge, context.weaker_model)):
        context.models.use(model)
    context.models.close()
    check_contributed(config, context.plugins)
    check_writers(context)


def check_contributed(config: RunConfig, plugins: pluggy.PluginManager) -> None:
    """Raise ConfigError for a name in a config that no plugin contributes."""
    configured = {
        "ste_sources": [("instructions.reader", s.reader) for s in config.instructions],
        "ste_selectors": [("selection.selectors", s) for s in config.selection.selectors],
        "ste_pair_strategies": [("pairs.strategies", s) for s in config.pairs.strategies],
        "ste_probes": [("audit.probes", p) for p in config.audit.probes or ()],
        "ste_dataset_formats": [("dataset.formats", f) for f in config.dataset.formats or ()],
    }
    for hook, names in configured.items():
        for setting, name in names:
            find_contribution(plugins, hook, name, setting)


def _write_config(now: dict[str, Any], context: RunContext) -> None:
    """Write the settings and plugins that the run goes on with into its run.yaml.

    Where its folder does not tell where paths start, run.yaml does.
    """
    record: dict[str, Any] = {"ste_version": __version__}
    if context.config.run.is_absolute():
        record["base"] = str(context.base)
    record |= {"plugins": used_plugins(context.plugins), "config": now}
    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True)
    replace_bytes(context.folder.config, text.encode())


def _refuse_changes(config: RunConfig, folder: RunLayout, redo: Redo | None) -> dict[str, Any]:
    """Return the settings; refuse those that are not what the run was begun with."""
    now: dict[str, Any] = config.model_dump(mode="json")
    if folder.config.exists():
        before = flat_settings(read_run_yaml(folder.config))
        refuse_changes(folder.root, changed_fields(before, flat_settings(config)), redo)
    return now


def read_remaining_budget(context: RunContext) -> Budget:
    """Return the run's budget less what earlier starts of the run have used."""
    folder, limits = context.folder, context.config.budget
    tokens, minutes = limits.max_tokens_total, limits.max_minutes
    if tokens is not None:
        files = find_completions(folder.root)
        tokens -= sum(CompletionStore(path).written_tokens for path in files)
    if minutes is not None and folder.events.exists():
        minutes -= sum(row.get("seconds", 0) for _, row in read_rows(folder.events)) / 60
    return Budget(tokens, minutes, say=context.progress.say)


def find_next_iteration(context: RunContext) -> int:
    """Return the first iteration that is not done, or the last of all."""
    for number in range(1, context.config.iterations + 1):
        if not (context.folder.iteration(number) / "done.json").exists():
            return number
    return context.config.iterations
