"""What the axolotl plugin makes of a config, before axolotl itself sees it."""

from copy import deepcopy

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ste_plugin.axolotl.changes import KERNELS, changes, kernel_changes
from ste_plugin.axolotl.checkpoints import select_best_args
from ste_plugin.axolotl.config_checks import check_config
from ste_plugin.axolotl.data_keys import DROPPED, REFUSED
from ste_plugin.axolotl.settings import STESettings, read_settings
from ste_plugin.axolotl.strategies import rendering
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from tests.helpers.manifests import written

OURS = {
    "datasets",
    "test_datasets",
    "val_set_size",
    "remove_unused_columns",
    "load_best_model_at_end",
    "metric_for_best_model",
    "save_steps",
    "saves_per_epoch",
    "save_strategy",
    "shuffle_merged_datasets",
    "curriculum_sampling",
    "eval_sample_packing",
    *DROPPED,
}
THEIRS = {"path": "tatsu-lab/alpaca", "type": "alpaca"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """A data set with rows of every kind, held-out ones too."""
    return read_manifest(written(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def no_dev(tmp_path_factory):
    """A data set in which nothing is held out during training."""
    return read_manifest(written(tmp_path_factory.mktemp("no-dev"), dev=0))


def settings(**keys) -> STESettings:
    return STESettings(manifest="manifest.json", **keys)


def changed(cfg: dict, manifest, **keys) -> dict:
    return {**cfg, **changes(cfg, settings(**keys), manifest)}


def checked(cfg: dict, manifest, **keys) -> dict:
    """The config as axolotl gets it."""
    found = changed(cfg, manifest, **keys)
    check_config(found, settings(**keys), manifest)
    return found


def paths(entries) -> list[str]:
    return [entry["path"] for entry in entries or []]


def given(manifest: DatasetManifest, **kwargs) -> DatasetManifest:
    """A data set whose judge's chat template is given something beside the turns."""
    content = manifest.content | {"chat_template": {"kwargs": kwargs, "thinking": None}}
    return DatasetManifest(manifest.path, content)


# --- the chat template ---


def test_what_the_judges_template_is_given_the_training_gives_it_too(manifest):
    found = changed({}, given(manifest, enable_thinking=False))
    assert found["chat_template_kwargs"] == {"enable_thinking": False}
    assert changes(found, settings(), given(manifest, enable_thinking=False)) == {}
    assert "chat_template_kwargs" not in changed({}, manifest)


@pytest.mark.parametrize("where", ["", "trl."])
@pytest.mark.parametrize("theirs", [{"enable_thinking": True}, {"date": "Monday"}])
def test_a_template_that_is_given_something_else_than_the_judge_is_refused(manifest, where, theirs):
    keys = {"chat_template_kwargs": theirs}
    with pytest.raises(ConfigError, match=f"{where}chat_template_kwargs: found .*judge is asked"):
        changed({"trl": keys} if where else keys, given(manifest, enable_thinking=False))
    assert changes(keys, settings(datasets="off"), manifest) == {}


def test_rows_that_would_be_trained_on_without_the_template_are_refused(manifest):
    raw = {"skip_prepare_dataset": True}
    with pytest.raises(ConfigError, match="skip_prepare_dataset: our rows would reach"):
        checked(raw, manifest)
    assert checked(raw, manifest, datasets="off") == raw
    checked(raw | {"rl": "dpo"}, manifest)  # whose rows our own strategy makes anyway


def test_rows_prepared_for_another_rendering_are_not_taken_for_these(manifest):
    names = {
        changed({}, data)["datasets"][0]["revision"]
        for data in (manifest, given(manifest, a=1), given(manifest, a=2))
    }
    assert len(names) == 3


# --- data sets ---


@pytest.mark.parametrize(
    ("rl", "kind", "rows"),
    [
        (None, "ste_plugin.axolotl.sft_strategy", "sft"),
        ("dpo", "ste_strategies.dpo", "dpo"),
        ("ipo", "ste_strategies.dpo", "dpo"),
        ("orpo", "ste_strategies.dpo", "dpo"),
        ("simpo", "ste_strategies.dpo", "dpo"),
        ("kto", "ste_strategies.kto", "kto"),
        ("grpo", "ste_strategies.grpo", "grpo"),
    ],
)
def test_every_trainer_gets_the_rows_made_for_it(manifest, rl, kind, rows):
    found = changed({"rl": rl}, manifest)
    (train,), (dev,) = found["datasets"], found["test_datasets"]
    assert train == {
        "path": str(manifest.file(f"{rows}-train")),
        "ds_type": "json",
        "type": kind,
        "split": "train",
        "revision": rendering(manifest),
    }
    assert dev == train | {"path": str(manifest.file(f"{rows}-dev"))}


def test_replace_takes_the_place_of_all_that_is_trained_and_evaluated_on(manifest):
    theirs = {"datasets": [THEIRS], "test_datasets": [THEIRS], "val_set_size": 0.05}
    found = changed(theirs, manifest)
    assert paths(found["datasets"]) == [str(manifest.file("sft-train"))]
    assert paths(found["test_datasets"]) == [str(manifest.file("sft-dev"))]
    assert found["val_set_size"] == 0


def test_replace_without_held_out_rows_evaluates_on_nothing(no_dev):
    found = changed({"test_datasets": [THEIRS], "val_set_size": 0.05}, no_dev)
    assert found["test_datasets"] is None
    assert found["val_set_size"] == 0


def test_append_keeps_the_users_own(manifest):
    found = checked({"datasets": [THEIRS], "val_set_size": 0}, manifest, datasets="append")
    assert found["datasets"][0] == THEIRS
    assert paths(found["datasets"])[1:] == [str(manifest.file("sft-train"))]


def test_append_refuses_a_split_by_rows_which_would_part_ours_too(manifest):
    cfg = {"datasets": [THEIRS], "val_set_size": 0.05}
    told = problem(cfg, manifest, datasets="append")
    assert "val_set_size: axolotl would split our rows as well" in told
    assert "Remove the key, and give test_datasets" in told
    checked(cfg, manifest, datasets="off")


@pytest.mark.parametrize("theirs", [[], [THEIRS]])
def test_append_joins_the_users_own_test_sets(manifest, theirs):
    cfg = {"datasets": [THEIRS], "test_datasets": theirs}
    found = changed(cfg, manifest, datasets="append")
    assert found["test_datasets"][:-1] == theirs
    assert paths(found["test_datasets"])[-1] == str(manifest.file("sft-dev"))


def test_off_leaves_what_is_trained_on_alone(manifest):
    cfg = {"datasets": [THEIRS], "val_set_size": 0.05, "rl": "kto"}
    assert changes(cfg, settings(datasets="off"), manifest) == {}


OTHER_DATA = {
    "pretraining_dataset": [{"path": "allenai/c4", "type": "pretrain"}],
    "streaming": True,
    "processor_type": "AutoProcessor",
    "dataset_exact_deduplication": True,
    "min_sample_len": 512,
    "dataset_shard_num": 4,
    "push_dataset_to_hub": "me/rows",
    "total_num_tokens": 100,
}


def test_replace_leaves_out_what_says_how_other_data_is_read(manifest):
    found = changed(OTHER_DATA, manifest)
    assert {key: found[key] for key in OTHER_DATA} == dict.fromkeys(OTHER_DATA)
    assert checked(OTHER_DATA, manifest) == found
    assert changes(OTHER_DATA, settings(datasets="off"), manifest) == {}


@pytest.mark.parametrize("how", ["replace", "append", "off"])
def test_rows_are_read_in_their_order_where_the_config_says_so(manifest, how):
    """Both orders of a pair lie side by side: in batches apart, a small judge learnt one letter."""
    cfg = {"datasets": [THEIRS], "curriculum_sampling": True}
    assert changed(cfg, manifest, datasets=how)["curriculum_sampling"] is True


@pytest.mark.parametrize("key", ["pretraining_dataset", "streaming", "processor_type"])
def test_append_refuses_what_would_keep_our_rows_from_the_trainer(manifest, key):
    cfg = {"datasets": [THEIRS], key: OTHER_DATA[key]}
    told = problem(cfg, manifest, datasets="append")
    assert f"{key}: {DROPPED[key]}. Remove the key, or set ste.datasets: replace" in told
    checked(cfg, manifest, datasets="replace")


@pytest.mark.parametrize("key", sorted(REFUSED))
@pytest.mark.parametrize("datasets", ["replace", "append", "off"])
def test_what_trains_no_judge_is_refused_whatever_it_trains_on(manifest, key, datasets):
    assert f"{key}: " in problem({key: True}, manifest, datasets=datasets)
    checked({key: False}, manifest, datasets=datasets)


@pytest.mark.parametrize(
    ("cfg", "told"),
    [
        ({"type_of_model": "AutoModelForSequenceClassification"}, "gives scores"),
        ({"base_model": "mistralai/Magistral-Small-2506"}, "tokenizer_use_mistral_common: false"),
    ],
)
def test_a_model_that_writes_no_verdict_is_refused_by_what_names_it(manifest, cfg, told):
    assert told in problem(cfg, manifest)


def test_held_out_rows_are_evaluated_unpacked_however_few_they_are(manifest):
    assert changed({"sample_packing": True}, manifest)["eval_sample_packing"] is False
    assert "eval_sample_packing" not in changed({}, manifest)


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "rl": st.sampled_from(["dpo", "ipo", "orpo", "simpo", "kto", "grpo"]),
        "datasets": st.lists(st.just(THEIRS), max_size=2),
        "test_datasets": st.lists(st.just(THEIRS), max_size=1),
        "val_set_size": st.sampled_from([0, 0.0, 0.05, 200]),
        "remove_unused_columns": st.sampled_from([None, False]),
        "load_best_model_at_end": st.sampled_from([None, True]),
        "eval_steps": st.sampled_from([None, 2, 0.25]),
        "save_steps": st.sampled_from([None, 2, 3]),
        "saves_per_epoch": st.sampled_from([None, 1, 4]),
        "sample_packing": st.booleans(),
        "streaming": st.booleans(),
        "curriculum_sampling": st.sampled_from([None, False]),
        "learning_rate": st.floats(1e-6, 1e-3),
        "wandb_project": st.text(max_size=5),
        "fsdp_config": st.just({"offload_params": None, "state_dict_type": "FULL_STATE_DICT"}),
    },
)
SETTINGS = st.fixed_dictionaries(
    {"datasets": st.sampled_from(["replace", "append", "off"])},
    optional={"select_best": st.sampled_from(["judge_acc", "judge_acc_pc"])},
)


@drawn(CONFIGS, SETTINGS, st.booleans())
def test_applied_twice_nothing_more_changes_and_never_another_key(manifest, no_dev, cfg, ste, dev):
    data, how, before = manifest if dev else no_dev, settings(**ste), deepcopy(cfg)
    first = changes(cfg, how, data)
    after = {**cfg, **first}
    assert cfg == before
    assert set(first) <= OURS
    assert changes(after, how, data) == {}
    if how.select_best:
        args = select_best_args(cfg, how.select_best)
        assert select_best_args({**after, **args}, how.select_best) == args


# --- keys that were set to something else ---


def test_kto_keeps_the_column_it_learns_from(manifest):
    assert changed({"rl": "kto"}, manifest)["remove_unused_columns"] is False
    with pytest.raises(ConfigError, match="remove_unused_columns: found True.*Remove the key"):
        changed({"rl": "kto", "remove_unused_columns": True}, manifest)


@pytest.mark.parametrize(
    ("key", "value"), [("shuffle_merged_datasets", True), ("curriculum_sampling", False)]
)
def test_kto_finds_judgments_of_other_prompts_in_a_batch(manifest, key, value):
    """Unshuffled, the KL term of all rows of a batch of two was of their own prompt."""
    assert checked({"rl": "kto"}, manifest)[key] is value
    told = f"{key}: found {not value}.*KL term.*Remove the key, or set {key}: {str(value).lower()}"
    with pytest.raises(ConfigError, match=told):
        changed({"rl": "kto", key: not value}, manifest)


def test_grpo_keeps_both_orders_of_a_pair_together(manifest):
    assert changed({"rl": "grpo"}, manifest)["shuffle_merged_datasets"] is False
    with pytest.raises(ConfigError, match="shuffle_merged_datasets: found True.*Remove the key"):
        changed({"rl": "grpo", "shuffle_merged_datasets": True}, manifest)


@pytest.mark.parametrize(
    ("key", "value", "cure"),
    [
        ("metric_for_best_model", "eval_loss", "set metric_for_best_model: eval_judge_acc"),
        ("greater_is_better", False, "set greater_is_better: true"),
        ("load_best_model_at_end", False, "set load_best_model_at_end: true"),
    ],
)
def test_another_way_to_choose_the_checkpoint_is_refused_with_the_cure(key, value, cure):
    with pytest.raises(ConfigError, match=cure):
        select_best_args({key: value}, "judge_acc")


def test_the_metric_may_be_named_by_the_user_too():
    args = select_best_args({"metric_for_best_model": "eval_judge_acc"}, "judge_acc")
    assert args["metric_for_best_model"] == "eval_judge_acc"


def rhythm(**cfg) -> dict:
    args = select_best_args(cfg, "judge_acc")
    return {key: value for key, value in args.items() if key.startswith(("eval_", "save_"))}


def steps(every: float) -> dict:
    return {
        "eval_strategy": "steps",
        "save_strategy": "steps",
        "eval_steps": every,
        "save_steps": every,
    }


EPOCHS = {"eval_strategy": "epoch", "save_strategy": "epoch"}


@pytest.mark.parametrize(
    ("cfg", "wanted"),
    [
        ({}, EPOCHS),
        ({"save_strategy": "epoch"}, EPOCHS),
        ({"eval_strategy": "epoch"}, EPOCHS),
        (
            {"eval_strategy": "epoch", "save_strategy": "best"},
            {"eval_strategy": "epoch", "save_strategy": "best"},
        ),
        ({"save_strategy": "best"}, {"eval_strategy": "epoch", "save_strategy": "best"}),
        ({"save_steps": 10}, steps(10)),
        ({"eval_steps": 10}, steps(10)),
        ({"eval_steps": 10, "save_steps": 10}, steps(10)),
        ({"eval_strategy": "steps", "save_steps": 10}, steps(10)),
        ({"evals_per_epoch": 3, "num_epochs": 2}, steps(1 / 6)),
        ({"evals_per_epoch": 4, "saves_per_epoch": 1, "num_epochs": 1}, steps(0.25)),
        ({"evals_per_epoch": 1, "saves_per_epoch": 1}, EPOCHS),
    ],
)
def test_evaluation_and_saving_keep_one_rhythm(cfg, wanted):
    assert rhythm(**cfg) == wanted


@pytest.mark.parametrize(
    ("cfg", "wanted"),
    [
        ({"eval_steps": 10, "save_steps": 5}, steps(10)),
        ({"eval_steps": 5, "save_steps": 10}, steps(5)),
        ({"eval_steps": 10, "save_strategy": "epoch"}, steps(10)),
        ({"eval_strategy": "epoch", "save_strategy": "no"}, EPOCHS),
        ({"eval_strategy": "epoch", "save_steps": 100}, EPOCHS),
        ({"saves_per_epoch": 4, "evals_per_epoch": 2}, steps(0.5)),
        ({"evals_per_epoch": 6, "saves_per_epoch": 2}, steps(1 / 6)),
        ({"evals_per_epoch": 4, "save_steps": 100}, steps(0.25)),
        ({"evals_per_epoch": 4, "saves_per_epoch": 1, "num_epochs": 3}, steps(1 / 12)),
    ],
)
def test_saving_follows_evaluating_so_that_no_evaluated_weights_are_lost(manifest, cfg, wanted):
    assert rhythm(**cfg) == wanted
    found = changed(cfg, manifest, select_best="judge_acc")
    assert found["save_strategy"] == wanted["save_strategy"]
    assert found.get("save_steps") == wanted.get("save_steps")
    assert not found.get("saves_per_epoch")
    assert rhythm(**found) == wanted


@pytest.mark.parametrize(
    "odd", [{"num_epochs": [1]}, {"evals_per_epoch": "four"}, {"evals_per_epoch": [4]}]
)
def test_times_that_are_no_numbers_are_axolotls_to_refuse(odd):
    cfg = {"evals_per_epoch": 4, "num_epochs": 2} | odd
    assert select_best_args(cfg, "judge_acc")["eval_strategy"] == "epoch"


@pytest.mark.parametrize("also", [{}, {"save_strategy": "best"}, {"save_steps": 5}])
def test_choosing_by_evaluations_that_are_turned_off_is_refused(also):
    with pytest.raises(ConfigError, match="needs evaluations to choose by"):
        rhythm(eval_strategy="no", **also)


@pytest.mark.parametrize(
    "sharded",
    [{"deepspeed": "zero3.json"}, {"fsdp_config": {"state_dict_type": "SHARDED_STATE_DICT"}}],
)
def test_a_best_checkpoint_that_could_not_be_loaded_again_is_refused(manifest, sharded):
    with pytest.raises(ConfigError, match="Set save_only_model: false"):
        checked({"save_only_model": True, **sharded}, manifest, select_best="judge_acc")
    assert checked({"save_only_model": True, **sharded}, manifest)["save_only_model"]


# --- the block `ste:` ---


def test_a_config_without_the_block_is_told_what_to_add():
    with pytest.raises(ConfigError, match=r"no block `ste:`. Add\nste:\n  manifest:"):
        read_settings({"plugins": ["ste_plugin.axolotl.STEPlugin"]})


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match="selct_best.*did you mean 'select_best'"):
        read_settings({"ste": {"manifest": "m.json", "selct_best": "judge_acc"}})


