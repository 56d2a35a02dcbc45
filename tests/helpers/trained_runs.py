"""Runs with the fake judge, and iterations that look trained: a copy of the seed in their place."""

import json
import shutil
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.run.gating import Decision
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.training_manifest import NAME
from tests.helpers.fake_runs import written


def trained_run(folder: Path, tiny_model: Path, iterations: int = 1, **more: object) -> Path:
    """The config of a run that has a pool, and so many judges, all as the config's judge."""
    path = written(folder, tiny_model, iterations=max(1, iterations), **more)
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
        for number in range(1, iterations + 1):
            model = context.folder.iteration(number) / "model"
            shutil.copytree(tiny_model, model / "merged")
            (model / "merged" / "config.json").write_text(
                json.dumps(json.loads((tiny_model / "config.json").read_text()) | {"n": number})
            )
            (model / NAME).write_text(json.dumps({"final": "merged", "data_sha256": {}}))
    return path


def pass_iteration(context: RunContext, number: int, judge: Path) -> None:
    """Have an iteration look trained, with a model of elsewhere as its judge, and passed."""
    folder = context.folder.iteration(number)
    model = folder / "model" / "merged"
    model.parent.mkdir()
    model.symlink_to(judge)
    replace_json(folder / "model" / NAME, {"final": str(model), "data_sha256": {}})
    by = context.config.gates.model_dump(mode="json")
    replace_json(folder / "gates.json", Decision(number, True, 0, (), (), by, ()).to_dict())
