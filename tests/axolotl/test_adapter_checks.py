"""An adapter that nobody could merge is refused before it is trained."""

import pytest

from ste_plugin.axolotl.adapter_checks import adapter_problems

LORA = {"adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True}


def test_a_start_by_chance_that_is_kept_nowhere_is_refused_with_the_one_that_is_not():
    (problem,) = adapter_problems(LORA | {"peft_init_lora_weights": "pissa_niter_16"})
    assert problem.startswith("peft_init_lora_weights: pissa_niter_16 changes the base by chance")
    assert problem.endswith("Set it to pissa.")


@pytest.mark.parametrize("start", [None, True, False, "gaussian", "pissa", "olora", "eva"])
def test_a_start_that_can_be_found_again_is_not(start):
    assert not list(adapter_problems(LORA | {"peft_init_lora_weights": start}))


def test_replicated_layers_are_refused_where_the_adapter_would_be_merged():
    config = LORA | {"peft_layer_replication": [[0, 2], [1, 2]]}
    (problem,) = adapter_problems(config)
    assert problem.startswith("peft_layer_replication: ")
    assert list(adapter_problems(config | {"ste": {"merge": True}})) == [problem]
    assert not list(adapter_problems(config | {"ste": {"merge": False}}))


def test_without_an_adapter_the_key_does_nothing():
    assert not list(adapter_problems({"peft_init_lora_weights": "pissa_niter_16"}))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("lora_r", 0, "lora_r: missing or 0. Write lora_r: 16"),
        ("lora_alpha", None, "lora_alpha: missing or 0. Write lora_alpha: 32"),
        ("lora_target_linear", False, "lora_target_modules: missing"),
        ("peft_init_lora_weights", "corda", "peft_init_lora_weights: corda needs"),
    ],
)
def test_an_adapter_that_could_not_be_made_is_refused(key, value, told):
    (problem,) = adapter_problems(LORA | {key: value})
    assert problem.startswith(told)


def test_an_adapter_to_go_on_from_brings_its_own_rank_and_targets():
    assert not list(adapter_problems({"adapter": "lora", "lora_model_dir": "earlier"}))


@pytest.mark.parametrize("key", ["lora_target_modules", "lora_target_parameters"])
def test_targets_may_be_named_either_way(key):
    assert not list(adapter_problems(LORA | {"lora_target_linear": False, key: ["q_proj"]}))
