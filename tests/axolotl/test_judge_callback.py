"""The callback of a training: who hears of the judge's figures, and what it holds on to."""

import weakref
from types import SimpleNamespace

import pytest
import torch
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState
from transformers.trainer_callback import CallbackHandler

from ste_plugin.axolotl import plugin
from ste_plugin.axolotl.judge_callback import JudgeCallback
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.storage.dataset_manifest import DatasetManifest

METRIC = "judge_acc_pc"


def callback_of(folder, trainer) -> JudgeCallback:
    path = folder / "manifest.json"
    manifest = DatasetManifest(path, {"judge_format": {"name": "brief"}, "files": {}})
    callback = JudgeCallback(trainer, [], STESettings(manifest=path), manifest, alike=False)
    callback.measure = lambda: {METRIC: 0.5}
    return callback


@pytest.mark.parametrize("early_stop_first", [True, False])
def test_a_judge_that_gets_no_better_stops_early_whoever_was_added_first(
    tmp_path, early_stop_first
):
    model = torch.nn.Linear(1, 1)
    trainer = SimpleNamespace(model=model, train_dataset=[1], log=lambda _: None)
    callback, stop = callback_of(tmp_path, trainer), EarlyStoppingCallback(1)
    callbacks = [stop, callback] if early_stop_first else [callback, stop]
    handler = trainer.callback_handler = CallbackHandler(callbacks, model, None, None, None)
    handler.train_dataloader = [1]
    args = SimpleNamespace(
        output_dir=tmp_path,
        metric_for_best_model=f"eval_{METRIC}",
        greater_is_better=True,
        load_best_model_at_end=True,
        eval_strategy="steps",
    )
    state, control = TrainerState(best_metric=0.5), TrainerControl()
    handler.on_train_begin(args, state, control)
    assert handler.callbacks.count(callback) == handler.callbacks.count(stop) == 1
    handler.on_evaluate(args, state, control, {"eval_loss": 1.0})
    assert control.should_training_stop


def test_the_trained_model_is_gone_before_its_adapter_is_merged(tmp_path, monkeypatch):
    trainer = SimpleNamespace(model=torch.nn.Linear(1, 1))
    callback, model = callback_of(tmp_path, trainer), weakref.ref(trainer.model)
    callback.merges, callback.ended = (
        True,
        {"steps": 1, "train_loss": 1.0, "moved": True, "finite": True},
    )
    judge, found = plugin.STEPlugin(), []
    judge.callback = callback
    del trainer, callback

    class Merged(Exception):
        """Nothing after the merge is of interest here."""

    def merged(_cfg):
        found.append(model())
        raise Merged

    monkeypatch.setattr(plugin, "merge", merged)
    monkeypatch.setattr(plugin, "leave_others", lambda: None)
    with pytest.raises(Merged):
        judge.post_train_unload(SimpleNamespace(output_dir=str(tmp_path)))
    assert found == [None]
