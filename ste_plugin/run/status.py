"""Where a run stands, read from its folder alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.jsonl import read_derived_json
from ste_plugin.storage.run_layout import RunLayout


def read_status(root: Path) -> dict[str, Any]:
    """Return `{"run", "stages": [{"stage", "done", "told"}], "next"}`.

    Raises: DataError where the folder holds no run, or a file of it was changed.
    """
    folder = RunLayout(root)
    if not folder.config.exists():
        raise DataError(
            f"{root}: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one."
        )
    config = read_run_yaml(folder.config)
    stages = [_stage("pool", folder.pool / "done.json", _pool_told)]
    stages.append(_stage("seed evaluated", folder.iteration(0) / "done.json", _measured_told))
    for number in range(1, config.iterations + 1):
        for stage, recipe in enumerate(config.training.recipe, start=1):
            place, name = folder.iteration(number, stage), f"iteration {number}, {recipe}:"
            stages += [
                _stage(f"{name} data set", place / "dataset" / "manifest.json", _rows_told),
                _stage(f"{name} trained", place / "model" / "trained.json", _model_told),
            ]
        done = folder.iteration(number) / "done.json"
        stages.append(_stage(f"iteration {number} evaluated", done, _measured_told))
    waiting = [s["stage"] for s in stages if not s["done"]]
    coming = f"{waiting[0]} (run `ste run` again)" if waiting else "nothing: the run is complete"
    return {"run": str(root), "stages": stages, "next": coming}


def _stage(name: str, marker: Path, told: Callable[[Any], str]) -> dict[str, Any]:
    done = marker.exists()
    return {"stage": name, "done": done, "told": read_derived_json(marker, told) if done else ""}


def _pool_told(done: dict[str, Any]) -> str:
    pairs = ", ".join(f"{n} {name}" for name, n in done["pairs"].items())
    return f"{done['instructions']} instructions; pairs: {pairs}"


def _rows_told(manifest: dict[str, Any]) -> str:
    return ", ".join(f"{name} {f['rows']}" for name, f in manifest["files"].items())


def _model_told(trained: dict[str, Any]) -> str:
    return str(trained["final"])


def _measured_told(done: dict[str, Any]) -> str:
    told = []
    for name, found in done["evaluations"].items():
        headings = {"both orders": "acc_pc", "accuracy": "acc", "final": "final"}
        values = {h: found["overall"].get(metric) for h, metric in headings.items()}
        known = [f"{h} {value:.3f}" for h, value in values.items() if value is not None]
        told.append(f"{name}: {', '.join(known) or 'no labels'}")
    return ", ".join(told)
