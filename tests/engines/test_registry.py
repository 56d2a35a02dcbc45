"""`engine: auto`: what it picks, that it says so once, and whose options it takes."""

from contextlib import closing
from pathlib import Path

import pytest

from ste_plugin.config import ModelConfig, ServeConfig
from ste_plugin.engines import ChatRequest, Message, Place, Sampling, registry
from ste_plugin.engines.identity import model_identity
from ste_plugin.engines.local import engine as local
from ste_plugin.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def place(said: list[str] | None = None, **serve) -> Place:
    say = print if said is None else said.append
    return Place(Path(), Path(), ServeConfig(**serve), say)


def test_auto_is_the_default():
    assert ModelConfig(model="m").engine == "auto"


def test_without_a_gpu_it_is_local():
    name, why = registry.pick_engine(place())
    assert name == "local"
    assert "vLLM" in why


def test_vllm_without_a_gpu_is_not_picked(tmp_path, monkeypatch):
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "__init__.py").write_text("raise RuntimeError('imported too early')")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.pick_engine(place()) == (
        "local",
        "vLLM is installed, but there is no CUDA device",
    )


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ({"python": "/opt/vllm/bin/python"}, "/opt/vllm/bin/python"),
        ({"command": ("start-sglang", "{port}")}, "hosts.serve.command"),
    ],
)
def test_an_environment_for_a_server_makes_it_serve(serve, words):
    name, why = registry.pick_engine(place(**serve))
    assert name == "serve"
    assert words in why


def test_what_was_picked_and_why_is_said_once():
    said: list[str] = []
    where = place(said)
    for name in ("first", "second"):
        registry.create(ModelConfig(model=name), where).close()
    assert len(said) == 1
    assert said[0].startswith("engine: auto is local, as vLLM is")


def test_another_engine_than_auto_is_left_as_it_is():
    said: list[str] = []
    model = ModelConfig(model="m", engine="http", options={"base_url": "http://localhost"})
    assert registry.resolve_engine(model, place(said)) is model
    assert said == []


@pytest.mark.parametrize(
    ("option", "others"),
    [
        ("tensor_parallel_size", "vllm and serve have it. Set engine: vllm"),
        ("base_url", "http has it. Set engine: http"),
        ("start_timeout_s", "serve has it. Set engine: serve"),
    ],
)
def test_an_option_of_another_engine_names_the_engines_that_have_it(option, others):
    with pytest.raises(ConfigError) as caught:
        registry.create(ModelConfig(model="m", options={option: 2}), place())
    assert "engine auto is local, as vLLM is" in str(caught.value)
    assert others in str(caught.value)


def test_an_option_of_no_engine_is_refused_by_the_picked_one():
    with pytest.raises(ConfigError, match=r"engine local:(.|\n)*bacth: unknown key; there are"):
        registry.create(ModelConfig(model="m", options={"bacth": 2}), place())


def test_options_of_the_picked_engine_are_taken():
    model = ModelConfig(model="m", options={"tensor_parallel_size": 2})
    assert registry.resolve_engine(model, place(python="python")).engine == "serve"


def test_auto_answers_as_the_engine_that_it_picked(tiny_model):
    requests = [
        ChatRequest("m", (Message("user", "Name a fruit."),), Sampling(1.0, 1.0, 8), i)
        for i in range(3)
    ]
    model = ModelConfig(model=str(tiny_model))
    found = []
    for create in (registry.create, local.create):
        with closing(create(model, place())) as engine:
            found.append(list(engine.complete(requests)))
    assert found[0] == found[1]
    assert len(found[0]) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"thinking": {"open": "<scratch>", "close": "</scratch>"}},
        {"options": {"dtype": "bfloat16"}},
        {"options": {"revision": "v2"}},
        {"options": {"quantization": "fp8"}},
        {"options": {"arguments": ["--chat-template", "x.jinja"]}},
        {"options": {"arguments": ["--port=8000", "--kv-cache-dtype", "fp8"]}},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_what_changes_the_answers_changes_a_models_identity_so_that_they_are_asked_for_anew(change):
    before, after = ModelConfig(model="org/m"), ModelConfig(model="org/m", **change)
    assert model_identity(before, Path()) != model_identity(after, Path())


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "auto", "max_model_len": 4096},
        {"quantization": None, "prefill": "vllm", "arguments": []},
        {"arguments": ["--gpu-memory-utilization", "0.8", "--max_num_seqs=8", "--max-model-len"]},
        {"arguments": ["--no-enable-chunked-prefill", "-tp", "2", "--data-parallel-size", "-1"]},
        {"arguments": ["--master-addr", "10.0.0.1", "-dcp", "2", "--enable-expert-parallel"]},
    ],
)
def test_how_a_model_is_run_is_no_part_of_its_identity(options):
    same = ModelConfig(model="org/m", options=options)
    assert model_identity(same, Path()) == "org/m@main"


def test_of_a_server_s_arguments_those_that_say_how_it_runs_may_stand_anywhere():
    one = ["--quantization", "fp8", "--chat-template", "x"]
    other = ["-tp", "2", "--quantization", "fp8", "--port", "80", "--chat-template", "x"]
    one, other = (ModelConfig(model="m", options={"arguments": a}) for a in (one, other))
    assert model_identity(one, Path()) == model_identity(other, Path())


def test_the_engine_is_no_part_of_a_models_identity(tiny_model):
    identities = {
        model_identity(ModelConfig(model=str(tiny_model), engine=engine), Path())
        for engine in ("auto", "local", "vllm", "serve")
    }
    assert len(identities) == 1
