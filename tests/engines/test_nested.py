"""A model in replicas on a cluster is the same model: in keys, in weights, in what it shares."""

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.identity import model_identity
from ste_plugin.engines.model_pool import share_hardware
from ste_plugin.engines.nested import answering_model, with_trained_weights


def on_ray(model: str = "m", engine: str = "local", **options) -> ModelConfig:
    nested = {"engine": engine, "engine_options": options, "replicas": 2}
    return ModelConfig(model=model, engine="ray", options=nested)


@pytest.mark.parametrize(
    "options", [{}, {"revision": "v2"}, {"extra_body": {"top_k": 1}, "omit": ["seed"]}]
)
def test_keys_name_a_model_on_a_cluster_as_on_one_machine(options, tmp_path):
    alone = ModelConfig(model="m", engine="local", options=options)
    assert model_identity(on_ray(**options), tmp_path) == model_identity(alone, tmp_path)


def test_a_folder_s_weights_are_in_keys_on_a_cluster_too(tiny_model, tmp_path):
    alone = ModelConfig(model=str(tiny_model), engine="vllm")
    assert model_identity(on_ray(str(tiny_model)), tmp_path) == model_identity(alone, tmp_path)
    assert model_identity(alone, tmp_path).startswith("folder:")


def test_a_trained_model_takes_the_place_of_the_seed_without_the_seed_s_revision():
    trained = with_trained_weights(on_ray(revision="v2", dtype="float32"), "/models/trained")
    assert answering_model(trained) == ModelConfig(
        model="/models/trained", engine="local", options={"dtype": "float32"}
    )
    alone = ModelConfig(model="m", engine="vllm", options={"revision": "v2", "dtype": "float32"})
    assert with_trained_weights(alone, "x").options == {"dtype": "float32"}


@pytest.mark.parametrize("nested", ["text", None, ["a"]])
def test_nested_options_that_are_none_are_left_to_their_engine(nested):
    model = ModelConfig(model="m", engine="ray", options={"engine_options": nested})
    assert answering_model(model) is model


def test_two_models_on_a_cluster_follow_each_other_unless_one_is_served_elsewhere():
    assert share_hardware(on_ray("a"), on_ray("b"))
    assert share_hardware(on_ray("a"), ModelConfig(model="b", engine="local"))
    assert not share_hardware(on_ray("a", engine="http"), on_ray("b"))
