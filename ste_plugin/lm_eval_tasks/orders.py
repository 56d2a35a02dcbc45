"""What lm-eval is asked about one set of pairs, for `measure_sets` and as its own command."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

from ste_plugin.config import EvaluationConfig
from ste_plugin.engines.nested import MAIN
from ste_plugin.lm_eval_tasks.settings import JudgeSettings, unknown_variables
from ste_plugin.storage.resources import shipped_folder

TASK = "ste_local"
SERVER_CALLS = 32
"""Calls in flight to a server of the run's own, where the model_args do not say."""

_REVISIONS = {"hf": ("revision",), "vllm": ("revision", "tokenizer_revision")}
"""Backend → its arguments that say which revision of a model of the hub is loaded: of its weights,
and last of its tokenizer."""


def environment(settings: JudgeSettings) -> dict[str, str]:
    """Return what lm-eval's environment has beside ours: all settings, and none but these."""
    return {**dict.fromkeys(unknown_variables(os.environ), ""), **settings.environment()}


def behind(base_url: str, config: EvaluationConfig) -> EvaluationConfig:
    """Return the settings by which lm-eval asks a server of the run's own.

    Where that listens is no part of what is measured: results.json does not hold it.
    """
    path = "/chat/completions" if "chat" in config.backend else "/completions"
    at = base_url if config.backend == "decisions" else f"{base_url}{path}"
    address = {"base_url": at, "num_concurrent": SERVER_CALLS}
    return config.model_copy(update={"model_args": {**address, **config.model_args}})


def at_revision(config: EvaluationConfig, revision: str | None = None) -> EvaluationConfig:
    """Return the settings by which lm-eval loads this revision of a judge from the hub.

    Another one in `model_args` counts before it, for weights and tokenizer; a server has its
    weights already.
    """
    wanted = config.model_args.get("revision") or revision
    named = dict.fromkeys(_REVISIONS.get(config.backend, ()), wanted) if wanted else {}
    return config.model_copy(update={"model_args": {**named, **config.model_args}})


def weights_revision(config: EvaluationConfig) -> str:
    """Return the revision of a judge's weights on the hub that lm-eval loads."""
    return str(config.model_args.get("revision") or MAIN) if config.backend in _REVISIONS else MAIN


def tokenizer_revision(config: EvaluationConfig) -> str:
    """Return the revision of the tokenizer that lm-eval loads; API backends load one by name."""
    name = _REVISIONS.get(config.backend, ("revision",))[-1]
    return str(config.model_args.get(name) or MAIN)


def without_proxy() -> dict[str, str]:
    """Return the variables by which this machine is reached without the environment's proxy."""
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    direct = f"{known},127.0.0.1" if known else "127.0.0.1"
    return {"NO_PROXY": direct, "no_proxy": direct}


def order(
    model: str,
    out: Path,
    settings: JudgeSettings,
    *,
    config: EvaluationConfig,
    task: str,
    folder: Path,
    base_url: str | None = None,
) -> dict[str, Any]:
    """Return what `measure_sets` is asked: a model, a task, and how it judges.

    `base_url` is that of a server of the run's own which has the model.
    """
    config = behind(base_url, config) if base_url else config
    by_hand = command(model, out, config=config, python="python", task=task, folder=folder)
    return {
        "model": config.backend,
        "model_args": json.loads(model_args(model, config)),
        "batch_size": config.batch_size,
        "task": task,
        "include_path": str(folder),
        "output_path": str(_output_path(out)),
        "env": environment(settings) | (without_proxy() if base_url else {}),
        "by_hand": shlex.join(by_hand),
    }


def _output_path(out: Path) -> Path:
    """Return a file, as below a folder lm-eval makes another named after the model's whole path."""
    return out / "lm-eval" / "results.json"


def command(
    model: str,
    out: Path,
    *,
    config: EvaluationConfig,
    python: str,
    task: str = TASK,
    folder: Path | None = None,
) -> list[str]:
    """Return lm-eval's own command for the same; what is judged is in its environment."""
    options = {
        "--model": config.backend,
        "--model_args": model_args(model, config),
        "--tasks": task,
        "--include_path": folder or shipped_folder("tasks"),
        "--output_path": _output_path(out),
        "--batch_size": config.batch_size,
    }
    given = [str(part) for option in options.items() for part in option]
    return [python, "-m", "lm_eval", "run", *given, "--apply_chat_template", "--log_samples"]


def model_args(model: str, config: EvaluationConfig) -> str:
    """Return the backend's arguments: servers get a name, others load weights.

    As JSON, since lm-eval splits `key=value` at commas, which a path may hold.
    """
    if config.backend.endswith("completions") or config.backend == "decisions":
        return json.dumps({"model": model, **config.model_args})
    # other weights are pickles, which can run code when they are loaded
    only: dict[str, dict[str, str | bool]] = {
        "hf": {"use_safetensors": True},
        "vllm": {"load_format": "safetensors"},
    }
    data_only = only.get(config.backend, {})
    return json.dumps({"pretrained": model, "dtype": "auto", **data_only, **config.model_args})
