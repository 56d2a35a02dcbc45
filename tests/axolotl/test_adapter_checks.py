"""An adapter that nobody could merge is refused before it is trained."""

import pytest

from ste_plugin.axolotl.adapter_checks import adapter_problems


def test_a_start_by_chance_that_is_kept_nowhere_is_refused_with_the_one_that_is_not():
    (problem,) = adapter_problems({"adapter": "lora", "peft_init_lora_weights": "pissa_niter_16"})
    assert problem.startswith("peft_init_lora_weights: pissa_niter_16 changes the base by chance")
    assert problem.endswith("Set it to pissa.")


@pytest.mark.parametrize("start", [None, True, False, "gaussian", "pissa", "olora", "eva"])
def test_a_start_that_can_be_found_again_is_not(start):
    assert not list(adapter_problems({"adapter": "lora", "peft_init_lora_weights": start}))


def test_replicated_layers_are_refused_where_the_adapter_would_be_merged():
    config = {"adapter": "lora", "peft_layer_replication": [[0, 2], [1, 2]]}
    (problem,) = adapter_problems(config)
    assert problem.startswith("peft_layer_replication: ")
    assert list(adapter_problems(config | {"ste": {"merge": True}})) == [problem]
    assert not list(adapter_problems(config | {"ste": {"merge": False}}))


def test_without_an_adapter_the_key_does_nothing():
    assert not list(adapter_problems({"peft_init_lora_weights": "pissa_niter_16"}))
