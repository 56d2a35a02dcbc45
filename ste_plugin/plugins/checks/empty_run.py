"""A run in which nothing was made yet, for hooks that are given one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pluggy

from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.context import RunContext
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.progress import ProgressReporter
from ste_plugin.report.read_run import RunFigures
from ste_plugin.storage.durable import make_folder
from ste_plugin.storage.run_layout import RunLayout

_CONFIG = {
    "run": "run",
    "judge": {"model": "none"},
    "instructions": [{"path": "instructions.jsonl"}],
    "training": {"recipe": "sft-lora-8b"},
}


@contextmanager
def empty_run(plugins: pluggy.PluginManager) -> Iterator[RunContext]:
    """Open a run in a folder of its own, removed again; its models cannot be asked."""
    with TemporaryDirectory(prefix="ste-check-") as folder:
        base = Path(folder)
        config = RunConfig.model_validate(_CONFIG)
        layout = RunLayout(base / config.run)
        make_folder(layout.root)
        progress = ProgressReporter(layout.events, quiet=True)
        yield RunContext(config, base, layout, plugins, progress, ModelPool(_no_model), Budget())


def _no_model(model: ModelConfig) -> NoReturn:
    raise EngineError(f"{model.model}: no model here; check_plugin has none to ask.")


def no_figures(context: RunContext) -> RunFigures:
    """Return the figures of a run that has none."""
    return RunFigures(
        folder=context.folder,
        config=context.config,
        pool={},
        rounds=(),
        best=None,
        keep=context.config.keep,
        seconds={},
        compared=(),
        findings={},
        collapse={},
        people=None,
    )
