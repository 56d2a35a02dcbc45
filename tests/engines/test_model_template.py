"""What is known of a model's chat template without running the model."""

from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines.model_template import find_template


def test_a_model_whose_folder_is_here_has_its_template_told(tiny_model):
    model = ModelConfig(model=Path(tiny_model).name)
    template = find_template(model, Path(tiny_model).parent)
    assert template is not None
    assert template.layout.turn_end == "<|im_end|>"


def test_a_name_on_a_server_and_a_folder_without_a_tokenizer_tell_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    assert find_template(ModelConfig(model="empty"), tmp_path) is None
    assert find_template(ModelConfig(model="somebodys/model"), tmp_path) is None
