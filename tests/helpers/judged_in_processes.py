"""A transformers training with the judge's callback.

In several processes axolotl places weights on GPUs, so that on a CPU its trainer must do (0.19).
"""

import json
import os
from pathlib import Path

import yaml


def train(config: Path, rank: int) -> None:
    """Train one step of no size by an axolotl config; write this process's figures."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

    from ste_plugin.axolotl.judge_callback import judge_callback
    from ste_plugin.axolotl.settings import read_settings
    from ste_plugin.storage.dataset_manifest import read_manifest

    cfg = yaml.safe_load(config.read_text())
    tokenizer = AutoTokenizer.from_pretrained(cfg["base_model"])
    ids = tokenizer("A fig.")["input_ids"]
    rows = [{"input_ids": ids, "labels": ids}] * 8
    args = TrainingArguments(
        cfg["output_dir"],
        use_cpu=True,
        max_steps=1,
        per_device_train_batch_size=1,
        learning_rate=0.0,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="no",
        report_to=[],
        ddp_backend="gloo" if "WORLD_SIZE" in os.environ else None,
    )
    model = AutoModelForCausalLM.from_pretrained(cfg["base_model"])
    trainer = Trainer(
        model, args, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer
    )
    settings = read_settings(cfg)
    callback = judge_callback(trainer, cfg, settings, read_manifest(settings.manifest))
    trainer.add_callback(callback)
    trainer.train()
    found = {"world": args.world_size, "judge": callback.last}
    config.with_suffix(f".{rank}.json").write_text(json.dumps(found))
