"""Going on from a checkpoint: only from one of the same rows, base model and first adapter.

axolotl's `auto_resume_from_checkpoints` takes the last checkpoint in `output_dir`, whatever that
was trained on, and `trained.json` would name the rows of the latest start alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ste_plugin.axolotl.settings import AxolotlConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.training_manifest import digest_files, read_training_manifest

NAME = "ste_checkpoint.json"
"""In each checkpoint, written last: what it was trained on, and from."""

_KEYS = {
    *("data_sha256", "base_model", "base_fingerprint", "base_revision", "first_adapter"),
    "trained_on",
}

Origin = Mapping[str, Any]
"""What a training is made of: see `origin_of`."""


def origin_of(cfg: AxolotlConfig, data_sha256: Mapping[str, str]) -> dict[str, Any]:
    """Return what a training is made of, told before it: rows, base model, and first adapter."""
    base = Path(cfg["base_model"])
    return {
        "data_sha256": dict(data_sha256),
        "base_model": str(cfg["base_model"]),
        "base_fingerprint": fingerprint(base) if base.is_dir() else None,
        "base_revision": cfg.get("revision_of_model"),
        "first_adapter": first_adapter(cfg),
    }


def first_adapter(cfg: AxolotlConfig) -> dict[str, Any] | None:
    """Return which adapter a training goes on with, or None where it makes a new one.

    `seal`: hashes of its files, none of one on the hub. `data_sha256`: what it was trained on,
    where a training of ours left it.
    """
    if not (cfg.get("adapter") and cfg.get("lora_model_dir")):
        return None
    folder = Path(str(cfg["lora_model_dir"]))
    if not folder.is_dir():
        return {"lora_model_dir": str(folder), "seal": None, "data_sha256": None}
    seal = {name: h for name, h in digest_files(folder).items() if name.startswith("adapter_")}
    done = read_training_manifest(folder) or {}
    return {
        "lora_model_dir": str(folder),
        "seal": seal,
        "data_sha256": done.get("data_sha256"),
    }


def find_resumed(cfg: AxolotlConfig) -> Path | None:
    """Return the checkpoint that axolotl will go on from, as it chooses it (0.19, 0.21)."""
    if named := cfg.get("resume_from_checkpoint"):
        return Path(str(named))
    if not cfg.get("auto_resume_from_checkpoints"):
        return None
    found = Path(str(cfg["output_dir"])).glob("checkpoint-*")
    numbered = [path for path in found if path.name.rpartition("-")[2].isdigit()]
    return max(numbered, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def check_resumed(cfg: AxolotlConfig, now: Origin) -> None:
    """Return if the checkpoint to go on from, if any, is of this training.

    `now`: what this training is made of; only what it names is compared.
    Raises: DataError where the checkpoint was trained on, or from, something else, or does not say.
    """
    if (checkpoint := find_resumed(cfg)) is None:
        return
    named = bool(cfg.get("resume_from_checkpoint"))
    begun = f"{checkpoint}: the training would go on from there, but"
    if (record := _read(checkpoint)) is None:
        cure = (
            "Name another one, or remove the key resume_from_checkpoint."
            if named
            else f"Remove {checkpoint}: then an earlier one is taken, or it trains from the start."
        )
        raise DataError(
            f"{begun} nothing says what it was trained on (no {NAME}): it was not saved whole, or "
            f"by an older ste-plugin, or without it. {cure}"
        )
    for key, what, show, otherwise in _COMPARED:
        if key in now and what(record) != what(now):
            cure = (
                "Remove the key resume_from_checkpoint, or name a checkpoint of this training."
                if named
                else "Set another output_dir, or remove the folders checkpoint-* in "
                f"{cfg['output_dir']}, to train from the start."
            )
            raise DataError(
                f"{begun} {otherwise}: found {show(record)}, expected {show(now)}. trained.json "
                f"would name the latter alone. {cure}"
            )


def _read(checkpoint: Path) -> Origin | None:
    path = checkpoint / NAME
    content = read_json(path) if path.is_file() else None
    return content if isinstance(content, dict) and content.keys() >= _KEYS else None


def _files(origin: Origin) -> Any:
    return origin["data_sha256"]


def _base(origin: Origin) -> Any:
    """A folder is known by its weights, wherever it lies; one of the hub by its revision, too."""
    return origin["base_fingerprint"] or (origin["base_model"], origin["base_revision"])


def _adapter(origin: Origin) -> Any:
    """A folder is known by its weights, wherever it lies."""
    adapter = origin["first_adapter"]
    return adapter and (adapter["seal"] or adapter["lora_model_dir"])


def _rows(origin: Origin) -> Any:
    return origin["trained_on"]


def _show_files(origin: Origin) -> str:
    shown = (f"{name} {digest[:12]}" for name, digest in sorted(_files(origin).items()))
    return ", ".join(shown) or "no file of a manifest"


def _show_rows(origin: Origin) -> str:
    rows = _rows(origin)
    return f"{rows['rows']} rows ({str(rows['sha256'])[:12]})"


def _show_base(origin: Origin) -> str:
    which = origin["base_fingerprint"] or origin["base_revision"] or "no revision named"
    return f"{origin['base_model']} ({which})"


def _show_adapter(origin: Origin) -> str:
    adapter = origin["first_adapter"]
    return str(adapter["lora_model_dir"]) if adapter else "none"


_COMPARED: tuple[tuple[str, Callable[[Origin], Any], Callable[[Origin], str], str], ...] = (
    ("data_sha256", _files, _show_files, "it was trained on other rows"),
    ("base_model", _base, _show_base, "it was trained from another base model"),
    ("first_adapter", _adapter, _show_adapter, "its training began with another lora_model_dir"),
    ("trained_on", _rows, _show_rows, "it was trained on other rows"),
)
"""What must be the same: its key, how it is compared and shown, and what is told otherwise."""


class CheckpointRecords(TrainerCallback):  # type: ignore[misc]
    """Writes into each checkpoint what it was trained on; the first of all processes does it."""

    def __init__(self, origin: Origin | None, resumed: Path | None) -> None:
        """`origin`: None in all other processes. `resumed`: the checkpoint that was checked."""
        self.origin, self.resumed = origin, resumed

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Raise ConfigError where a training goes on from a checkpoint that nobody has checked."""
        if state.global_step and self.resumed is None:
            raise ConfigError(
                f"The training goes on from step {state.global_step}, but the config names no "
                "checkpoint, so that nothing tells whether that was trained on these rows. Set "
                "resume_from_checkpoint to the checkpoint's folder."
            )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write it into the checkpoint that was just saved."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.origin is not None and state.is_world_process_zero and folder.is_dir():
            replace_json(folder / NAME, dict(self.origin))
