"""What `ste recipes fit` puts first."""

import json
import re
import subprocess
import sys
from itertools import pairwise

import pytest
import yaml

from ste_plugin.fitting.fit import best_first, fit_recipe, read_cluster
from ste_plugin.fitting.model_config import read_shape
from ste_plugin.storage.resources import shipped_folder

pytestmark = pytest.mark.usefixtures("warm_hosts")

LORA = {"adapter": "lora", "lora_r": 8}
QLORA = LORA | {"adapter": "qlora", "load_in_4bit": True}


def order(folder, model="8B", gpus="8x180", **recipes):
    """Return the names of recipes that differ from a common one, best first."""
    found = []
    for name, settings in recipes.items():
        path = folder / f"{name}.yaml"
        common = {"base_model": "x/Llama-8B", "bf16": True, "gradient_checkpointing": True}
        path.write_text(yaml.safe_dump(common | settings))
        found.append(fit_recipe(path, read_shape(model)[0], read_cluster(gpus)))
    return [fit.recipe for fit in best_first(found)]


def test_what_trains_more_of_the_model_comes_first(tmp_path):
    assert order(tmp_path, a=QLORA, b=LORA, c={}) == ["c", "b", "a"]


def test_of_equal_parts_what_is_nearer_to_the_paper_comes_first(tmp_path):
    methods = {"a": {"rl": "kto"}, "b": {"rl": "dpo"}, "c": {}, "d": {"rl": "orpo"}}
    letters = {"0": {"ste": {"decision": {}}}}
    found = order(tmp_path, **{name: LORA | method for name, method in (methods | letters).items()})
    assert found[:2] == ["c", "b"]
    assert found[-1] == "0"


def test_a_recipe_for_a_model_of_another_size_comes_after_those_for_this_one(tmp_path):
    found = order(
        tmp_path, a={"base_model": "x/Llama-70B"}, b=QLORA, c=LORA | {"base_model": "x/Tiny-135M"}
    )
    assert found == ["b", "a", "c"]


@pytest.mark.parametrize("base_model", ["x/Llama-7B", "my/model", "/models/judge"])
def test_a_size_that_is_near_or_not_named_is_as_good_as_the_same(tmp_path, base_model):
    assert order(tmp_path, a=LORA | {"base_model": base_model}, b=QLORA) == ["a", "b"]


def test_of_equals_what_leaves_more_memory_comes_first_and_then_the_name(tmp_path):
    found = order(
        tmp_path, a={"sequence_len": 4096}, c={"sequence_len": 1024}, b={"sequence_len": 1024}
    )
    assert found == ["b", "c", "a"]


def test_what_does_not_fit_comes_after_all_that_does(tmp_path):
    assert order(tmp_path, gpus="1x40", a={}, b=QLORA) == ["b", "a"]


def test_a_recipe_that_cannot_train_the_family_comes_after_all_that_can(tmp_path):
    sinks = {"model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2}
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "vocab_size": 128}
    (tmp_path / "config.json").write_text(json.dumps(sinks | sizes | heads))
    usual, eager = {"attn_implementation": "sdpa"}, {"attn_implementation": "eager"}
    assert order(tmp_path, model=str(tmp_path), a=usual, b=QLORA | eager) == ["b", "a"]


def test_the_command_prints_what_fits_first_and_one_line_for_what_does_not():
    command = [sys.executable, "-m", "ste_plugin", "recipes", "fit"]
    done = subprocess.run(
        [*command, "--model", "8B", "--gpus", "1x80"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()[3:]
    fitting = [n for n, fit in pairwise(lines) if fit.startswith("  fits: ")]
    others = [line.split()[0] for line in lines if " DOES NOT FIT: " in line]
    assert fitting[:3] == ["sft-full-8b", "sft-lora-8b", "dpo-lora-8b"]
    unsuited = [line.split()[0] for line in lines if " NOT FOR THIS MODEL: " in line]
    assert others[0] == "dpo-full-8b"
    assert unsuited == ["sft-lora-gpt-oss-20b"]
    assert len(lines) == 2 * len(fitting) + len(others) + len(unsuited)
    assert sorted(fitting + others + unsuited) == sorted(
        p.stem for p in shipped_folder("recipes").glob("*.yaml")
    )
    refusal = re.compile(r"\d of 80 GB per GPU, most is \w+ \d.*; would fit: ")
    refused = [line for line in lines[2 * len(fitting) :] if " NOT FOR THIS MODEL: " not in line]
    assert all(refusal.search(line) for line in refused)
