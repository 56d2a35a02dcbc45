"""Keys of axolotl that feed a trainer beside `datasets`, or keep our rows from reaching it whole.

A test holds them against axolotl's own schema: a key that is new there is to be judged here.
"""

from collections.abc import Iterator
from typing import Any

from ste_plugin.axolotl.settings import AxolotlConfig, STESettings

SET = ("datasets", "test_datasets", "val_set_size")
"""Keys that `datasets: replace` sets itself."""

DROPPED: dict[str, str] = {
    "pretraining_dataset": "is trained on in place of `datasets`",
    "streaming": "reads rows as they come, and finds none of ours",
    "processor_type": "collates images and turns, where our rows are tokens",
    "dataset_exact_deduplication": "drops equal judgments, and with them the balance of letters",
    "min_sample_len": "drops short rows",
    "eval_sequence_len": "drops longer held-out rows",
    "excess_length_strategy": "cuts rows off; ours are checked to fit",
    "dataset_shard_num": "trains on a share of the rows",
    "dataset_shard_idx": "trains on a share of the rows",
    "push_dataset_to_hub": "loads rows from the hub, and uploads ours there",
    "total_num_tokens": "counts the steps of other data",
    "total_supervised_tokens": "counts the tokens of other data",
    "sample_packing_eff_est": "counts the steps of other data",
}
"""Keys that say how a user's own data sets are read → what each would do to ours.

`replace` leaves them out, as it replaces what they are about.
"""

REFUSED: dict[str, tuple[str, str]] = {
    "reward_model": (
        "trains a head that scores answers, not a judge that writes a verdict",
        "Remove the key, or train without our plugin",
    ),
    "process_reward_model": (
        "trains a head that scores steps, not a judge that writes a verdict",
        "Remove the key, or train without our plugin",
    ),
    "tokenizer_use_mistral_common": (
        "loads a tokenizer without a chat template that other programs can ask with",
        "Set tokenizer_use_mistral_common: false",
    ),
    "use_pose": (
        "trains at positions with gaps, where no judge is asked",
        "Remove the key",
    ),
    "kd_trainer": (
        "learns a teacher's probabilities, which our rows have not",
        "Remove the key",
    ),
    "diffusion_lm": (
        "trains a model that fills masks in, not one that writes a verdict",
        "Remove the key",
    ),
    "diffusion": (
        "trains a model that fills masks in, not one that writes a verdict",
        "Remove the key",
    ),
}
"""Keys that go with no judge of ours → why, and what to do."""

HARMLESS = (
    "accelerator_config",
    "added_tokens_overrides",
    "balance_labels",
    "batch_flattening",
    "center_rewards_coefficient",
    "chat_template",
    "chat_template_jinja",
    "chat_template_kwargs",
    "curriculum_sampling",  # the order of ours is drawn, with both orders of a pair side by side
    "dataloader_drop_last",
    "dataset_keep_in_memory",
    "dataset_num_proc",
    "dataset_prepared_path",
    "dataset_processes",
    "default_system_message",
    "eot_tokens",
    "eval_sample_packing",
    "group_by_length",
    "image_resize_algorithm",
    "image_size",
    "is_preprocess",
    "max_prompt_len",
    "multipack_real_batches",
    "num_dataset_shards_to_save",
    "num_labels",
    "pad_to_multiple_of",
    "pad_to_sequence_len",
    "pose_max_context_len",
    "pose_num_chunks",
    "pose_split_on_token_ids",
    "preprocess_iterable",
    "pretrain_multipack_attn",
    "pretrain_multipack_buffer_size",
    "pretraining_sample_concatenation",
    "processor_kwargs",
    "remove_unused_columns",
    "role_boundaries",
    "sample_packing",
    "sample_packing_bin_size",
    "sample_packing_group_size",
    "sample_packing_mp_start_method",
    "sample_packing_sequentially",
    "sequence_len",
    "shuffle_before_merging_datasets",
    "shuffle_merged_datasets",
    "skip_prepare_dataset",
    "special_tokens",
    "streaming_multipack_buffer_size",
    "tokens",
    "train_on_inputs",
)
"""Keys about data that leave our rows whole, or are checked by their own checks."""


def dropped_keys(cfg: AxolotlConfig) -> dict[str, Any]:
    """Return key → None of all that `datasets: replace` leaves out of a config."""
    return {key: None for key in DROPPED if cfg.get(key)}


def feeding_problems(cfg: AxolotlConfig, settings: STESettings) -> Iterator[str]:
    """Yield the keys of a config under which no judge of ours is trained, each with a cure."""
    yield from refused_keys(cfg)
    if settings.datasets == "append" and cfg.get("val_set_size"):
        yield (
            "val_set_size: axolotl would split our rows as well, and hold one order of a pair out "
            "of a training on the other. Remove the key, and give test_datasets, to which our "
            "held-out rows are added."
        )
    if settings.datasets == "append":
        for key in ("pretraining_dataset", "streaming", "processor_type"):
            if cfg.get(key):
                yield (
                    f"{key}: {DROPPED[key]}. Remove the key, or set ste.datasets: replace, which "
                    "leaves it out."
                )


def refused_keys(cfg: AxolotlConfig) -> Iterator[str]:
    """Yield the keys of a config that train no judge, whatever the data, each with a cure."""
    for key, (why, cure) in REFUSED.items():
        if cfg.get(key):
            yield f"{key}: {why}. {cure}."
    kind = str(cfg.get("type_of_model") or "")
    if "Classification" in kind:
        yield (
            f"type_of_model: {kind} gives scores, not a judge that writes a verdict. Remove the "
            "key, or train without our plugin."
        )
    if "magistral" in _names(cfg) and cfg.get("tokenizer_use_mistral_common") is None:
        yield (
            "tokenizer_use_mistral_common: axolotl takes it to be true for Magistral models, and "
            "such a tokenizer has no chat template that other programs can ask with. Set "
            "tokenizer_use_mistral_common: false."
        )


def _names(cfg: AxolotlConfig) -> str:
    keys = ("base_model", "base_model_config", "tokenizer_config")
    return " ".join(str(cfg.get(key) or "") for key in keys).lower()
