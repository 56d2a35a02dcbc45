"""What a run takes for a finished training."""

import pytest

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
