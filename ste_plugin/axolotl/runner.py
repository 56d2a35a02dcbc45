"""Training a judge with axolotl, as a subprocess: a recipe and a manifest become a merged model."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.axolotl.launcher import (
    check_launcher,
    launcher_environment,
    merge_command,
    train_command,
)
from ste_plugin.axolotl.run_config import overlay, read_recipe
from ste_plugin.axolotl.unmerged import NAME as UNMERGED
from ste_plugin.axolotl.unmerged import read_unmerged
from ste_plugin.config import HostConfig, ModelConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import refuse_pickles
from ste_plugin.errors import DataError, HostError
from ste_plugin.hosts.run_host import (
    Versions,
    python_of,
    require_module,
    run_host,
    run_python,
)
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest, row_format_of_rl
from ste_plugin.storage.durable import move
from ste_plugin.storage.jsonl import replace_bytes
from ste_plugin.storage.training_manifest import (
    NAME,
    config_sha256,
    find_trained_model,
    read_training_manifest,
)
from ste_plugin.text.redaction import redact

VERSIONS = Versions("0.19", "0.22")
INSTALL = f'pip install "axolotl{VERSIONS}"'
"""The command that an error gives where axolotl is missing."""
INSTALL_OURS = "pip install /path/to/ste-plugin"
"""The command where our plugin is missing beside it: it is on no index."""

_MADE_BY_AXOLOTL = ("debug.log", "config.json", "adapter_config.json")


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """What a training is given."""

    recipe: Path
    model: str
    """A folder, or an id on the hub."""
    manifest: Path
    """Of the data set."""
    output: Path
    seed: int
    host: HostConfig
    revision: str | None = None
    """Of a `model` of the hub."""
    files: Sequence[Path] = ()
    """Plugins that the user has named."""


def train(given: TrainingInputs, begin: Callable[[], object] = lambda: None) -> Path:
    """Return the folder of the model that a recipe makes of another, with any adapter merged.

    Beside the output lie `axolotl.yaml`, what axolotl was given, and `axolotl.log`, its output.
    `trained.json` in it, the training's manifest, is written last by our plugin inside axolotl;
    where it records the same settings, rows and model, nothing is done. Where the merge alone is
    missing, that is done. An unfinished training starts over; a finished one with other settings,
    rows or model is moved aside. `begin` is called where there is something to train, before that.

    Raises: ConfigError for a recipe that cannot be used, DataError for rows that changed or are
    missing, HostError where axolotl is not installed, refuses the recipe, or does not finish.
    """
    settings, data = read_recipe(given.recipe), read_manifest(given.manifest)
    data.verify(*data.training_files(row_format_of_rl(settings.get("rl"))))
    output, config = given.output.resolve(), _lay_over(settings, given, data)
    if final := read_finished(output, config, data):
        return final
    refuse_pickles(Path(given.model))
    require_host(python_of(given.host))
    check_launcher(given.host, {given.recipe.stem: settings})
    _train(given, config, data, begin)
    final = read_finished(output, config, data)
    if final is None:
        raise HostError(
            f"axolotl train: ended with exit code 0 but without {output / NAME} for these settings "
            "and rows, as it does when interrupted, or when our plugin could not be loaded. "
            f"{output} is not a trained judge. Run the same command again.\nLog: {log_of(output)}"
        )
    shutil.rmtree(config["dataset_prepared_path"], ignore_errors=True)
    return final


def train_as_given(config: Path, arguments: Sequence[str] = ()) -> Path:
    """Return the final model of `axolotl train CONFIG`, once its manifest is written.

    `arguments` go to axolotl as they are; its output goes to the terminal.
    Raises: HostError where axolotl fails, or ends without a new manifest.
    """
    output = Path(read_recipe(config).get("output_dir") or "model-out")
    before = _written_at(output)
    command = [sys.executable, "-m", "axolotl.cli.main", "train", str(config), *arguments]
    code = subprocess.run(command, check=False).returncode
    final = find_trained_model(output)
    if code or final is None or _written_at(output) == before:
        raise HostError(
            f"axolotl train {config}: ended with exit code {code} and without a new "
            f"{output / NAME}: failed, interrupted, or our plugin was not loaded (its output is "
            "above). There is no trained judge."
        )
    return final


def _written_at(output: Path) -> int | None:
    manifest = output / NAME
    return manifest.stat().st_mtime_ns if manifest.is_file() else None


def require_host(python: str) -> str:
    """Return axolotl's version in an environment that also has our plugin.

    Raises: HostError naming what is missing there and the command that installs it.
    """
    version = require_module(python, "axolotl", INSTALL, VERSIONS)
    require_module(python, "ste_plugin", INSTALL_OURS)
    return version


_PRINT_PROBLEMS = """
from ste_plugin.axolotl.config_checks import problems_ahead
print("STE " + json.dumps(problems_ahead(*map(json.loads, sys.argv[1:]))))
"""


def find_problems(
    recipe: Path, judge: ModelConfig, host: HostConfig, revision: str | None = None
) -> list[str]:
    """Return what would stop a training of `judge` and can be told without data and weights.

    `revision`: of a model of the hub, where one is named.
    Raises: ConfigError for a recipe that cannot be read, HostError where the environment of the
    training does not answer.
    """
    python = python_of(host)
    given = (read_recipe(recipe), judge.model, revision, judge.chat_template_kwargs)
    done = run_python(python, _PRINT_PROBLEMS, *(json.dumps(g, default=str) for g in given))
    answer = [line for line in done.stdout.splitlines() if line.startswith("STE ")]
    if not answer:
        raise HostError(
            f"{python}: cannot look over {recipe}: {redact(done.stderr.strip())[-300:]}"
        )
    problems: list[str] = json.loads(answer[-1][4:])
    return problems


def read_finished(output: Path, config: Mapping[str, Any], data: DatasetManifest) -> Path | None:
    """Return the final model of a training in `output` with these settings, rows and base model."""
    done = read_training_manifest(output)
    return find_trained_model(output) if done and _is_of(done, config, data) else None


def has_unmerged(output: Path, config: Mapping[str, Any], data: DatasetManifest) -> bool:
    """Return whether a training in `output` with these settings, rows and base model is done but
    for the merge of its adapter."""
    done = read_unmerged(output)
    return done is not None and _is_of(done.trained, config, data)


def _is_of(done: Mapping[str, Any], config: Mapping[str, Any], data: DatasetManifest) -> bool:
    """Return whether a training's manifest is of these settings, rows and base model."""
    base = Path(config["base_model"])
    model = {"base_fingerprint": fingerprint(base)} if base.is_dir() else {"base_model": str(base)}
    hashes = done.get("data_sha256", {})
    same_rows = data.sha256(*hashes) == hashes
    return same_rows and {"config_sha256": config_sha256(config), **model}.items() <= done.items()


