"""Which tokenizer the rows of a judge are counted with."""

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.dataset.token_counts import load_template
from ste_plugin.errors import EngineError
from tests.helpers.hub_cache import downloaded


def test_rows_are_counted_with_the_tokenizer_of_the_revision_that_is_trained(
    tiny_model, tmp_path, monkeypatch
):
    downloaded(tmp_path, monkeypatch, "org/judge", v2=tiny_model)
    seed = ModelConfig(model="org/judge", engine="local", options={"revision": "v2"})
    assert load_template(seed, tmp_path).encode("Name a fruit.")
    with pytest.raises(EngineError, match="its tokenizer cannot be loaded"):
        load_template(seed.model_copy(update={"options": {}}), tmp_path)
