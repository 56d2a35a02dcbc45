"""A training that takes no step, diverges or changes nothing has made no judge."""

from types import SimpleNamespace

import pytest
import torch

from ste_plugin.axolotl.progress_checks import (
    check_batches,
    check_trainable,
    check_trained,
    has_moved,
    is_finite,
    sample_weights,
)
from ste_plugin.errors import ConfigError, DataError, HostError

ENDED = {"steps": 3, "train_loss": 0.5, "moved": True, "finite": True}
ARGS = SimpleNamespace(per_device_train_batch_size=8, gradient_accumulation_steps=2, world_size=4)


class Packs:
    """A sampler of axolotl's kind: packs of rows, as many to a batch."""

    drop_last = True
    _batches = None

    def generate_batches(self):
        return [] if self.drop_last else [[[0, 1], [2]], [[3]]]


def loader(batches, sampler=None):
    class Loader(list):
        batch_sampler = SimpleNamespace(batch_sampler=sampler)

    return Loader(batches)


def test_packs_that_fill_no_batch_are_counted_with_the_keys_to_change():
    with pytest.raises(DataError) as found:
        check_batches(loader([], Packs()), ARGS, 4)
    told = str(found.value)
    assert told.startswith("3 pack(s) of 4 rows make no batch: micro_batch_size 8, ")
    assert "gradient_accumulation_steps 2, 4 process(es), one per GPU" in told
    for key in ("micro_batch_size: 1", "sample_packing: false", "sequence_len", "fewer GPUs"):
        assert key in told


def test_rows_that_fill_no_batch_are_counted():
    with pytest.raises(DataError, match=r"^4 rows make no batch"):
        check_batches(loader([]), ARGS, 4)


def test_one_batch_is_enough_and_a_stream_is_not_counted():
    check_batches(loader([0], Packs()), ARGS, 4)
    check_batches(iter([]), ARGS, None)


def test_a_training_with_steps_that_changed_weights_made_a_judge():
    check_trained(ENDED)
    check_trained(ENDED | {"train_loss": None})


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"steps": 0, "moved": False}, "it took no step. Lower micro_batch_size"),
        ({"train_loss": float("nan")}, "it diverged: its loss or weights are not finite"),
        ({"train_loss": float("inf")}, "Lower learning_rate"),
        ({"finite": False}, "it diverged"),
        ({"moved": False}, "after 3 step(s) all trained weights are as they were"),
        ({"unrewarded": "all earned the same"}, "is not written: all earned the same."),
    ],
)
def test_any_other_made_none(ended, told):
    with pytest.raises(HostError) as found:
        check_trained(ENDED | ended)
    assert told in str(found.value)
    assert str(found.value).startswith("This training made no judge, and trained.json")


def model():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(200, 200), torch.nn.Linear(200, 2))
    layers[0].weight.requires_grad_(False)
    return layers


def test_the_smallest_update_of_any_trained_weight_is_a_move():
    layers = model()
    before = sample_weights(layers)
    assert set(before) == {"0.bias", "1.weight", "1.bias"}
    assert not has_moved(before, sample_weights(layers))
    with torch.no_grad():
        layers[1].weight *= 1.0000002
    assert has_moved(before, sample_weights(layers))


def test_a_model_that_is_frozen_as_a_whole_is_refused_with_the_key_that_froze_it():
    layers = model()
    check_trainable(layers)
    with pytest.raises(ConfigError, match=r"all are frozen\. Correct unfrozen_parameters"):
        check_trainable(layers.requires_grad_(False))


def test_weights_that_cannot_be_looked_at_count_as_moved():
    assert has_moved({}, {})
    assert has_moved({"w": torch.zeros(0)}, {"w": torch.zeros(0)})


def test_a_share_that_deepspeed_keeps_is_looked_at_unless_it_is_on_a_disk():
    layers = model()
    layers[1].bias.ds_tensor = torch.full((1,), 7.0)
    assert sample_weights(layers)["1.bias"].tolist() == [7.0]
    layers[1].bias.ds_tensor.status = SimpleNamespace(name="NOT_AVAILABLE")
    assert "1.bias" not in sample_weights(layers)


def test_a_frozen_weight_does_not_count():
    layers = model()
    before = sample_weights(layers)
    with torch.no_grad():
        layers[0].weight += 1
    assert not has_moved(before, sample_weights(layers))


def test_weights_that_are_no_numbers_are_found():
    layers = model()
    assert is_finite(sample_weights(layers))
    with torch.no_grad():
        layers[1].bias[1] = float("nan")
    assert not is_finite(sample_weights(layers))


def test_of_large_weights_a_sample_is_kept():
    layers = torch.nn.Linear(1000, 1000)
    assert sum(n.numel() for n in sample_weights(layers).values()) < 10_000
