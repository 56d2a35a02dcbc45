"""The plugin in real trainings: configs as people write them, on a tiny model."""

import json
from pathlib import Path

import pytest
import yaml

from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.training_manifest import find_trained_model, read_training_manifest
from tests.helpers import fake_runs
from tests.helpers.axolotl_runs import LORA, ON_A_CPU, train_all
from tests.helpers.fake_runs import SPLITS, generated
from tests.helpers.manifests import written

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

MIXED = "mixed_run/run/iter-01/dataset/manifest.json"
"""Of a data set whose rows are half in one judge format, half in another."""
BEFORE = {"steps": -1, "final": "merged"}
"""A completion manifest of an earlier training."""


def letters_as_prompts(name: str, rows: list[dict]) -> list[dict]:
    """Make every prompt its own answer."""
    for row in rows:
        if name.startswith(("sft", "judge")):
            row["messages"][0]["content"] = row["better_is"] * 4
    return rows


def own_alpaca(path: Path) -> list[dict]:
    rows = [{"instruction": f"Say fruit {n}.", "input": "", "output": "A fig."} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [{"path": str(path), "type": "alpaca"}]


def own_preferences(path: Path) -> list[dict]:
    def turn(role: str, content: str) -> dict:
        return {"role": role, "content": content}

    rows = [
        {
            "messages": [turn("user", f"Say fruit {n}.")],
            "chosen": turn("assistant", "A fig."),
            "rejected": turn("assistant", "A spade."),
        }
        for n in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [
        {"path": str(path), "ds_type": "json", "type": "chat_template.default", "split": "train"}
    ]


def configs(folder: Path) -> dict[str, dict]:
    """Name → keys of a config, `ste` among them."""
    alpaca, preferences = own_alpaca(folder / "a.jsonl"), own_preferences(folder / "p.jsonl")
    nll = {"rl_beta": 0.1, "dpo_loss_type": ["sigmoid", "sft"], "dpo_loss_weights": [1.0, 1.5]}
    rewards = ["tests.helpers.axolotl_runs.seen_reward", "ste_plugin.axolotl.rewards.judge_reward"]
    grpo = {"beta": 0.01, "num_generations": 2, "max_completion_length": 8, "reward_funcs": rewards}
    by_accuracy = {"manifest": str(folder / "letters/manifest.json"), "select_best": "judge_acc"}
    ranks = {"ste": {"judge_pairs": 3, "judge_batch_size": 2}}
    return {
        "lora_sft": LORA
        | {
            "ste": {"select_best": "judge_acc"},
            "datasets": alpaca,
            "val_set_size": 0.05,
            "num_epochs": 2,
            "wandb_project": "judge",
            "wandb_mode": "offline",
        },
        "best": {
            # too slow to change a verdict: of equals the first is the best, and the last is not it
            "ste": by_accuracy,
            "eval_steps": 3,
            "learning_rate": 1e-8,
            "lr_scheduler": "constant",
            "save_total_limit": 10,
        },
        "packed": {"ste": {"datasets": "append"}, "datasets": alpaca, "sample_packing": True},
        "dpo": {"rl": "dpo", **nll, "learning_rate": 0.001},
        "dpo_own": LORA
        | {
            "ste": {"datasets": "append", "select_best": "judge_acc"},
            "rl": "dpo",
            "datasets": preferences,
            "chat_template": "tokenizer_default",
            "early_stopping_patience": 1,
            "eval_steps": 2,
            "save_steps": 2,
            "learning_rate": 1e-9,
        },
        "kto": LORA | {"ste": {"select_best": "judge_acc_pc"}, "rl": "kto", "evals_per_epoch": 2},
        "grpo": LORA | {"rl": "grpo", "trl": grpo, "max_steps": 2},
        "qlora": LORA | {"adapter": "qlora", "load_in_4bit": True, "max_steps": 2},
        "written": {
            "ste": {"judge_by": "generation", "judge_max_new_tokens": 4, "judge_pairs": 2},
            "max_steps": 1,
        },
        "validated_deepspeed": {
            "ste": {"select_best": "judge_acc"},
            "rl": "dpo",
            "deepspeed": {
                "zero_optimization": {"stage": 3},
                "train_micro_batch_size_per_gpu": "auto",
            },
        },
        "mixed": {"ste": {"manifest": str(folder / MIXED)}, "sequence_len": 2048, "max_steps": 2},
        "interrupted": {"num_epochs": 200, "saves_per_epoch": 0},
        "ranks_1": ranks,
        "ranks_4": ranks,
        "tied": LORA | {"lora_modules_to_save": ["embed_tokens", "lm_head"], "max_steps": 3},
        "pissa": LORA | {"peft_init_lora_weights": "pissa", "max_steps": 2},
        "no_batch": {"sample_packing": True, "sequence_len": 4096, "micro_batch_size": 64},
        "unmoved": {"learning_rate": 1e-60, "max_steps": 2},
        "unrewarded": LORA
        | {"rl": "grpo", "trl": grpo | {"reward_funcs": rewards[1:]}, "max_steps": 1},
        "diverged": {"learning_rate": 1e30, "max_steps": 3},
        "short_rows": {"min_sample_len": 215, "max_steps": 2},
        "missing_plugin": {"plugins": ["ste_plugin.axolotl.STEPlugin", "nowhere.Plugin"]},
        "typo": {"ste": {"selct_best": "judge_acc"}},
    }


def write_config(folder: Path, model: Path, name: str, keys: dict) -> Path:
    ste = {"manifest": str(folder / "fruit/manifest.json")} | keys.get("ste", {})
    settings = {
        **ON_A_CPU,
        "base_model": str(model),
        "plugins": ["ste_plugin.axolotl.STEPlugin"],
        "output_dir": str(folder / name),
        "dataset_prepared_path": str(folder / "prepared" / name),
        **keys,
        "ste": ste,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory):
    """(folder with an output folder for every config, name → exit code)."""
    folder = tmp_path_factory.mktemp("axolotl")
    written(folder / "fruit", train=12, dev=4)
    written(folder / "letters", train=60, dev=8, edit=letters_as_prompts)
    (folder / "mixed_run").mkdir()
    generated(
        fake_runs.written(folder / "mixed_run", tiny_model, dataset=SPLITS | {"verdict_share": 0.5})
    )
    for name in ("interrupted", "dpo"):
        (folder / name).mkdir()
        (folder / name / "trained.json").write_text(json.dumps(BEFORE))
    paths = [write_config(folder, tiny_model, n, keys) for n, keys in configs(folder).items()]
    return folder, train_all(paths)


TRAINED = [
    *("lora_sft", "best", "packed", "dpo", "dpo_own", "kto", "grpo", "qlora", "written", "tied"),
    *("pissa", "mixed"),
]


def log_of(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(errors="replace")


def state(folder: Path, name: str) -> dict:
    """The trainer's state at the last checkpoint."""
    last = max((folder / name).glob("checkpoint-*"), key=lambda p: int(p.name.partition("-")[2]))
    return json.loads((last / "trainer_state.json").read_text())


def history(folder: Path, name: str, key: str) -> dict[int, float]:
    """Step → figure, as the trainer and its trackers were told."""
    return {row["step"]: row[key] for row in state(folder, name)["log_history"] if key in row}


def weights(folder: Path) -> dict:
    from safetensors.torch import load_file

    return {k: v for path in folder.glob("*.safetensors") for k, v in load_file(path).items()}


def differ(one: dict, other: dict) -> bool:
    return any(not one[key].equal(other[key]) for key in one)


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_ends_with_a_whole_model_that_learnt(runs, tiny_model, name):
    folder, codes = runs
    assert codes[name] == 0, log_of(folder, name)[-2000:]
    final = find_trained_model(folder / name)
    assert final == (folder / name / ("merged" if name in LORA_RUNS else "")).resolve()
    now, before = weights(final), weights(tiny_model)
    assert set(now) == set(before) | ({"lm_head.weight"} if name == "tied" else set())
    if name not in ("grpo", "written"):  # whose loss or learning rate is 0 at the start
        assert differ(before, now)


LORA_RUNS = ["lora_sft", "dpo_own", "kto", "grpo", "qlora", "tied", "pissa"]


@pytest.mark.parametrize("name", TRAINED)
def test_what_was_trained_on_what_is_written_down(runs, tiny_model, name):
    folder, _ = runs
    done = read_training_manifest(folder / name)
    data = {"best": "letters", "mixed": Path(MIXED).parent}.get(name, "fruit")
    manifest = read_manifest(folder / data)
    rows = name.partition("_")[0] if name.startswith(("dpo", "kto", "grpo")) else "sft"
    files = (f"{rows}-train", f"{rows}-dev", "judge-dev", "judge-test")
    assert done["data_sha256"] == manifest.sha256(*files)
    assert done["base_model"] == str(tiny_model)
    assert done["judge_format"] == manifest.judge_format
    assert done["merged"] is (name in LORA_RUNS)
    assert done["steps"] == state(folder, name)["global_step"] > 0
    assert 0 <= done["judge"]["judge_acc"] <= 1
    assert len({read_training_manifest(folder / n)["config_sha256"] for n in TRAINED}) == len(
        TRAINED
    )


@pytest.mark.parametrize("name", ["lora_sft", "best", "dpo_own", "kto"])
def test_the_judges_figures_are_logged_with_every_evaluation(runs, name):
    folder, _ = runs
    measured = history(folder, name, "eval_judge_acc")
    assert set(history(folder, name, "eval_loss")) <= set(measured)
    for key in ("eval_judge_acc_pc", "eval_judge_pos_bias", "eval_judge_invalid_rate"):
        assert set(history(folder, name, key)) == set(measured)


@pytest.mark.parametrize("name", ["lora_sft", "best", "dpo_own", "kto"])
def test_the_checkpoint_that_judged_best_is_kept(runs, name):
    folder, _ = runs
    key = "judge_acc_pc" if name == "kto" else "judge_acc"
    figures, done = history(folder, name, f"eval_{key}"), read_training_manifest(folder / name)
    figures.pop(0, None)
    best = max(figures, key=lambda step: (figures[step], -step))
    assert done["best_checkpoint"] == {"step": best, "metric": figures[best]}
    assert done["judge"][key] == figures[best]


def test_the_best_weights_are_those_of_its_checkpoint_and_not_the_last(runs):
    folder, _ = runs
    figures, done = (
        history(folder, "best", "eval_judge_acc"),
        read_training_manifest(folder / "best"),
    )
    last, best = max(figures), done["best_checkpoint"]["step"]
    assert best < last
    final = weights(folder / "best")
    assert not differ(final, weights(folder / "best" / f"checkpoint-{best}"))
    assert differ(final, weights(folder / "best" / f"checkpoint-{last}"))


def test_replace_trains_on_the_manifests_rows_alone(runs):
    folder, _ = runs
    rows = read_manifest(folder / "fruit").count("sft-train")
    assert read_training_manifest(folder / "lora_sft")["steps"] == rows / 4 * 2


def test_append_trains_the_users_own_rows_beside_ours(runs):
    from datasets import load_from_disk
    from transformers import AutoTokenizer

    folder, _ = runs
    prepared = (folder / "prepared/packed").glob("*/dataset_info.json")
    sets = [load_from_disk(str(path.parent))["input_ids"] for path in prepared]
    tokenizer = AutoTokenizer.from_pretrained(folder / "packed")
    texts = tokenizer.batch_decode(list(max(sets, key=len)))
    assert sum("Say fruit" in text for text in texts) == 20
    assert sum("Name a fruit" in text for text in texts) == 24


def test_appended_preferences_are_trained_beside_ours_until_nothing_gets_better(runs):
    folder, _ = runs
    ended = state(folder, "dpo_own")
    assert ended["max_steps"] == (8 + 24) / 4
    assert ended["global_step"] == 4


@pytest.mark.parametrize("name", LORA_RUNS)
def test_the_merged_judge_is_the_one_that_was_trained(runs, name):
    folder, _ = runs
    merged = read_training_manifest(folder / name)["merge"]
    assert merged["method"] == ("legacy" if name in ("tied", "pissa") else "memory_efficient")
    assert merged["prompts"] == 8
    assert 0 <= merged["difference"] < (1 if name == "qlora" else 1e-3)


def test_a_merge_by_another_method_than_axolotls_says_why(runs):
    folder, _ = runs
    told = "lm_head.weight belongs to no weight in the base's files"
    assert told in log_of(folder, "tied")
    assert "merge_method: memory_efficient → legacy, as the adapter has init_lora" in log_of(
        folder, "pissa"
    )


@pytest.mark.parametrize("name", TRAINED)
def test_the_rows_that_the_trainer_had_are_written_down(runs, name):
    folder, _ = runs
    trained_on = read_training_manifest(folder / name)["trained_on"]
    own = {"packed": 20, "dpo_own": 8}.get(name, 0)
    ours = {"best": 120, "kto": 48, "mixed": 224}.get(name, 24)
    assert trained_on["rows"] == ours + own
    same = [n for n in TRAINED if n in ("lora_sft", "qlora", "written", "tied", "pissa")]
    if name in same:
        hashes = {read_training_manifest(folder / n)["trained_on"]["sha256"] for n in same}
        assert len(hashes) == 1
        assert None not in hashes


def test_what_would_drop_rows_is_left_out_where_our_rows_replace_all_others(runs):
    folder, codes = runs
    assert codes["short_rows"] == 0
    assert read_training_manifest(folder / "short_rows")["trained_on"]["rows"] == 24


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_batch", "pack(s) of 24 rows make no batch: micro_batch_size 64"),
        ("unmoved", "after 2 step(s) all trained weights are as they were"),
        ("diverged", "it diverged: its loss or weights are not finite"),
        ("unrewarded", "the judgments of each prompt all earned the same (on average 0.00)"),
    ],
)
def test_a_training_that_made_no_judge_ends_with_an_error_and_without_its_manifest(
    runs, name, told
):
    folder, codes = runs
    assert codes[name] == 1
    assert told in log_of(folder, name)
    assert read_training_manifest(folder / name) is None


@pytest.mark.parametrize("name", ["lora_sft", "dpo", "qlora"])
def test_the_last_line_tells_the_figures_of_the_judge_that_is_kept(runs, name):
    folder, _ = runs
    lines = [line for line in log_of(folder, name).splitlines() if "wandb" not in line]
    judge = read_training_manifest(folder / name)["judge"]
    assert f"ste: the judge is in {folder / name}" in lines[-1]
    for figure in judge.items():
        assert "{} {:.3f}".format(*figure) in lines[-1]


def test_the_figures_reach_the_users_tracker(runs):
    folder, _ = runs
    (run,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    assert b"eval/judge_acc" in run.read_bytes()


def test_both_orders_of_a_pair_come_in_one_batch(runs):
    folder, _ = runs
    found = [json.loads(line) for line in (folder / "batches.jsonl").read_text().splitlines()]
    assert len(found) == 2
    for batch in found:
        letters = {pair: {letter for p, letter in batch if p == pair} for pair, _ in batch}
        assert all(seen == {"A", "B"} for seen in letters.values())
    assert "rewards/judge_reward/mean" in log_of(folder, "grpo")
    rewards = read_training_manifest(folder / "grpo")["rewards"]
    assert rewards["first"] == 0.5  # every second judgment earns 1
    assert rewards["alike"] == 0.0


def test_the_judge_may_write_its_judgments(runs):
    folder, _ = runs
    judge = read_training_manifest(folder / "written")["judge"]
    assert judge["judge_invalid_rate"] > 0.5  # the tiny model writes no verdict


def test_an_inline_deepspeed_config_is_no_obstacle(runs):
    folder, codes = runs
    assert codes["validated_deepspeed"] == 0, log_of(folder, "validated_deepspeed")[-2000:]


def test_an_interrupted_training_leaves_no_completion_manifest_of_an_earlier_one(runs):
    folder, _ = runs  # axolotl's exit code is 0 here, or 1 where the signal met a line in print
    assert "'loss'" in log_of(folder, "interrupted")
    assert read_training_manifest(folder / "interrupted") is None
    assert read_training_manifest(folder / "dpo") != BEFORE


def test_processes_with_unequal_shares_of_the_prompts_measure_the_same(runs):
    folder, codes = runs
    assert codes["ranks_4"] == 0, log_of(folder, "ranks_4")[-2000:]
    found = [json.loads((folder / f"ranks_4.{rank}.json").read_text()) for rank in range(4)]
    alone = json.loads((folder / "ranks_1.0.json").read_text())
    assert [figures["world"] for figures in found] == [4] * 4
    assert [figures["judge"] for figures in found] == [pytest.approx(alone["judge"])] * 4


@pytest.mark.parametrize(
    ("name", "told"),
    [
        # the later half of the message is ours in 0.19, axolotl's after
        ("missing_plugin", "nowhere"),
        ("typo", "did you mean 'select_best'"),
    ],
)
def test_a_config_that_axolotl_would_train_wrongly_fails_with_the_cure(runs, name, told):
    folder, codes = runs
    assert codes[name] == 1
    assert told in log_of(folder, name)
    assert not (folder / name).exists()
