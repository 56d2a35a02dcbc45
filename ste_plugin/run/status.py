"""Where a run stands, read from its folder alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ste_plugin.errors import DataError
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.followed import Followed, read_followed
from ste_plugin.storage.jsonl import read_derived_json
from ste_plugin.storage.run_layout import RunLayout


def read_status(root: Path) -> dict[str, Any]:
    """Return `{"run", "stages": [{"stage", "done", "told"}], "followed", "next"}`.

    `followed` has what `stages` have of each round of `ste follow`.

    Raises: DataError where the folder holds no run, or a file of it was changed.
    """
    folder = RunLayout(root)
    if not folder.config.exists():
        raise DataError(
            f"{root}: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one."
        )
    config = read_run_yaml(folder.config)
    stages = [_stage("pool", folder.pool / "done.json", _describe_pool)]
    stages.append(_stage("seed evaluated", folder.iteration(0) / "done.json", _describe_figures))
    for number in range(1, config.iterations + 1):
        for stage, recipe in enumerate(config.training.recipe, start=1):
            files, name = folder.iteration(number, stage), f"iteration {number}, {recipe}:"
            stages += [
                _stage(f"{name} data set", files / "dataset" / "manifest.json", _describe_rows),
                _stage(
                    f"{name} trained", files / "model" / "trained.json", _describe_model, _has_steps
                ),
            ]
        done = folder.iteration(number) / "done.json"
        stages.append(_stage(f"iteration {number} evaluated", done, _describe_figures))
    waiting = [s["stage"] for s in stages if not s["done"]]
    next_step = f"{waiting[0]} (run `ste run` again)" if waiting else "nothing: the run is complete"
    followed = [_followed(root, each) for each in read_followed(root)]
    return {"run": str(root), "stages": stages, "followed": followed, "next": next_step}


def _followed(root: Path, followed: Followed) -> dict[str, Any]:
    """Return the state of a round of `ste follow`."""
    told = f"{followed.folder(root)}: run `ste follow {followed.checkpoint}` again"
    if followed.drift is not None:
        told = f"{followed.drift['model']} is the judge"
        if not followed.drift["taken"]:
            told = f"not taken: the judge stays that of {followed.judge}"
    name = f"round {followed.round}, {followed.checkpoint}"
    return {"stage": name, "done": followed.drift is not None, "told": told}


def _stage(
    name: str,
    marker: Path,
    describe: Callable[[Any], str],
    counts: Callable[[Any], bool] = lambda _: True,
) -> dict[str, Any]:
    """Return the state of a stage, which is done once its marker is there, if that counts."""
    done = marker.exists() and read_derived_json(marker, counts)
    description = read_derived_json(marker, describe) if done else ""
    return {"stage": name, "done": done, "told": description}


def _describe_pool(done: dict[str, Any]) -> str:
    pairs = ", ".join(f"{n} {name}" for name, n in done["pairs"].items())
    ended = "; the budget ended it" if done.get("ended_by_budget") else ""
    return f"{done['instructions']} instructions; pairs: {pairs}{ended}"


def _describe_rows(manifest: dict[str, Any]) -> str:
    return ", ".join(f"{name} {file['rows']}" for name, file in manifest["files"].items())


def _describe_model(trained: dict[str, Any]) -> str:
    return str(trained["final"])


def _has_steps(trained: dict[str, Any]) -> bool:
    """Return whether a training took a step: one without made no judge."""
    return bool(trained.get("steps") != 0)


def _describe_figures(done: dict[str, Any]) -> str:
    headings = {"both orders": "acc_pc", "accuracy": "acc", "final": "final"}
    descriptions = []
    for name, figures in done["evaluations"].items():
        values = {h: figures["overall"].get(metric) for h, metric in headings.items()}
        known = [f"{h} {value:.3f}" for h, value in values.items() if value is not None]
        descriptions.append(f"{name}: {', '.join(known) or 'no labels'}")
    told = ", ".join(descriptions)
    broken = [words.partition(":")[0] for words in done.get("broken", ())]
    return f"{told}; breaks {', '.join(dict.fromkeys(broken))}: not shipped" if broken else told