@pytest.mark.parametrize(
    "wrong", [{"datasets": "mix"}, {"select_best": "acc"}, {"judge_pairs": 0}, {"manifest": None}]
)
def test_a_wrong_value_names_its_key(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        read_settings({"ste": {"manifest": "m.json", **wrong}})


# --- combinations that fail late, or go wrong quietly ---


def problem(cfg: dict, manifest, **keys) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(cfg, manifest, **keys)
    return str(caught.value)


@pytest.mark.parametrize("key", ["rpo_alpha", "dpo_norm_loss"])
def test_a_weight_that_is_gone_is_answered_with_how_to_write_it_now(manifest, key):
    told = problem({"rl": "dpo", key: 1.5}, manifest)
    assert "dpo_loss_type: [sigmoid, sft] and dpo_loss_weights: [1.0, 1.5]" in told


@pytest.mark.parametrize(
    ("cfg", "told"),
    [
        ({"dpo_loss_type": ["sigmoid", "sft"]}, "dpo_loss_weights: missing"),
        ({"dpo_loss_type": ["sigmoid", "sft"], "dpo_loss_weights": [1.0]}, "1 weights for 2 loss"),
        ({"dpo_loss_weights": [1.0, 1.5]}, "2 weights for 1 loss"),
        (
            {
                "dpo_loss_type": ["sigmoid", "sft"],
                "dpo_loss_weights": [1.0, 1.5],
                "dpo_use_liger_kernel": True,
            },
            "dpo_use_liger_kernel: takes one loss type only",
        ),
        ({"sample_packing": True}, "sample_packing: not with rl: dpo"),
        (
            {"load_in_4bit": True, "fsdp_config": {"reshard_after_forward": True}},
            "fsdp_config: not with 4 or 8 bit weights and rl: dpo",
        ),
    ],
)
def test_a_preference_config_that_would_fail_late_is_refused_at_once(manifest, cfg, told):
    assert told in problem({"rl": "dpo", **cfg}, manifest)


def test_simpo_without_its_margin_is_refused(manifest):
    assert "simpo_gamma: missing" in problem({"rl": "simpo"}, manifest)
    assert checked({"rl": "simpo", "simpo_gamma": 0}, manifest)["simpo_gamma"] == 0


def test_the_losses_of_dpo_with_nll_pass(manifest):
    cfg = {"rl": "dpo", "dpo_loss_type": ["sigmoid", "sft"], "dpo_loss_weights": [1.0, 1.5]}
    assert checked(cfg, manifest)["dpo_loss_weights"] == [1.0, 1.5]


def test_packing_and_quantized_sharding_pass_without_preferences(manifest):
    cfg = {"sample_packing": True, "load_in_4bit": True, "fsdp_config": {"offload_params": True}}
    assert checked(cfg, manifest)["sample_packing"]


def test_every_problem_is_told_at_once(manifest):
    told = problem({"rl": "dpo", "rpo_alpha": 1, "sample_packing": True}, manifest)
    assert "2 thing(s)" in told and "rpo_alpha" in told and "sample_packing" in told


@pytest.mark.parametrize("key", ["eval_steps", "evals_per_epoch", "early_stopping_patience"])
def test_evaluation_without_held_out_rows_is_refused(no_dev, key):
    assert f"{key}: the manifest has no held-out rows" in problem({key: 2}, no_dev)
    assert checked({key: 2, "test_datasets": [THEIRS]}, no_dev, datasets="append")[key] == 2


def test_choosing_the_best_without_held_out_pairs_is_refused(no_dev):
    told = problem({}, no_dev, select_best="judge_acc")
    assert "no held-out pairs (judge-dev)" in told
    assert "nothing is evaluated on during training" in told


@pytest.mark.parametrize("rl", ["ebft", "gdpo", "nonsense"])
def test_a_training_that_no_rows_are_made_for_is_refused(manifest, rl):
    with pytest.raises(ConfigError, match=f"rl: {rl} needs rows that are not made here"):
        changed({"rl": rl}, manifest)


# --- the manifest ---


def test_a_manifest_that_is_not_there_or_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_manifest(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text('{"files": {}}')
    with pytest.raises(DataError, match="not the manifest of a data set"):
        read_manifest(tmp_path)


def test_preferences_without_a_single_pair_are_refused(tmp_path):
    alone = written(tmp_path, edit=lambda name, rows: [] if name.startswith("dpo") else rows)
    with pytest.raises(DataError, match="'dpo-train' has no row"):
        changed({"rl": "dpo"}, read_manifest(alone))


def test_rows_that_were_never_made_name_the_setting_that_makes_them(manifest):
    files = {n: f for n, f in manifest.content["files"].items() if not n.startswith("kto")}
    fewer = type(manifest)(manifest.path, {**manifest.content, "files": files})
    with pytest.raises(DataError, match="no 'kto-train' rows.*Add kto to dataset.formats"):
        changed({"rl": "kto"}, fewer)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_text(path.read_text() + "\n"), "changed since manifest.json"),
        (lambda path: path.unlink(), "no such file"),
    ],
)
def test_rows_other_than_those_of_the_manifest_are_refused(tmp_path, spoil, told):
    found = read_manifest(written(tmp_path))
    found.verify("sft-train", "judge-dev")
    spoil(found.file("sft-train"))
    with pytest.raises(DataError, match=told):
        found.verify("sft-train", "judge-dev")


