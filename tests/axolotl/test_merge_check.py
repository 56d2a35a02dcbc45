"""The merged model is held against the one that was trained, before it is called finished."""

import json
import math
import subprocess
from types import SimpleNamespace

import pytest

from ste_plugin.axolotl import merge_check
from ste_plugin.axolotl.held_out import read_held_out
from ste_plugin.axolotl.measure_model import NO_MEMORY
from ste_plugin.axolotl.merge_check import (
    PROMPTS,
    Answers,
    answers,
    check_merged,
    largest_difference,
    questions,
    tolerance,
)
from ste_plugin.axolotl.strategies import template_of
from ste_plugin.errors import HostError
from ste_plugin.records import ORDERS
from ste_plugin.storage.dataset_manifest import read_manifest
from tests.helpers.manifests import written
from tests.helpers.tiny_model import tiny_tokenizer

TOLD = Answers([[5, 6]], [[7, 8]], [[-1.0, -2.0]])


def config(**keys):
    names = ("bf16", "bfloat16", "fp16", "float16", "tf32", "load_in_4bit", "load_in_8bit")
    names += ("trust_remote_code",)
    return SimpleNamespace(**{name: keys.get(name) for name in names})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged/config.json").write_text('{"dtype": "float32"}')
    return tmp_path / "merged"


@pytest.fixture
def replies(monkeypatch):
    """The process that measures a model, played: it gives the last of these."""
    given: list = []

    def run(_):
        code, found = given[-1]
        return subprocess.CompletedProcess([], code, f"\nSTE {json.dumps(found)}\n", "torn")

    monkeypatch.setattr(merge_check, "_run", run)
    monkeypatch.setattr(merge_check, "_free_gpu", lambda: False)
    return given


def test_an_equal_model_is_the_judge_and_the_difference_is_told(folder, replies):
    replies.append((0, [[-1.0001, -2.0]]))
    record = check_merged(TOLD, folder, "legacy", config())
    assert record == {
        "method": "legacy",
        "prompts": 1,
        "difference": pytest.approx(0.0001),
    }


@pytest.mark.parametrize("found", [[-1.0, -2.6], [-1.0, math.nan]])
def test_another_model_is_not_the_judge(folder, replies, found):
    replies.append((0, [found]))
    with pytest.raises(HostError) as error:
        check_merged(TOLD, folder, "memory_efficient", config())
    told = str(error.value)
    assert f"{folder}: the merged model is not the one that was trained" in told
    assert "differs by" in told
    assert "expected at most 0.001" in told
    assert f"The adapter is whole, in {folder.parent}: merge it elsewhere" in told


@pytest.mark.parametrize("code", [NO_MEMORY, -9])
def test_a_model_that_does_not_fit_is_told_as_unchecked(folder, replies, code):
    replies.append((code, None))
    record = check_merged(TOLD, folder, "memory_efficient", config())
    assert record["not_checked"] == "it does not fit into memory"
    assert (record["prompts"], record["difference"]) == (0, None)


def test_a_model_that_cannot_be_loaded_is_no_judge(folder, replies):
    replies.append((1, None))
    with pytest.raises(
        HostError, match=r"cannot be loaded, so it is no judge: torn(.|\n)*outside of a run"
    ):
        check_merged(TOLD, folder, "memory_efficient", config())


def test_without_prompts_nothing_is_loaded(folder):
    record = check_merged(Answers([], [], []), folder, "legacy", config())
    assert record["not_checked"] == "there are no prompts"


@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        ({}, 0.001),
        ({"tf32": True}, 0.1),
        ({"fp16": True}, 0.1),
        ({"bf16": True}, 0.5),
        ({"bf16": "auto"}, 0.5),
        ({"bf16": False, "bfloat16": True}, 0.5),
        ({"float16": True}, 0.1),
        ({"bf16": True, "load_in_4bit": True}, 1.0),
        ({"load_in_8bit": True}, 1.0),
    ],
)
def test_the_coarsest_numbers_say_how_much_rounding_may_change(folder, keys, allowed):
    assert tolerance(config(**keys), folder) == allowed


@pytest.mark.parametrize(
    ("stored", "allowed"),
    [
        ({"dtype": "bfloat16"}, 0.5),
        ({"torch_dtype": "float16"}, 0.1),
        ({"text_config": {"dtype": "bfloat16"}}, 0.5),
        ({}, 0.5),
    ],
)
def test_weights_are_as_coarse_as_they_are_stored(folder, stored, allowed):
    (folder / "config.json").write_text(json.dumps(stored))
    assert tolerance(config(), folder) == allowed


def test_a_difference_of_anything_to_no_number_is_none():
    assert largest_difference([[1.0], [2.0]], [[1.0], [2.5]]) == 0.5
    assert math.isnan(largest_difference([[math.nan], [2.0]], [[1.0], [2.5]]))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return read_manifest(written(tmp_path_factory.mktemp("rows"), train=6, dev=6))


def test_both_letters_are_compared_behind_held_out_prompts(manifest):
    template = template_of(tiny_tokenizer(), manifest)
    held_out = read_held_out(manifest, 100)
    found = questions(manifest, held_out, template, "sft")
    assert len(found) == PROMPTS < len(held_out)
    for prompt, (ids, letters) in zip(held_out, found, strict=False):
        text = template.answer_prompt(prompt.messages, prompt.opening)
        assert ids == template.encode(text)
        assert [template.encode(text + letter) for letter in ORDERS] == [[*ids, t] for t in letters]


@pytest.mark.parametrize("rows", ["sft", "dpo", "kto", "grpo"])
def test_where_nothing_is_held_out_prompts_of_the_training_are_asked(manifest, rows):
    found = questions(manifest, [], template_of(tiny_tokenizer(), manifest), rows)
    assert len(found) == PROMPTS
    assert all(prompt and not letters for prompt, letters in found)


def test_a_folder_is_measured_in_a_process_of_its_own(tiny_model, manifest):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    asked = questions(manifest, [], template_of(tiny_tokenizer(), manifest), "sft")
    with torch.no_grad():
        told = answers(model, asked)
    assert all(len(tokens) == len(ORDERS) for tokens in told.watched)
    assert check_merged(told, tiny_model, "legacy", config())["difference"] < 1e-5
    with torch.no_grad():
        model.get_input_embeddings().weight += 0.1 * torch.randn(model.vocab_size, 64)
        other = answers(model, asked)
    with pytest.raises(HostError, match="not the one that was trained"):
        check_merged(other, tiny_model, "legacy", config())
