"""What lm-eval's own options would change about our requests: made right, or refused."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.engines.identity import fingerprint
from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.lm_eval_tasks.settings import metadata_names, refuse_unknown, unknown_metadata

_LOST_KEYS = (
    "generation_kwargs",
    "repeats",
    "num_fewshot",
    "filter_list",
    "metric_list",
    "description",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "process_docs",
    "process_results",
    "output_type",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "test_split",
    "validation_split",
    "fewshot_split",
    "fewshot_config",
)
MODEL_KEY = "ste_plugin: model"
"""Under which a cache of replies says whose they are."""

_SETTING = re.compile(r"""(?:^|[\s{,"'])(judge[\w-]*)["']?\s*[=:]""")
"""The name of a setting in the value of `--metadata`: JSON, or name=value."""


def refuse_lost_metadata(arguments: Sequence[str], metadata: Mapping[str, Any]) -> None:
    """Raise ConfigError for settings on lm-eval's command line that do not arrive at a task.

    lm-eval 0.4.11 hands `--metadata` to no task that is a class.
    """
    given = " ".join(arguments).partition("--metadata")[2].partition(" --")[0]
    lost = [name for name in _SETTING.findall(given) if name not in metadata]
    refuse_unknown(unknown_metadata(dict.fromkeys(lost)), metadata_names())
    if lost:
        variable = PREFIX + lost[0].removeprefix("judge_").upper()
        raise ConfigError(
            f"--metadata {lost[0]}: this lm-eval (0.4.11) gives --metadata to no task that is a "
            f"class, so it would be ignored. Set the environment variable {variable}, or use "
            "lm-eval 0.4.13."
        )


def refuse_lost_keys(config: Mapping[str, Any]) -> None:
    """Raise ConfigError for keys of a task's YAML that a judge task does not look at.

    How it asks, samples and counts are its settings' matter, so such a key would change nothing.
    """
    if lost := [key for key, value in config.items() if key in _LOST_KEYS and value]:
        raise ConfigError(
            f"{config.get('task')}: {', '.join(lost)} in its YAML would change nothing. Leave it "
            "out; what is judged, and how, is in its metadata, as in `metadata: {judge_benchmark: "
            "local, judge_votes: 8, judge_temperature: 0.7}`."
        )


def sampling_told(told: Mapping[str, Any], votes: int) -> dict[str, Any]:
    """Return generation settings, `--gen_kwargs` in them, that mean one thing on every backend.

    hf samples where `do_sample` says so, vLLM and servers where the temperature does.
    Raises: ConfigError where the two contradict each other, or all votes would be the same.
    """
    found = dict(told)
    temperature = float(found.get("temperature") or 0)
    if temperature and votes == 1:
        found["do_sample"] = True
    if not temperature and found.get("do_sample"):
        raise ConfigError(
            f"--gen_kwargs: temperature is 0, and do_sample true{_of(votes)}. Leave temperature "
            f"out (votes: 0.7), or set it above 0; {PREFIX}VOTES=1 asks greedily."
        )
    if votes > 1 and not found.get("do_sample"):
        raise ConfigError(
            f"--gen_kwargs: do_sample is false, so {votes} votes would all be the same. Leave it "
            f"out, or set {PREFIX}VOTES to 1."
        )
    if votes > 1 and found.get("seed") is not None:
        raise ConfigError(
            f"--gen_kwargs: seed is {found['seed']!r}, which servers take for every request, so "
            f"{votes} votes would all be the same. Leave it out."
        )
    return found


def _of(votes: int) -> str:
    return f", so {votes} votes would all be the same" if votes > 1 else ""


def refuse_cache_of_another(backend: Any) -> None:
    """Raise ConfigError where `--use_cache` holds the replies of another model.

    lm-eval's cache knows a reply by its prompt alone, so one judge would be given another's.
    """
    cache = getattr(getattr(backend, "cache_hook", None), "dbdict", None)
    if cache is None:
        return
    mine = model_of(backend)
    known = cache.get(MODEL_KEY, mine if not len(cache) else "a model that it does not name")
    if known != mine:
        raise ConfigError(
            f"--use_cache {getattr(cache, 'filename', '')}: it holds the replies of {known}, and "
            f"this is {mine}, which would be given them. Name another file for each model."
        )
    cache[MODEL_KEY] = mine


def model_of(backend: Any) -> str:
    """Return what tells a backend's model from others: names, and of folders their weights."""
    lora = getattr(getattr(backend, "lora_request", None), "lora_path", None)
    names = [getattr(backend, name, None) for name in ("pretrained", "peft", "delta", "revision")]
    names += [getattr(backend, name, None) for name in ("model", "base_url")]
    args = getattr(backend, "model_args", None) or {}
    names += [args.get("model"), args.get("revision"), lora]
    known = dict.fromkeys(name for name in names if isinstance(name, str) and name)
    return " ".join(map(_with_fingerprint, known)) or type(backend).__name__


def _with_fingerprint(name: str) -> str:
    folder = Path(name)
    is_model = folder.is_dir() and any(folder.glob("*config.json"))
    return f"{name} ({fingerprint(folder)})" if is_model else name
