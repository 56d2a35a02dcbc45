"""What a run takes for a finished training."""

import pytest

from ste_plugin.errors import DataError
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.training_manifest import NAME, digest_files, find_trained_model


def trained(folder, **told):
    final = folder / "merged"
    final.mkdir()
    (final / "config.json").write_text("{}")
    content = {"final": "merged", "data_sha256": {}, "seal": digest_files(final)}
    replace_json(folder / NAME, content | told)
    return final


@pytest.mark.parametrize("told", [{}, {"steps": 1, "train_loss": 0.5}])
def test_a_training_that_took_steps_is_finished(tmp_path, told):
    assert find_trained_model(tmp_path) is None
    assert trained(tmp_path, **told) == find_trained_model(tmp_path)


def test_a_training_of_no_step_is_not(tmp_path):
    trained(tmp_path, steps=0, train_loss=0.0)
    assert find_trained_model(tmp_path) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"final": None},
        {"final": ["merged"]},
        {"data_sha256": None},
        {"data_sha256": ["sft-train"]},
        {"seal": None},
        {"seal": "0123"},
        {"steps": "0"},
        {"steps": -1},
        {"steps": False},
    ],
)
def test_a_manifest_with_values_of_other_types_is_refused(tmp_path, damage):
    trained(tmp_path, **damage)
    with pytest.raises(DataError, match="not what a training writes"):
        find_trained_model(tmp_path)
