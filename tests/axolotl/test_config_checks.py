"""What a message tells to do is done: then axolotl's own validation and our plugin take the config.

All configs, as they were and as they are cured, are checked in one start of axolotl.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ste_plugin.fitting.catalogue import recipe_problems
from tests.helpers.axolotl_runs import LORA, ON_A_CPU
from tests.helpers.manifests import written

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

BEST = {"select_best": "judge_acc_pc"}
REWARDED = {"reward_funcs": ["ste_plugin.axolotl.rewards.judge_reward"]}
CURES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "evaluation turned off": (
        {"ste": BEST, "eval_strategy": "no"},
        "Remove eval_strategy, or",
        {"eval_strategy": None},
    ),
    "evaluation turned off, no choice": (
        {"ste": BEST, "eval_strategy": "no"},
        "or remove ste.select_best",
        {"ste": {}},
    ),
    "another metric": (
        {"ste": BEST, "metric_for_best_model": "eval_loss", "eval_steps": 2},
        "set metric_for_best_model: eval_judge_acc_pc",
        {"metric_for_best_model": "eval_judge_acc_pc"},
    ),
    "another metric, removed": (
        {"ste": BEST, "greater_is_better": False, "save_strategy": "best"},
        "Remove the key",
        {"greater_is_better": None},
    ),
    "a checkpoint without its optimizer": (
        {"ste": BEST, "save_only_model": True, "deepspeed": {"zero_optimization": {"stage": 2}}},
        "Set save_only_model: false",
        {"save_only_model": False},
    ),
    "a weight that is gone": (
        {"rl": "dpo", "rpo_alpha": 1.5},
        "dpo_loss_type: [sigmoid, sft] and dpo_loss_weights: [1.0, 1.5]",
        {"rpo_alpha": None, "dpo_loss_type": ["sigmoid", "sft"], "dpo_loss_weights": [1.0, 1.5]},
    ),
    "losses without weights": (
        {"rl": "dpo", "dpo_loss_type": ["sigmoid", "sft"]},
        "Write dpo_loss_weights: [1.0, 1.5]",
        {"dpo_loss_weights": [1.0, 1.5]},
    ),
    "a rate of nothing": (
        {"learning_rate": 0},
        "Write learning_rate: 0.0001",
        {"learning_rate": 0.0001},
    ),
    "no time": ({"num_epochs": 0}, "Write num_epochs: 1", {"num_epochs": 1}),
    "no margin": ({"rl": "simpo"}, "Write simpo_gamma: 0.5", {"simpo_gamma": 0.5}),
    "the orders of a pair apart": (
        {"rl": "grpo", "trl": REWARDED | {"num_generations": 4}, "micro_batch_size": 4},
        "Write gradient_accumulation_steps: 2",
        {"gradient_accumulation_steps": 2},
    ),
    "judgments dealt out to processes": (
        {"rl": "grpo", "trl": REWARDED | {"num_generations": 2, "use_data_producer": True}}
        | {"micro_batch_size": 4},
        "leave judge_reward out of trl.reward_funcs",
        {"trl": {"num_generations": 2, "reward_funcs": ["tests.helpers.axolotl_runs.seen_reward"]}},
    ),
    "rows in their order": (
        {"rl": "kto", "shuffle_merged_datasets": False},
        "set shuffle_merged_datasets: true",
        {"shuffle_merged_datasets": True},
    ),
    "a split of rows": (
        {"ste": {"datasets": "append"}, "val_set_size": 0.1}
        | {"datasets": [{"path": "a/b", "type": "alpaca"}]},
        "Remove the key, and give test_datasets",
        {"val_set_size": None, "test_datasets": [{"path": "a/b", "type": "alpaca"}]},
    ),
    "packed preferences": (
        {"rl": "dpo", "sample_packing": True},
        "Set it to false",
        {"sample_packing": False},
    ),
    "rows prepared elsewhere": (
        {"skip_prepare_dataset": True, "remove_unused_columns": False},
        "Set it to false",
        {"skip_prepare_dataset": False},
    ),
    "a column removed": (
        {"rl": "kto", "remove_unused_columns": True},
        "set remove_unused_columns: false",
        {"remove_unused_columns": False},
    ),
    "a reward model": ({"reward_model": True}, "Remove the key", {"reward_model": None}),
    "a model without a template": (
        {"tokenizer_use_mistral_common": True},
        "Set tokenizer_use_mistral_common: false",
        {"tokenizer_use_mistral_common": False},
    ),
    "streaming beside their own": (
        {"ste": {"datasets": "append"}, "datasets": [{"path": "a/b", "type": "alpaca"}]}
        | {"streaming": True, "max_steps": 2, "val_set_size": 0},
        "set ste.datasets: replace",
        {"ste": {"datasets": "replace"}},
    ),
    "an adapter that merges itself": (
        {"relora": True, "jagged_restart_steps": 1, "jagged_restart_warmup_steps": 1},
        "set ste.merge: false",
        {"ste": {"merge": False}},
    ),
    "a letter amiss": ({"lora_dropuot": 0.1}, "did you mean", {"lora_dropuot": None}),
}


@pytest.fixture(scope="module")
def told(tiny_model, tmp_path_factory) -> dict[str, tuple[list[str], list[str]]]:
    """Name → the problems of the config as it was, and as it is cured."""
    folder = tmp_path_factory.mktemp("cures")
    manifest = {"manifest": str(written(folder / "data", train=3))}
    base = ON_A_CPU | LORA | {"base_model": str(tiny_model), "output_dir": str(folder / "out")}

    def write(name: str, keys: dict[str, Any]) -> Path:
        own = base | keys | {"plugins": ["ste_plugin.axolotl.STEPlugin"]}
        own["ste"] = manifest | keys.get("ste", {})
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in own.items() if v is not None}))
        return path

    before = {name: write(f"{name}, before", bad) for name, (bad, _, _) in CURES.items()}
    after = {name: write(name, bad | cure) for name, (bad, _, cure) in CURES.items()}
    found = recipe_problems([*before.values(), *after.values()], as_given=True)
    return {name: (found[before[name]], found[after[name]]) for name in CURES}


@pytest.mark.parametrize("name", CURES)
def test_the_cure_that_a_message_names_is_one(told, name):
    before, after = told[name]
    _, cure, _ = CURES[name]
    assert any(cure in problem for problem in before), before
    # of what this machine lacks the message says so, and no other cure
    assert [p for p in after if "is not installed beside axolotl" not in p] == []


def test_values_of_other_types_are_axolotls_to_refuse(tiny_model, tmp_path):
    manifest = str(written(tmp_path / "data", train=3))
    odd = {"resume_from_checkpoint": True, "fsdp_config": ["full_shard"], "trl": [1], "rl": "dpo"}
    path = tmp_path / "odd.yaml"
    keys = ON_A_CPU | odd | {"base_model": str(tiny_model), "dpo_loss_weights": 5, "output_dir": 3}
    keys |= {"plugins": ["ste_plugin.axolotl.STEPlugin"], "ste": {"manifest": manifest}}
    path.write_text(yaml.safe_dump(keys))
    told = "\n".join(recipe_problems([path], as_given=True)[path])
    for key in ("fsdp_config", "trl", "resume_from_checkpoint", "output_dir"):
        assert f"axolotl refuses: {key}: " in told


def test_a_config_that_cannot_be_checked_hides_no_other(tiny_model, tmp_path, monkeypatch, capsys):
    from ste_plugin.axolotl import check_recipes

    def fail(cfg):
        if cfg.get("seed") == 1:
            raise RuntimeError("read by nobody")
        return []

    monkeypatch.setattr(check_recipes, "missing", fail)
    manifest = str(written(tmp_path / "data", train=3))
    keys = ON_A_CPU | LORA | {"base_model": str(tiny_model), "output_dir": str(tmp_path / "out")}
    keys |= {"plugins": ["ste_plugin.axolotl.STEPlugin"], "ste": {"manifest": manifest}}
    for seed in (1, 2):
        (tmp_path / f"{seed}.yaml").write_text(yaml.safe_dump(keys | {"seed": seed}))
    check_recipes.main(["--as-given", *(str(tmp_path / f"{seed}.yaml") for seed in (1, 2))])
    answer = capsys.readouterr().out.rpartition("STE ")[2]
    first, second = json.loads(answer).values()
    assert first == ["cannot be checked: RuntimeError: read by nobody"]
    assert second == []
