"""Configs of the kinds that people share, in our own words, each of a few steps on a tiny model."""

from typing import Any

from tests.helpers.axolotl_runs import LORA, ON_A_CPU

SHORT = ON_A_CPU | {"max_steps": 2, "sequence_len": 1024, "micro_batch_size": 2}
THEIRS = {"datasets": [{"path": "tatsu-lab/alpaca", "type": "alpaca"}], "val_set_size": 0.05}
BEST = {"select_best": "judge_acc_pc", "merge": True}
"""What README's block sets."""
FULL = SHORT | THEIRS | {"learning_rate": 1e-4, "lr_scheduler": "cosine", "warmup_ratio": 0.1}
TUNED = FULL | LORA
FSDP = {
    "fsdp_version": 2,
    "fsdp_config": {
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "state_dict_type": "FULL_STATE_DICT",
        "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    },
}
RELORA = {"relora": True, "jagged_restart_steps": 1, "jagged_restart_warmup_steps": 1}
NLL = {"dpo_loss_type": ["sigmoid", "sft"], "dpo_loss_weights": [1.0, 1.5], "rl_beta": 0.1}
REWARDS = ["ste_plugin.axolotl.rewards.judge_reward"]
TRAINS, OURS, THEIRS_REFUSED = "trains", "ste refuses", "axolotl refuses"

Kind = tuple[str, dict[str, Any]]
"""What the doctor says, and the config."""


def families(models: dict[str, str]) -> dict[str, Kind]:
    """Plain trainings of several families; `models`: family → folder."""
    return {
        f"{family}, LoRA": (TRAINS, TUNED | {"base_model": folder})
        for family, folder in models.items()
    }


ADAPTERS: dict[str, Kind] = {
    "all weights": (TRAINS, FULL),
    "QLoRA": (TRAINS, TUNED | {"adapter": "qlora", "load_in_4bit": True}),
    "LoRA of named modules": (
        TRAINS,
        TUNED | {"lora_target_linear": False, "lora_target_modules": ["q_proj", "v_proj"]},
    ),
    "LoRA of modules that are not there": (
        THEIRS_REFUSED,
        TUNED | {"lora_target_linear": False, "lora_target_modules": ["c_attn", "query_key_value"]},
    ),
    "DoRA": (TRAINS, TUNED | {"peft_use_dora": True}),
    "rsLoRA": (TRAINS, TUNED | {"peft_use_rslora": True}),
    "LoRA+": (TRAINS, TUNED | {"loraplus_lr_ratio": 4}),
    "an adapter that is not there": (THEIRS_REFUSED, TUNED | {"lora_model_dir": "./no/adapter"}),
    "some weights unfrozen": (
        TRAINS,
        FULL | {"unfrozen_parameters": ["^lm_head.weight$", "model.layers.1.+"]},
    ),
    "weights unfrozen that are not there": (
        THEIRS_REFUSED,
        FULL | {"unfrozen_parameters": ["transformer.h.2[0-9]+"]},
    ),
    "NEFTune": (TRAINS, TUNED | {"neftune_noise_alpha": 5}),
    "legacy merge": (TRAINS, TUNED | {"merge_method": "legacy"}),
}
SCHEDULES: dict[str, Kind] = {
    "evals_per_epoch 4, saves_per_epoch 1": (
        TRAINS,
        TUNED | {"ste": BEST, "evals_per_epoch": 4, "saves_per_epoch": 1},
    ),
    "evals_per_epoch 1, saves_per_epoch 4, two epochs": (
        TRAINS,
        TUNED | {"ste": BEST, "evals_per_epoch": 1, "saves_per_epoch": 4, "num_epochs": 2},
    ),
    "eval_steps 1, save_steps 2": (TRAINS, TUNED | {"ste": BEST, "eval_steps": 1, "save_steps": 2}),
    "saving each epoch, evaluating by steps": (
        TRAINS,
        TUNED | {"ste": BEST, "eval_steps": 1, "save_strategy": "epoch"},
    ),
    "saving the best": (TRAINS, TUNED | {"ste": BEST, "eval_steps": 1, "save_strategy": "best"}),
    "early stopping": (
        TRAINS,
        TUNED | {"ste": BEST, "eval_steps": 1, "save_steps": 2, "early_stopping_patience": 3},
    ),
    "early stopping by epochs": (
        THEIRS_REFUSED,
        TUNED | {"evals_per_epoch": 2, "saves_per_epoch": 2, "early_stopping_patience": 3},
    ),
    "the best by its loss": (
        OURS,
        TUNED | {"ste": BEST, "metric_for_best_model": "eval_loss", "greater_is_better": False},
    ),
    "steps and shares of an epoch": (
        THEIRS_REFUSED,
        TUNED | {"eval_steps": 2, "evals_per_epoch": 2},
    ),
}
DATA: dict[str, Kind] = {
    "pretraining": (
        TRAINS,
        FULL | {"pretraining_dataset": [{"path": "allenai/c4", "name": "en", "type": "pretrain"}]},
    ),
    "streaming": (TRAINS, TUNED | {"streaming": True}),
    "curriculum": (TRAINS, TUNED | {"curriculum_sampling": True}),
    "a shard, short rows dropped": (
        TRAINS,
        TUNED | {"dataset_shard_num": 4, "dataset_shard_idx": 1, "min_sample_len": 2000},
    ),
    "packing": (TRAINS, TUNED | {"sample_packing": True, "pad_to_sequence_len": True}),
    "a vision model's text": (
        TRAINS,
        TUNED | {"processor_type": "AutoProcessor", "remove_unused_columns": False},
    ),
    "rows prepared elsewhere": (OURS, TUNED | {"skip_prepare_dataset": True}),
    "on inputs, ChatML": (TRAINS, TUNED | {"train_on_inputs": True, "chat_template": "chatml"}),
    "a template's file that is not there": (
        THEIRS_REFUSED,
        TUNED | {"chat_template": "jinja", "chat_template_jinja": "templates/judge.jinja"},
    ),
    "new tokens, all weights": (TRAINS, FULL | {"tokens": ["<tool_call>", "</tool_call>"]}),
    "a pad token": (TRAINS, TUNED | {"special_tokens": {"pad_token": "<|pad|>"}}),
    "rows too long": (OURS, TUNED | {"sequence_len": 64}),
}
METHODS: dict[str, Kind] = {
    "DPO": (TRAINS, TUNED | NLL | {"rl": "dpo"}),
    "DPO by a weight that is gone": (OURS, TUNED | {"rl": "dpo", "rpo_alpha": 1.0}),
    "DPO, packed": (OURS, TUNED | {"rl": "dpo", "sample_packing": True}),
    "IPO": (TRAINS, TUNED | {"rl": "ipo"}),
    "ORPO": (TRAINS, TUNED | {"rl": "orpo", "orpo_alpha": 0.1, "remove_unused_columns": False}),
    "SimPO": (
        TRAINS,
        TUNED | {"rl": "simpo", "simpo_gamma": 0.5, "cpo_alpha": 1.0, "warmup_ratio": None},
    ),
    "SimPO with a share of warm-up": (
        THEIRS_REFUSED,
        TUNED | {"rl": "simpo", "simpo_gamma": 0.5, "warmup_ratio": 0.1},
    ),
    "KTO": (TRAINS, TUNED | {"rl": "kto", "remove_unused_columns": False}),
    "GRPO": (
        TRAINS,
        TUNED
        | {
            "rl": "grpo",
            "trl": {"num_generations": 2, "max_completion_length": 8, "reward_funcs": REWARDS},
        },
    ),
    "a reward model": (OURS, FULL | {"reward_model": True, "num_labels": 1}),
    "a process reward model": (OURS, FULL | {"process_reward_model": True, "num_labels": 2}),
    "a classifier": (OURS, FULL | {"type_of_model": "AutoModelForSequenceClassification"}),
    "GDPO": (OURS, TUNED | {"rl": "gdpo"}),
}
MACHINES: dict[str, Kind] = {
    "DeepSpeed": (THEIRS_REFUSED, TUNED | {"deepspeed": "deepspeed_configs/zero2.json"}),
    "FSDP of another model": (
        THEIRS_REFUSED,
        FULL
        | FSDP
        | {"fsdp_config": FSDP["fsdp_config"] | {"transformer_layer_cls_to_wrap": "BloomBlock"}},
    ),
    "resuming": (THEIRS_REFUSED, TUNED | {"resume_from_checkpoint": "out/checkpoint-100"}),
    "GaLore": (THEIRS_REFUSED, FULL | {"optimizer": "galore_adamw", "optim_target_modules": ["q"]}),
    "a schedule-free optimizer": (TRAINS, FULL | {"optimizer": "schedule_free_adamw"}),
    "CAME": (THEIRS_REFUSED, FULL | {"optimizer": "came_pytorch"}),
    "a plugin that is not there": (OURS, TUNED | {"plugins": ["nowhere.Plugin"]}),
    "FlashAttention": (THEIRS_REFUSED, TUNED | {"flash_attention": True}),
    "cut cross entropy": (
        THEIRS_REFUSED,
        TUNED | {"plugins": ["axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"]},
    ),
    "LISA": (TRAINS, FULL | {"lisa_n_layers": 1, "lisa_step_interval": 1}),
    "checkpointed gradients": (TRAINS, TUNED | {"gradient_checkpointing": True}),
    "a misspelt key": (OURS, TUNED | {"lora_dropuot": 0.05}),
    "a word for a number": (THEIRS_REFUSED, TUNED | {"learning_rate": "fast"}),
    "W&B offline": (TRAINS, TUNED | {"wandb_project": "judges", "wandb_mode": "offline"}),
    "an old key": (THEIRS_REFUSED, TUNED | {"max_packed_sequence_len": 1024}),
    "ReLoRA": (OURS, TUNED | RELORA),
    "ReLoRA, which merges itself": (TRAINS, TUNED | RELORA | {"ste": {"merge": False}}),
}
ALL: dict[str, Kind] = {**ADAPTERS, **SCHEDULES, **DATA, **METHODS, **MACHINES}


def config(
    keys: dict[str, Any], *, model: str, manifest: str, output: str, prepared: str
) -> dict[str, Any]:
    """Return a config with our plugin as README says to add it."""
    plugins = ["ste_plugin.axolotl.STEPlugin", *keys.get("plugins", [])]
    places = {"base_model": model, "output_dir": output, "dataset_prepared_path": prepared}
    ste = {"manifest": manifest, **keys.get("ste", {})}
    return {**places, **keys, "plugins": plugins, "ste": ste}
