"""Holding the merged model against the one that was trained: is it the same judge?"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ste_plugin.axolotl.held_out import HeldOutPrompt
from ste_plugin.axolotl.measure_model import NO_MEMORY, last_log_probabilities
from ste_plugin.axolotl.processes import without_launcher
from ste_plugin.axolotl.strategies import messages_of
from ste_plugin.axolotl.token_checks import prompt_turns
from ste_plugin.axolotl.unmerged import Answers
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.errors import HostError
from ste_plugin.records import ORDERS
from ste_plugin.storage.dataset_manifest import DatasetManifest
from ste_plugin.text.redaction import redact

PROMPTS = 8
"""As many are compared."""
_TOLERANCES = {"float32": 0.001, "float16": 0.1, "bfloat16": 0.5, "quantized": 1.0}
"""Kind of weights → the largest difference of a log-probability that rounding makes."""
_CURE = (
    "The adapter is whole, in {folder}: merge it elsewhere, or, outside of a run, which needs a "
    "merged judge, set ste.merge: false to keep it as it is; with {method} merged, it is not the "
    "judge that was trained."
)


def questions(
    manifest: DatasetManifest,
    held_out: Sequence[HeldOutPrompt],
    template: ChatTemplate,
    rows: str,
    choices: Iterable[str] = ORDERS,
) -> list[tuple[list[int], list[int]]]:
    """Return the first held-out prompts, each with the tokens of the choices behind it.

    Where no pair is held out, the prompts of training rows, without choices.
    """
    if held_out:
        texts = [template.answer_prompt(p.messages, p.opening) for p in held_out[:PROMPTS]]
    else:
        trained_on = islice(manifest.rows(f"{rows}-train"), PROMPTS)
        texts = [template.prompt(messages_of(prompt_turns(row, rows))) for _, row in trained_on]
    due = tuple(choices) if held_out else ()
    return [(template.encode(text), _tokens(template, text, due)) for text in texts]


def _tokens(template: ChatTemplate, text: str, choices: Iterable[str]) -> list[int]:
    ids = template.encode(text)
    tokens = [added_token(ids, template.encode(text + choice)) for choice in choices]
    return [token for token in tokens if token is not None]


def answers(model: Any, asked: Sequence[tuple[list[int], list[int]]]) -> Answers:
    """Return what a model, in evaluation and without gradients, says behind prompts."""
    told = Answers([], [], [])
    for prompt, letters in asked:
        likelihoods = last_log_probabilities(model, prompt)
        watched = letters or likelihoods.topk(len(ORDERS)).indices.tolist()
        told.prompts.append(prompt)
        told.watched.append(watched)
        told.found.append(likelihoods[watched].tolist())
    return told


def check_merged(told: Answers, final: Path, method: str, cfg: Any) -> dict[str, Any]:
    """Return what the training's manifest says of a merge, once it is found right.

    Raises: HostError where the merged model says something else than the trained one.
    """
    record: dict[str, Any] = {"method": method, "prompts": len(told.prompts)}
    found = measure(final, told, trusted=bool(cfg.trust_remote_code)) if told.prompts else None
    if found is None:
        why = "it does not fit into memory" if told.prompts else "there are no prompts"
        return record | {"prompts": 0, "difference": None, "not_checked": why}
    difference, allowed = largest_difference(told.found, found), tolerance(cfg, final)
    if not difference <= allowed:
        raise HostError(
            f"{final}: the merged model is not the one that was trained: a log-probability differs "
            f"by {difference:.3g} (on {len(told.prompts)} prompts; expected at most {allowed:g}). "
            + _CURE.format(folder=final.parent, method=f"merge_method: {method}")
        )
    return record | {"difference": difference}


def largest_difference(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    """Return the largest difference of two tables of numbers; NaN where a number is."""
    pairs = [(a, b) for p, q in zip(one, other, strict=True) for a, b in zip(p, q, strict=True)]
    differences = [abs(a - b) for a, b in pairs]
    return math.nan if any(map(math.isnan, differences)) else max(differences)


def tolerance(cfg: Any, final: Path) -> float:
    """Return the largest difference that a right merge may make, by what the weights were."""
    if cfg.load_in_4bit or cfg.load_in_8bit:
        return _TOLERANCES["quantized"]
    config = json.loads((final / "config.json").read_bytes())
    config |= config.get("text_config") or {}
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    trained = {
        "bfloat16": cfg.bf16 or cfg.bfloat16,
        "float16": cfg.fp16 or cfg.float16 or cfg.tf32,
    }
    kinds = [stored, *(kind for kind, is_on in trained.items() if is_on)]
    return max(_TOLERANCES.get(kind, 0.0) for kind in kinds) or _TOLERANCES["bfloat16"]


def measure(folder: Path, told: Answers, *, trusted: bool) -> list[list[float]] | None:
    """Return what a model's folder says of the same tokens, or None where it does not fit.

    It is loaded on the GPUs, else in memory.
    Raises: HostError where it cannot be loaded.
    """
    asked = {
        "model": str(folder),
        "prompts": told.prompts,
        "watched": told.watched,
        "trust_remote_code": trusted,
    }
    for device in ["auto", "cpu"] if _free_gpu() else ["cpu"]:
        done = _run(asked | {"device": device})
        _, found, line = done.stdout.rpartition("\nSTE ")
        if done.returncode == 0 and found:
            return list(json.loads(line))
    if done.returncode in (NO_MEMORY, -9):
        return None
    last = redact(next(iter(done.stderr.strip().splitlines()[::-1]), "no message"))
    raise HostError(
        f"{folder}: the merged model cannot be loaded, so it is no judge: {last}\nThe adapter is "
        f"whole, in {folder.parent}; outside of a run, which needs a merged judge, set ste.merge: "
        "false to keep it as it is."
    )


def _run(asked: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ste_plugin.axolotl.measure_model"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env=without_launcher(os.environ),
    )


def _free_gpu() -> bool:
    """Return whether there are GPUs, once the training's memory there is given back."""
    import torch

    if not torch.cuda.is_available():
        return False
    torch.cuda.empty_cache()
    return True
