"""Training a judge with axolotl, as a subprocess: from a recipe and a manifest to a merged model."""

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.config import HostConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.errors import DataError, HostError
from ste_plugin.hosts.axolotl_config import files_of, overlay, read_recipe, row_format
from ste_plugin.hosts.model_folder import check_model, copy_tokenizer
from ste_plugin.hosts.run_host import interpreter, require, run_host
from ste_plugin.store import read_json, replace_bytes, replace_json

INSTALL = 'pip install "axolotl>=0.19,<0.22"'
"""The command that an error gives where axolotl is missing."""

DONE = "trained.json"
_FINISHED = "Training completed! Saving trained model"
"""What axolotl logs when the last step is done, and never when it is interrupted (0.19)."""
_LOSS = re.compile(r"'train_loss': '?([\d.eE+-]+)")
_MADE_BY_AXOLOTL = ("debug.log", "config.json", "adapter_config.json")


def trained_model(output: Path) -> Path | None:
    """Return the final, merged model in `output`, or None where no training has finished there."""
    done = output / DONE
    if not done.is_file():
        return None
    final = (output / read_json(done)["final"]).resolve()
    return final if final.is_dir() else None


def train(
    recipe: Path, *, model: str, manifest: Path, output: Path, seed: int, host: HostConfig
) -> Path:
    """Return the folder of the model that a recipe makes of `model`, with any adapter merged.

    Beside `output` lie `axolotl.yaml`, what axolotl was given, and `axolotl.log`, what it said.
    `output/trained.json` is written last; where it stands for the same recipe, rows, model and seed,
    nothing is done. An unfinished training starts over; a finished one of other making is moved aside.

    Raises: ConfigError for a recipe without our placeholder, DataError for rows that changed or are
    missing, HostError where axolotl is not installed, refuses the recipe, or does not finish.
    """
    settings = read_recipe(recipe)
    files = files_of(manifest, row_format(settings))
    output = output.resolve()
    config = overlay(
        settings, model=model, train=files.train, dev=files.dev, output=output, seed=seed
    )
    made_of = {
        "recipe": recipe.name,
        "recipe_sha256": hashlib.sha256(recipe.read_bytes()).hexdigest(),
        "data_sha256": files.sha256,
        "base_model": model,
        "base_fingerprint": fingerprint(Path(model)) if Path(model).is_dir() else None,
        "seed": seed,
    }
    final = trained_model(output)
    if final and made_of.items() <= read_json(output / DONE).items():
        return final
    version = require(interpreter(host), "axolotl", INSTALL)
    _clear(output)
    began = time.monotonic()
    final = _train_and_merge(config, output, host)
    seconds = round(time.monotonic() - began, 1)
    measured = {"axolotl": version, "seconds": seconds, **_measurements(output)}
    place = {"final": str(final.relative_to(output))}
    replace_json(output / DONE, place | made_of | measured)
    shutil.rmtree(config["dataset_prepared_path"], ignore_errors=True)
    return final


def log_of(output: Path) -> Path:
    """Return where axolotl's own words about a training go."""
    return output.parent / "axolotl.log"


def _train_and_merge(config: dict[str, Any], output: Path, host: HostConfig) -> Path:
    written = output.parent / "axolotl.yaml"
    replace_bytes(written, yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())
    log_of(output).unlink(missing_ok=True)
    _axolotl("train", [str(written)], config, output, host)
    if _FINISHED not in log_of(output).read_text(encoding="utf-8", errors="replace"):
        raise HostError(
            f"axolotl train: ended before the last step though with exit code 0, as it does when "
            f"interrupted; {output} is not a trained model. Run the same command again.\n"
            f"Log: {log_of(output)}"
        )
    if not config.get("adapter"):
        final = output
    else:
        # the recipe may continue an older adapter through lora_model_dir: merge the new one
        _axolotl("merge_lora", [str(written), f"--lora_model_dir={output}"], config, output, host)
        final = output / "merged"
        copy_tokenizer(output, final)
    check_model(final)
    return final


def _axolotl(
    command: str, arguments: list[str], config: dict[str, Any], output: Path, host: HostConfig
) -> None:
    env = {"AXOLOTL_DO_NOT_TRACK": "1", "AXOLOTL_LOG_LEVEL": "INFO", "PYTHONUNBUFFERED": "1"}
    # on a CPU that other work shares, spinning OpenMP threads make a step several times slower
    env["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    if Path(config["base_model"]).is_dir():
        env["HF_HUB_OFFLINE"] = "1"
    run_host(
        [interpreter(host), "-m", f"axolotl.cli.{command}", *arguments],
        env=env,
        log=log_of(output),
        timeout_minutes=host.timeout_minutes,
        what=f"axolotl {command} {arguments[0]}",
    )


def _clear(output: Path) -> None:
    """Make room for a training: a finished one moves aside, an unfinished one goes.

    Raises: DataError where `output` holds something else.
    """
    if not output.exists() or not any(output.iterdir()):
        return
    done = output / DONE
    if done.is_file():
        name = hashlib.sha256(done.read_bytes()).hexdigest()[:8]
        output.rename(output.with_name(f"{output.name}.was-{name}"))
    elif any((output / name).exists() for name in _MADE_BY_AXOLOTL):
        shutil.rmtree(output)
    else:
        raise DataError(f"{output}: not empty, and not a training. Move it away and run again.")


def _measurements(output: Path) -> dict[str, Any]:
    """Return `steps` and `train_loss`, as far as axolotl tells them."""
    found: dict[str, Any] = {}
    losses = _LOSS.findall(log_of(output).read_text(encoding="utf-8", errors="replace"))
    if losses:
        found["train_loss"] = float(losses[-1])
    states = [json.loads(p.read_bytes()) for p in output.glob("checkpoint-*/trainer_state.json")]
    if states:
        found["steps"] = max(state["global_step"] for state in states)
    return found