@pytest.mark.parametrize(
    ("keys", "ddp"),
    [
        ({"use_ray": True, "ray_num_workers": 4}, True),
        ({"use_ray": True, "ray_num_workers": 4, "ddp": True}, True),
        ({"use_ray": True}, None),
        ({"ray_num_workers": 4}, None),
    ],
)
def test_rays_workers_share_the_rows_of_an_epoch(manifest, keys, ddp):
    assert changed(keys, manifest).get("ddp") is ddp


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
def test_a_lora_without_a_gpu_is_trained_without_the_kernels_that_need_one(adapter):
    off = kernel_changes({"adapter": adapter}, gpu=False)
    assert off == {"lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False}
    assert kernel_changes({"adapter": adapter} | off, gpu=False) == {}


@pytest.mark.parametrize("key", KERNELS)
@pytest.mark.parametrize("value", [True, False])
def test_kernels_that_a_config_names_stay_as_it_says(key, value):
    assert kernel_changes({"adapter": "lora", key: value}, gpu=False) == {}


@pytest.mark.parametrize(
    ("cfg", "gpu"),
    [({"adapter": "lora"}, True), ({"adapter": "lora", "rl": "dpo"}, False), ({}, False)],
    ids=["a GPU", "preferences, where axolotl leaves them off", "all weights"],
)
def test_kernels_are_left_alone_where_they_would_run_or_are_off(cfg, gpu):
    assert kernel_changes(cfg, gpu=gpu) == {}


# --- GRPO: both orders of a pair in one batch ---

GRPO = {
    "rl": "grpo",
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 16,
    "trl": {"reward_funcs": ["ste_plugin.axolotl.rewards.judge_reward"], "num_generations": 8},
}


@pytest.mark.parametrize("key", ["use_data_producer", "async_prefetch", "generation_batch_size"])
def test_grpo_refuses_what_parts_the_orders_of_a_pair(manifest, key):
    checked(GRPO, manifest)
    told = problem(GRPO | {"trl": GRPO["trl"] | {key: 16}}, manifest)
    assert f"trl.{key}: " in told and "come apart" in told and "Remove the key" in told
    checked(GRPO | {"trl": {"reward_funcs": ["theirs.reward"], key: 16}}, manifest)


@pytest.mark.parametrize("recipe", [{}, GRPO, {"rl": "dpo"}])
@pytest.mark.parametrize("key", ["context_parallel_size", "sequence_parallel_degree"])
def test_what_cuts_rows_among_gpus_is_refused_with_what_to_take_instead(manifest, key, recipe):
    told = problem(recipe | {key: 2}, manifest)
    assert f"{key}: cuts rows among GPUs" in told and "tensor_parallel_size" in told
    checked(recipe | {key: 1, "tensor_parallel_size": 2}, manifest)


def test_attention_that_no_saved_model_would_have_is_refused(manifest):
    assert "scaling_softmax: changes" in problem({"scaling_softmax": True}, manifest)
