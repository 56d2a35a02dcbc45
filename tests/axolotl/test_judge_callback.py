"""The callback of a training: who hears of the judge's figures, and what it holds on to."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState
from transformers.trainer_callback import CallbackHandler

from ste_plugin.axolotl.held_out import Answer
from ste_plugin.axolotl.judge_callback import JudgeCallback, judge_callback
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from tests.helpers.manifests import written
from tests.helpers.tiny_model import tiny_tokenizer

METRIC = "judge_acc_pc"


def callback_of(folder, trainer) -> JudgeCallback:
    path = folder / "manifest.json"
    manifest = DatasetManifest(path, {"judge_format": {"name": "brief"}, "files": {}})
    callback = JudgeCallback(trainer, [], STESettings(manifest=path), manifest, alike=False, room=1)
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


@pytest.mark.parametrize(
    ("micro", "sequence_len", "most"), [(1, 60, 1), (4, 120, 5), (64, 4096, 8)]
)
def test_held_out_prompts_are_judged_by_as_many_tokens_as_a_batch_of_the_training_has(
    tmp_path, micro, sequence_len, most
):
    path = written(tmp_path, train=1, dev=9, edit=longer_and_longer)
    model = torch.nn.Linear(1, 1)
    trainer = SimpleNamespace(
        model=model, processing_class=tiny_tokenizer(), compute_loss_context_manager=nullcontext
    )
    cfg = {"micro_batch_size": micro, "sequence_len": sequence_len}
    callback = judge_callback(trainer, cfg, STESettings(manifest=path), read_manifest(path))
    widths = []

    def judge(prompts):
        template = callback.template
        texts = [template.answer_prompt(p.messages, p.opening) for p in prompts]
        widths.append([len(template.encode(text)) for text in texts])
        return [Answer(p.gold) for p in prompts]

    callback.load_judge = lambda: judge
    assert callback.measure()["judge_acc"] == 1
    assert sum(map(len, widths)) == 18
    assert all(len(w) == 1 or len(w) * max(w) <= micro * sequence_len for w in widths)
    assert max(map(len, widths)) == most


def longer_and_longer(name: str, rows: list[dict]) -> list[dict]:
    """Make each held-out prompt longer than the one before."""
    if name == "judge-dev":
        for n, row in enumerate(rows):
            row["messages"][0]["content"] += " fig" * n
    return rows
