"""By which method an adapter is merged: the one that loses nothing of it."""

import json

import pytest
import torch
from safetensors.torch import save_file

from ste_plugin.axolotl.merging import (
    other_config,
    target_of,
    untie,
    weight_names,
    why_whole,
)
from ste_plugin.engines.model_folder import copy_tokenizer

Q = "base_model.model.model.layers.0.self_attn.q_proj"
BASE = ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"]
HEAD = "lm_head.weight"
LORA = [f"{Q}.lora_A.weight", f"{Q}.lora_B.weight"]


def saved(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.zeros(1) for name in names}, path)
    return path.parent


def reason(tmp_path, tensors=(), base=(*BASE, HEAD), **config):
    folder = saved(tmp_path / "adapter/adapter_model.safetensors", [*LORA, *tensors])
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))
    return why_whole(folder, saved(tmp_path / "base/model.safetensors", base))


@pytest.mark.parametrize(
    ("tensors", "config"),
    [
        ([], {}),
        ([f"{Q}.lora_magnitude_vector"], {"use_dora": True}),
        ([], {"use_rslora": True, "rank_pattern": {"q_proj": 8}, "init_lora_weights": True}),
        ([], {"init_lora_weights": "gaussian"}),
        (["base_model.model.model.norm.weight"], {"modules_to_save": ["norm"]}),
        (["base_model.model.lm_head.weight", "base_model.model.model.embed_tokens.weight"], {}),
        ([f"base_model.model.lm_head.{n}weight" for n in ("", "modules_to_save.")], {}),
    ],
)
def test_what_belongs_to_weights_of_the_base_is_merged_file_by_file(tmp_path, tensors, config):
    assert reason(tmp_path, tensors, **config) is None


@pytest.mark.parametrize(
    "key",
    [
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "pissa_niter_4"},
        {"init_lora_weights": "olora"},
        {"init_lora_weights": "loftq"},
        {"init_lora_weights": "something newer"},
        {"lora_bias": True},
        {"bias": "lora_only"},
        {"layer_replication": [[0, 1], [0, 1]]},
        {"target_parameters": ["mlp.experts.down_proj"]},
        {"trainable_token_indices": [5]},
        {"peft_type": "VERA"},
    ],
)
def test_an_adapter_of_another_kind_needs_the_whole_base(tmp_path, key):
    ((name, value),) = key.items()
    assert reason(tmp_path, **key) == f"the adapter has {name}: {value!r}"


@pytest.mark.parametrize(
    "tensor",
    [
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta",
        f"{Q}.lora_B.bias",
        "base_model.model.model.layers.0.mlp.experts.lora_A.weight",
        "base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight",
        "base_model.model.score.modules_to_save.bias",
        "base_model.model.lm_head.modules_to_save.weight",
    ],
)
def test_a_tensor_without_a_weight_of_its_own_needs_the_whole_base(tmp_path, tensor):
    assert reason(tmp_path, [tensor]) == (
        f"the adapter's {tensor} belongs to no weight in the base's files"
    )


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        ("base_model.model.lm_head.weight", "belongs to no weight in the base's files"),
        ("base_model.model.lm_head.lora_A.weight", "belongs to no weight in the base's files"),
        ("base_model.model.model.embed_tokens.weight", "a weight that the base's head shares"),
    ],
)
def test_a_tied_head_needs_the_whole_base(tmp_path, tensor, told):
    assert told in reason(tmp_path, [tensor], base=BASE)


def test_files_that_cannot_be_looked_into_are_loaded_whole(tmp_path):
    told = "the weights of base and adapter are not all safetensors"
    assert reason(tmp_path, base=()) == told
    assert why_whole(tmp_path / "adapter", None) == told


def test_the_names_of_all_files_of_a_base_count(tmp_path):
    for n, name in enumerate(BASE):
        saved(tmp_path / f"model-{n}.safetensors", [name])
    assert weight_names(tmp_path) == set(BASE)
    assert target_of(LORA[0]) == BASE[1]


def test_what_was_trained_by_another_config_than_the_bases_file_needs_the_whole_base():
    from axolotl.utils.dict import DictDefault

    plain = {"base_model": "theirs", "base_model_config": "theirs"}
    assert other_config(DictDefault(plain)) is None
    longer = {"overrides_of_model_config": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}}
    assert "yarn" in other_config(DictDefault(plain | longer))
    assert "another" in other_config(DictDefault(plain | {"base_model_config": "another"}))


def test_a_merged_judge_ends_its_turns_by_the_token_and_template_that_it_was_trained_with(
    tiny_model, tmp_path
):
    from transformers import AutoTokenizer

    trained, merged = tmp_path / "trained", tmp_path / "merged"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.save_pretrained(merged)  # as axolotl's merge leaves it: all files of the base
    ends, other = tokenizer.convert_ids_to_tokens([1, 2])
    (merged / "special_tokens_map.json").write_text(json.dumps({"eos_token": ends}))
    (merged / "chat_template.jinja").write_text("the base's")
    tokenizer.eos_token, tokenizer.chat_template = other, "the recipe's"
    tokenizer.save_pretrained(trained, save_jinja_files=False)
    copy_tokenizer(trained, merged)
    found = AutoTokenizer.from_pretrained(merged)
    assert (found.eos_token, found.chat_template) == (other, "the recipe's")


def with_lora(model_folder, *targets):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model_folder)
    assert base.config.tie_word_embeddings
    return get_peft_model(base, LoraConfig(target_modules=list(targets), init_lora_weights=False))


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_a_lora_on_one_of_two_tied_weights_is_merged_into_that_one(tiny_model, tmp_path, target):
    from transformers import AutoModelForCausalLM

    model, ids = with_lora(tiny_model, target, "q_proj").eval(), torch.tensor([[5, 9, 70]])
    with torch.no_grad():
        trained = model(input_ids=ids).logits
        untie(model)
        assert torch.equal(model(input_ids=ids).logits, trained)
        model.merge_and_unload().save_pretrained(tmp_path)
        merged = AutoModelForCausalLM.from_pretrained(tmp_path)(input_ids=ids).logits
    assert torch.allclose(merged, trained, atol=1e-4)


def test_tied_weights_without_a_lora_stay_one(tiny_model):
    model = with_lora(tiny_model, "q_proj")
    untie(model)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert model.config.tie_word_embeddings