def log_of(output: Path) -> Path:
    """Return where axolotl's output goes."""
    return output.parent / "axolotl.log"


def _lay_over(
    recipe: dict[str, Any], given: TrainingInputs, data: DatasetManifest
) -> dict[str, Any]:
    return overlay(
        recipe,
        model=given.model,
        manifest=data,
        output=given.output.resolve(),
        seed=given.seed,
        revision=given.revision,
        files=given.files,
    )


def _train(
    given: TrainingInputs,
    config: dict[str, Any],
    data: DatasetManifest,
    begin: Callable[[], object],
) -> None:
    """Have axolotl train, or merge alone what it has trained before.

    Raises: HostError where it fails, with what is kept.
    """
    output = Path(config["output_dir"])
    merges = has_unmerged(output, config, data)
    if not merges:
        begin()
        _clear(output)
        log_of(output).unlink(missing_ok=True)
        # a killed training may have left half of it
        shutil.rmtree(config["dataset_prepared_path"], ignore_errors=True)
    try:
        _run(given, config, merges=merges)
    except HostError as error:
        if has_unmerged(output, config, data):
            raise HostError(
                f"{error}\nThe training is done, and its adapter whole, in {output}: the same "
                "command again merges it and trains nothing. To train again: `ste run CONFIG "
                "--from train --iteration NUMBER`, which sets this one aside."
            ) from error
        raise


def _run(given: TrainingInputs, config: dict[str, Any], *, merges: bool) -> None:
    host, log = given.host, log_of(Path(config["output_dir"]))
    path = log.with_name("axolotl.yaml")
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    replace_bytes(path, text.encode())
    env = {"AXOLOTL_DO_NOT_TRACK": "1", "AXOLOTL_LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1"}
    # on a CPU that other work shares, spinning OpenMP threads make a step several times slower
    env["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    named = [*map(str, given.files), *filter(None, [os.environ.get("STE_PLUGINS")])]
    env["STE_PLUGINS"] = os.pathsep.join(named)
    if Path(config["base_model"]).is_dir():
        env["HF_HUB_OFFLINE"] = "1"
    run_host(
        merge_command(host, path) if merges else train_command(host, path),
        env=env | launcher_environment(host),
        log=log,
        timeout_minutes=host.timeout_minutes,
        what=f"merging what axolotl trained by {path}" if merges else f"axolotl train {path}",
    )


def _clear(output: Path) -> None:
    """Clear a training's folder: one that is done, merged or not, moves aside; another is deleted.

    Raises: DataError where `output` holds something else.
    """
    if not output.exists() or not any(output.iterdir()):
        return
    done = [path for name in (NAME, UNMERGED) if (path := output / name).is_file()]
    if done:
        name = hashlib.sha256(done[0].read_bytes()).hexdigest()[:8]
        move(output, output.with_name(f"{output.name}.was-{name}"))
    elif any((output / name).exists() for name in _MADE_BY_AXOLOTL):
        shutil.rmtree(output)
    else:
        raise DataError(f"{output}: not empty, and not a training. Move it away and run again.")
