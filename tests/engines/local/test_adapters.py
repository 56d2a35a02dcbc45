"""LoRA adapters in the local engine, and the keys that tell one adapter and base from another."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.local.loading import load
from ste_plugin.engines.local.model import LocalEngine
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.model_folder import adapter_base
from ste_plugin.errors import EngineError

QUESTIONS = [
    ChatRequest("m", (Message("user", text),), Sampling(temperature, 1.0, 12), i)
    for text in ("Name a fruit.", "Say why in two sentences.")
    for temperature, i in ((0.0, 0), (1.0, 0), (1.0, 1))
]


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory) -> Path:
    """Folder of a PEFT adapter of the tiny model, with weights far from zero."""
    return make_adapter(tiny_model, tmp_path_factory.mktemp("adapters") / "adapter")


def make_adapter(base: Path, folder: Path, seed: int = 0) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = LoraConfig(
        r=4, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False
    )
    adapted = get_peft_model(model, settings)
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_" in name:
                weights.normal_(0, 0.3)
    adapted.save_pretrained(folder)
    return folder


def answers(path: Path) -> dict[str, str]:
    options = LocalOptions(dtype="float32")
    return {
        c.key: c.text for c in LocalEngine(load(str(path), options), options).complete(QUESTIONS)
    }


def copy_with_base(adapter: Path, folder: Path, base: str | None) -> Path:
    shutil.copytree(adapter, folder)
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text()) | {"base_model_name_or_path": base}
    config.write_text(json.dumps(settings))
    return folder


def test_an_adapter_answers_as_the_model_merged_from_it(adapter, tiny_model, tmp_path):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    merged = AutoPeftModelForCausalLM.from_pretrained(
        adapter, dtype=torch.float32
    ).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "merged")
    assert answers(adapter) == answers(tmp_path / "merged")
    assert answers(adapter) != answers(tiny_model)


def test_a_folder_of_an_adapter_alone_names_its_base(adapter, tiny_model):
    assert adapter_base(adapter) == str(tiny_model)
    assert adapter_base(tiny_model) is None


def test_an_adapter_is_one_with_its_base_s_config_beside_it_too_and_whole_weights_are_a_model(
    adapter, tiny_model, tmp_path
):
    shutil.copytree(adapter, tmp_path / "as axolotl leaves it")
    shutil.copy(tiny_model / "config.json", tmp_path / "as axolotl leaves it")
    assert adapter_base(tmp_path / "as axolotl leaves it") == str(tiny_model)
    shutil.copytree(tiny_model, tmp_path / "merged")
    shutil.copy(adapter / "adapter_config.json", tmp_path / "merged")
    assert adapter_base(tmp_path / "merged") is None


def test_a_base_beside_the_adapter_is_found_there(adapter, tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "base")
    beside = copy_with_base(adapter, tmp_path / "adapter", "../base")
    assert answers(beside) == answers(adapter)
    assert fingerprint(beside) == fingerprint(adapter)


def test_another_base_under_the_same_adapter_is_another_model(adapter, tiny_model, tmp_path):
    base = shutil.copytree(tiny_model, tmp_path / "base")
    other = copy_with_base(adapter, tmp_path / "adapter", str(base))
    assert fingerprint(other) == fingerprint(adapter)
    weights = bytearray((base / "model.safetensors").read_bytes())
    weights[-2] ^= 0xFF
    (base / "model.safetensors").write_bytes(weights)
    assert fingerprint(other) != fingerprint(adapter)


def test_other_adapter_weights_on_the_same_base_are_another_model(adapter, tiny_model, tmp_path):
    other = make_adapter(tiny_model, tmp_path / "other", seed=1)
    assert fingerprint(other) != fingerprint(adapter)


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_count_in_either_file_format(tmp_path, suffix):
    for number, name in enumerate(("one", "two")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"model{suffix}").write_bytes(bytes([number]) * 10_000)
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")


@pytest.mark.parametrize("base", [None, "", 3])
def test_an_adapter_without_a_base_says_what_is_expected(adapter, tmp_path, base):
    broken = copy_with_base(adapter, tmp_path / "adapter", base)
    with pytest.raises(EngineError, match=r"adapter_config\.json.*trained on"):
        load(str(broken), LocalOptions())


def test_an_adapter_of_another_shape_says_that_it_does_not_fit(adapter, tiny_model, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(tiny_model, hidden_size=32)
    shutil.copytree(tiny_model, tmp_path / "base")
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    odd = copy_with_base(adapter, tmp_path / "adapter", str(tmp_path / "base"))
    with pytest.raises(EngineError, match=r"does not fit its base.*size mismatch"):
        load(str(odd), LocalOptions())


def test_an_adapter_for_tensors_of_other_names_does_not_pass_for_its_base(adapter, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, tmp_path / "adapter")
    path = tmp_path / "adapter/adapter_model.safetensors"
    named = {
        k.replace(".layers.", ".language_model.layers."): v for k, v in load_file(path).items()
    }
    save_file(named, path)
    with pytest.raises(EngineError, match=r"does not fit its base.*missing adapter keys"):
        load(str(tmp_path / "adapter"), LocalOptions())


def test_weights_that_lack_tensors_are_not_filled_up_at_random(tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_model, tmp_path / "model")
    path = tmp_path / "model/model.safetensors"
    whole = load_file(path)
    save_file({k: v for k, v in whole.items() if ".layers.1." not in k}, path, {"format": "pt"})
    with pytest.raises(EngineError, match=r"lack \d+ tensors.*layers\.1\..*random"):
        load(str(tmp_path / "model"), LocalOptions())


def test_without_peft_the_cure_is_named(adapter, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)  # Python's own way to say: not installed
    with pytest.raises(EngineError, match="pip install peft"):
        load(str(adapter), LocalOptions())
