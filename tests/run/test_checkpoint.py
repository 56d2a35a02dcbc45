"""What stands for a policy: a folder or a name at a server, and how it will be asked."""

import json
import shutil

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.run.checkpoint import find_checkpoint
from tests.helpers.builders import config

JUDGE = "{model: some/judge, engine: local, options: {dtype: float32, revision: v1}}"
SERVER = {"base_url": "http://127.0.0.1:1/v1"}
AT_SERVER = (
    "{model: step-1, engine: http, options: {base_url: 'http://127.0.0.1:2/v1', concurrency: 3}, "
    "chat_template_kwargs: {enable_thinking: false}}"
)


def found(folder, name, server=(), options=(), known=(), **settings):
    given = config(folder, judge=JUDGE, **settings)
    return find_checkpoint(str(name), given, folder, dict(server), dict(options), dict(known))


def test_a_folder_is_loaded_as_the_judge_is_but_for_its_revision(tmp_path, tiny_model):
    shutil.copytree(tiny_model, tmp_path / "policy")
    checkpoint = found(tmp_path, tmp_path / "policy", options={"attention": "sdpa"})
    assert (checkpoint.model.model, checkpoint.model.engine) == ("policy", "local")
    assert checkpoint.model.options == {"dtype": "float32", "attention": "sdpa"}


def test_a_folder_is_prompted_as_the_generator_is_even_where_that_is_at_a_server(
    tmp_path, tiny_model
):
    checkpoint = found(tmp_path, tiny_model, generator=AT_SERVER)
    assert checkpoint.model.engine == "local"
    assert checkpoint.model.chat_template_kwargs == {"enable_thinking": False}


def test_a_name_is_asked_of_the_generators_server_or_of_the_one_that_is_given(tmp_path):
    own = found(tmp_path, "step-2", generator=AT_SERVER).model
    assert (own.model, own.engine, own.options["concurrency"]) == ("step-2", "http", 3)
    other = found(tmp_path, "step-2", SERVER, generator=AT_SERVER)
    assert other.model.options == SERVER
    assert other.identity == "served:step-2"


def test_with_a_server_a_folder_is_the_name_that_the_server_knows_it_by(tmp_path, tiny_model):
    checkpoint = found(tmp_path, tiny_model, SERVER)
    assert (checkpoint.model.engine, checkpoint.folder) == ("http", None)


def test_an_adapters_folder_is_a_policy_where_its_base_is_one(tmp_path, tiny_model):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    shutil.copy(tiny_model / "model.safetensors", adapter / "adapter_model.safetensors")
    named = {"base_model_name_or_path": str(tiny_model)}
    (adapter / "adapter_config.json").write_text(json.dumps(named))
    assert found(tmp_path, adapter).identity != found(tmp_path, tiny_model).identity
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/gone"}))
    with pytest.raises(Exception, match="its base /gone: no such folder"):
        found(tmp_path, adapter)


def test_a_copy_is_the_same_checkpoint_and_other_weights_are_not(tmp_path, tiny_model):
    shutil.copytree(tiny_model, tmp_path / "copy")
    first, second = found(tmp_path, tiny_model), found(tmp_path, tmp_path / "copy")
    assert first.identity == second.identity
    weights = tmp_path / "copy/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert found(tmp_path, tmp_path / "copy").identity != first.identity


def test_one_that_was_followed_may_be_gone_and_another_may_not(tmp_path):
    gone = tmp_path / "policy/step-1"
    checkpoint = found(tmp_path, gone, known={str(gone): "folder:abc"})
    assert (checkpoint.identity, checkpoint.folder) == ("folder:abc", None)
    with pytest.raises(ConfigError, match="step-2: no such folder"):
        found(tmp_path, tmp_path / "policy/step-2", known={str(gone): "folder:abc"})
