"""Finding a run by its folder or by its config."""

import glob
from pathlib import Path

from ste_plugin.config import RunConfig
from ste_plugin.config.instructions import READERS_OF_FILES
from ste_plugin.errors import ConfigError
from ste_plugin.storage.config_file import read_config, read_run_record, read_run_yaml


def read_run(path: Path) -> tuple[RunConfig, Path]:
    """Return the config of a run and the folder that its relative paths start from.

    `path` is the run's folder or its config. Of a folder only what is written into it is known:
    where that names the run by an absolute path, it says from where relative ones start; one of a
    version that did not has them start from the current folder.
    Raises: ConfigError where there is no run, or the files that it names are not there.
    """
    if path.is_file():
        return read_config(path), path.resolve().parent
    if not (path / "run.yaml").is_file():
        raise ConfigError(
            f"{path}: neither a run's folder (no run.yaml in it) nor a config. Give one of them."
        )
    config = read_run_yaml(path / "run.yaml")
    if config.run.is_absolute():
        base = Path(read_run_record(path / "run.yaml").base or Path.cwd())
        _require_files(path, config, base)
        return config.model_copy(update={"run": path.resolve()}), base
    return config, _find_base(path.resolve(), config.run)


def folder_of(path: Path) -> Path:
    """Return the folder of the run that `path` is, or of whose config it is.

    Raises: ConfigError where the config cannot be read.
    """
    return path.resolve().parent / read_config(path).run if path.is_file() else path


def _find_base(root: Path, run: Path) -> Path:
    """Return the folder in which `run` names `root`. Raises: ConfigError if the run was moved."""
    for base in (root, *root.parents):
        if (base / run).resolve() == root:
            return base
    raise ConfigError(
        f"{root}: its config calls it {run}, so it was moved. Give the config instead, CONFIG.yaml."
    )


def _require_files(root: Path, config: RunConfig, base: Path) -> None:
    """Return if what a config names by relative paths may start from `base`.

    Raises: ConfigError otherwise: a model's folder that is not found would be taken for a hub id.
    """
    sources = [s.path for s in config.instructions if s.reader in READERS_OF_FILES]
    labelled = [file.path for file in (*config.pairs.given, *config.evaluation.pairs.values())]
    for name in (*config.plugins, *sources, *labelled):
        start = Path(name).expanduser()
        while glob.has_magic(str(start)):
            start = start.parent
        if not (base / start).exists():
            raise ConfigError(
                f"{root}: its config names {name}, and there is none in {base}. Paths in it start "
                "from the config's own folder: give the config instead, CONFIG.yaml."
            )
