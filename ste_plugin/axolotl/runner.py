"""Training a judge with axolotl, as a subprocess: a recipe and a manifest become a merged model."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.axolotl.launcher import check_launcher, launcher_environment, train_command
from ste_plugin.axolotl.run_config import overlay, read_recipe
from ste_plugin.config import HostConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import refuse_pickles
from ste_plugin.errors import DataError, HostError
from ste_plugin.hosts.run_host import python_of, require_module, run_host, run_python
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

INSTALL = 'pip install "axolotl>=0.19,<0.22"'
"""The command that an error gives where axolotl is missing."""

_MADE_BY_AXOLOTL = ("debug.log", "config.json", "adapter_config.json")


def train(
    recipe: Path,
    *,
    model: str,
    manifest: Path,
    output: Path,
    seed: int,
    host: HostConfig,
    revision: str | None = None,
    files: Sequence[Path] = (),
    begin: Callable[[], object] = lambda: None,
) -> Path:
    """Return the folder of the model that a recipe makes of `model`, with any adapter merged.

    Beside `output` lie `axolotl.yaml`, what axolotl was given, and `axolotl.log`, its output.
    `output/trained.json`, the training's manifest, is written last by our plugin inside axolotl;
    where it records the same settings, rows and model, nothing is done. `files` are plugins that
    the user has named. `revision` is that of a `model` of the hub. An unfinished training
    starts over; a finished one with other settings, rows or model is moved aside. `begin` is called
    where there is something to train, before that.

    Raises: ConfigError for a recipe that cannot be used, DataError for rows that changed or are
    missing, HostError where axolotl is not installed, refuses the recipe, or does not finish.
    """
    settings, data = read_recipe(recipe), read_manifest(manifest)
    data.verify(*data.training_files(row_format_of_rl(settings.get("rl"))))
    output = output.resolve()
    config = overlay(
        settings,
        model=model,
        manifest=data,
        output=output,
        seed=seed,
        revision=revision,
        files=files,
    )
    if final := read_finished(output, config, data):
        return final
    refuse_pickles(Path(model))
    require_host(python_of(host))
    check_launcher(host, {recipe.stem: settings})
    begin()
    _clear(output)
    _train(config, output, host, files)
    final = read_finished(output, config, data)
    if final is None:
        raise HostError(
            f"axolotl train: ended with exit code 0 but without {output / 'trained.json'} for "
            "these settings and rows, as it does when interrupted, or when our plugin could not be "
            f"loaded. {output} is not a trained judge. Run the same command again.\n"
            f"Log: {log_of(output)}"
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
    version = require_module(python, "axolotl", INSTALL)
    require_module(python, "ste_plugin", "pip install ste-plugin")
    return version


_PRINT_PROBLEMS = """
from ste_plugin.axolotl.config_checks import problems_ahead
print("STE " + json.dumps(problems_ahead(*map(json.loads, sys.argv[1:]))))
"""


def find_problems(recipe: Path, model: str, host: HostConfig) -> list[str]:
    """Return what would stop a training of `model` and can be told without data and weights.

    Raises: ConfigError for a recipe that cannot be read, HostError where the environment of the
    training does not answer.
    """
    python = python_of(host)
    given = (json.dumps(value, default=str) for value in (read_recipe(recipe), model))
    done = run_python(python, _PRINT_PROBLEMS, *given)
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
    if done is None:
        return None
    base = Path(config["base_model"])
    model = {"base_fingerprint": fingerprint(base)} if base.is_dir() else {"base_model": str(base)}
    same_rows = data.sha256(*done["data_sha256"]) == done["data_sha256"]
    same = {"config_sha256": config_sha256(config), **model}.items() <= done.items()
    return find_trained_model(output) if same and same_rows else None


def log_of(output: Path) -> Path:
    """Return where axolotl's output goes."""
    return output.parent / "axolotl.log"


def _train(config: dict[str, Any], output: Path, host: HostConfig, files: Sequence[Path]) -> None:
    config_path = output.parent / "axolotl.yaml"
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    replace_bytes(config_path, text.encode())
    log_of(output).unlink(missing_ok=True)
    # a killed training may have left half of it
    shutil.rmtree(config["dataset_prepared_path"], ignore_errors=True)
    env = {"AXOLOTL_DO_NOT_TRACK": "1", "AXOLOTL_LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1"}
    # on a CPU that other work shares, spinning OpenMP threads make a step several times slower
    env["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    named = [*map(str, files), *filter(None, [os.environ.get("STE_PLUGINS")])]
    env["STE_PLUGINS"] = os.pathsep.join(named)
    if Path(config["base_model"]).is_dir():
        env["HF_HUB_OFFLINE"] = "1"
    run_host(
        train_command(host, config_path),
        env=env | launcher_environment(host),
        log=log_of(output),
        timeout_minutes=host.timeout_minutes,
        what=f"axolotl train {config_path}",
    )


def _clear(output: Path) -> None:
    """Clear a training's folder: a finished one moves aside, an unfinished one is deleted.

    Raises: DataError where `output` holds something else.
    """
    if not output.exists() or not any(output.iterdir()):
        return
    manifest = output / NAME
    if manifest.is_file():
        name = hashlib.sha256(manifest.read_bytes()).hexdigest()[:8]
        move(output, output.with_name(f"{output.name}.was-{name}"))
    elif any((output / name).exists() for name in _MADE_BY_AXOLOTL):
        shutil.rmtree(output)
    else:
        raise DataError(f"{output}: not empty, and not a training. Move it away and run again.")
