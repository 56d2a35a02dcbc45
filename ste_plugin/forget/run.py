"""Opening a run to take something out of it: by its folder or its config, as its only writer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ste_plugin.config import RunConfig
from ste_plugin.context import RunContext, open_engine
from ste_plugin.engines.base import Place
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.errors import ConfigError
from ste_plugin.inference.budget import Budget
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.progress import ProgressReporter
from ste_plugin.storage.config_file import read_config, read_run_yaml
from ste_plugin.storage.run_layout import RunLayout


@contextmanager
def open_run(config: RunConfig, base: Path, files: Sequence[Path]) -> Iterator[RunContext]:
    """Open a run that there is; no model is opened, and nothing about the run is written.

    Raises: ConfigError where there is no run, or another process works on it.
    """
    folder = RunLayout(base / config.run)
    if not folder.config.exists():
        raise ConfigError(
            f"{folder.root}: not a run's folder (no run.yaml); nothing was made yet. `ste run` makes one."
        )
    listed = [(base / p).resolve() for p in config.plugins]
    plugins = plugin_manager(dict.fromkeys([*listed, *(p.resolve() for p in files)]))
    place = Place(base, folder.root, config.hosts.serve)
    models = ModelPool(lambda model: open_engine(model, place, plugins))
    try:
        with FileLock(folder.lock, timeout=0):
            yield RunContext(
                config,
                base,
                folder,
                plugins,
                ProgressReporter(folder.events),
                models,
                Budget(None, None),
            )
    except Timeout as error:
        raise ConfigError(
            f"{folder.root}: another ste process works on this run. Wait for it, or stop it first."
        ) from error


def read_run(path: Path) -> tuple[RunConfig, Path]:
    """Return the config of a run and the folder that its relative paths start from.

    `path` is the run's folder or its config. Of a folder only the config written into it is known:
    where that names the run by an absolute path, relative ones start from the current folder.
    Raises: ConfigError where there is no run.
    """
    if path.is_file():
        return read_config(path), path.resolve().parent
    if not (path / "run.yaml").is_file():
        raise ConfigError(
            f"{path}: neither a run's folder (no run.yaml in it) nor a config. Give one of them."
        )
    kept = path / "run.yaml"
    config = read_run_yaml(kept)
    if config.run.is_absolute():
        return config.model_copy(update={"run": path.resolve()}), Path.cwd()
    return config, _base(path.resolve(), config.run)


def _base(root: Path, run: Path) -> Path:
    """Return the folder in which `run` names `root`. Raises: ConfigError where it was moved since."""
    for base in (root, *root.parents):
        if (base / run).resolve() == root:
            return base
    raise ConfigError(
        f"{root}: its config calls it {run}, so it was moved. Give the config instead: "
        "ste forget CONFIG.yaml …"
    )
