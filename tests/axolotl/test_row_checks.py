"""Training rows: what is refused before a GPU is touched, and what a trainer really learns from."""

import os
from functools import cache
from pathlib import Path

import pytest
import yaml

from ste_plugin.axolotl.row_checks import check_rows
from ste_plugin.axolotl.token_checks import check_tokens
from ste_plugin.errors import DataError
from ste_plugin.storage.dataset_manifest import read_manifest
from tests.helpers.axolotl_runs import ENVIRONMENT, ON_A_CPU
from tests.helpers.manifests import written
from tests.helpers.tiny_model import tiny_tokenizer

HEADED = (
    "{{ bos_token }}{% for m in messages %}<|head|>{{ m['role'] }}<|/head|>\n\n"
    "{{ m['content'] | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}"
)
"""As Llama 3's: headers, a BOS from both template and tokenizer, trimmed contents."""


@cache
def chatml():
    """A tokenizer that has no BOS."""
    return tiny_tokenizer()


def headed():
    """A tokenizer that puts a BOS before every text by itself."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    special = ["<|head|>", "<|/head|>", "<|eot|>"]
    tokenizer.add_special_tokens(
        {"bos_token": "<|bos|>", "eos_token": "<|eot|>", "additional_special_tokens": special}
    )
    bos = ("<|bos|>", tokenizer.convert_tokens_to_ids("<|bos|>"))
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=f"{bos[0]} $A", pair=f"{bos[0]} $A $B", special_tokens=[bos]
    )
    tokenizer.chat_template = HEADED
    return tokenizer


def edited(name: str, change):
    """An `edit` for `written` that changes the first row of one file."""

    def edit(found: str, rows: list[dict]) -> list[dict]:
        if found == name:
            rows[0] = change(rows[0])
        return rows

    return edit


def refused(folder: Path, rows: str, edit) -> str:
    with pytest.raises(DataError) as caught:
        check_rows(read_manifest(written(folder, edit=edit)), rows)
    return str(caught.value)


# --- by their content ---


@pytest.mark.parametrize("rows", ["sft", "dpo", "kto", "grpo"])
def test_rows_as_they_are_written_pass(tmp_path, rows):
    manifest = read_manifest(written(tmp_path))
    assert check_rows(manifest, rows) is None
    rl = None if rows == "sft" else rows
    assert check_tokens(manifest, rl, chatml(), 256) is None
    assert check_tokens(manifest, rl, headed(), 256) is None


COLUMNS = [
    ("sft", "messages"),
    ("dpo", "chosen"),
    ("dpo", "rejected"),
    ("kto", "label"),
    ("kto", "reply"),
    ("grpo", "prompt"),
    ("grpo", "judge_format"),
    ("sft", "instruction"),
    ("grpo", "better_is"),
    ("grpo", "pair"),
]


@pytest.mark.parametrize(("rows", "column"), COLUMNS)
def test_a_missing_column_names_file_line_and_column(tmp_path, rows, column):
    def without(row):
        return {key: value for key, value in row.items() if key != column}

    told = refused(tmp_path, rows, edited(f"{rows}-train", without))
    assert f"{rows}-train-" in told and ".jsonl:1: expected " in told and repr(column) in told


def test_a_column_of_another_type_is_refused(tmp_path):
    told = refused(tmp_path, "kto", edited("kto-train", lambda row: row | {"label": "yes"}))
    assert "'label' to be bool, found str" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[[A]] ", "not stripped"),
        ("\n[[A]]", "not stripped"),
        ("", "empty"),
        ("  ", "empty"),
        (None, "without text"),
        (["[[A]]"], "without text"),
    ],
)
@pytest.mark.parametrize(
    ("rows", "column"), [("dpo", "chosen"), ("dpo", "rejected"), ("kto", "reply")]
)
def test_a_judgment_that_a_template_would_lose_is_refused(tmp_path, content, told, rows, column):
    reply = {"role": "assistant", "content": content}
    found = refused(tmp_path, rows, edited(f"{rows}-train", lambda row: row | {column: reply}))
    assert ".jsonl:1:" in found and told in found


def test_the_judgment_of_a_supervised_row_is_its_last_turn(tmp_path):
    def loosened(row):
        return row | {
            "messages": [*row["messages"][:-1], {"role": "assistant", "content": " [[A]]"}]
        }

    assert "not stripped" in refused(tmp_path, "sft", edited("sft-train", loosened))


def test_a_supervised_row_without_a_turn_is_refused(tmp_path):
    told = refused(tmp_path, "sft", edited("sft-train", lambda row: row | {"messages": []}))
    assert "a judgment without text" in told


def test_rows_in_which_one_letter_is_mostly_right_are_refused(tmp_path):
    def mostly_a(name, rows):
        return [r for r in rows if r["better_is"] == "A"] if name == "sft-train" else rows

    told = refused(tmp_path, "sft", mostly_a)
    assert "in 6 of 6 training prompts the right letter is A" in told


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_training_instruction_among_the_held_out_ones_is_refused(tmp_path, split):
    def leaked(row):
        return row | {"instruction": f"{split}-i0"}

    told = refused(tmp_path, "dpo", edited("dpo-train", leaked))
    assert f"its instruction '{split}-i0' is also among the held-out pairs" in told


# --- as a trainer gets them ---


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("rows"), form="brief", train=3)


@pytest.fixture(scope="module", params=["chatml", "headed"])
def model(request, tiny_model, tmp_path_factory):
    """(folder of a model, its tokenizer, BOS or None, end of turn)."""
    from transformers import AutoModelForCausalLM

    tokenizer = chatml() if request.param == "chatml" else headed()
    folder = tmp_path_factory.mktemp(request.param)
    weights = AutoModelForCausalLM.from_pretrained(tiny_model)
    weights.resize_token_embeddings(len(tokenizer))
    weights.config.eos_token_id = weights.generation_config.eos_token_id = tokenizer.eos_token_id
    weights.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    bos, end = (None, "<|im_end|>") if request.param == "chatml" else ("<|bos|>", "<|eot|>")
    return folder, tokenizer, bos, end


def batches(folder: Path, model: Path, manifest: Path, rl: str | None):
    """The batches that axolotl's own trainer would train on."""
    os.environ.update(ENVIRONMENT)
    from axolotl.cli.config import load_cfg
    from axolotl.common import datasets
    from axolotl.train import setup_model_and_trainer

    config = folder / "config.yaml"
    settings = {
        **ON_A_CPU,
        "base_model": str(model),
        "plugins": ["ste_plugin.axolotl.STEPlugin"],
        "ste": {"manifest": str(manifest)},
        "output_dir": str(folder / "out"),
        "dataset_prepared_path": str(folder / "prepared"),
        "rl": rl,
    }
    config.write_text(yaml.safe_dump({k: v for k, v in settings.items() if v is not None}))
    cfg = load_cfg(str(config))
    load = datasets.load_preference_datasets if rl else datasets.load_datasets
    trainer = setup_model_and_trainer(cfg, load(cfg=cfg))[0]
    return list(trainer.get_train_dataloader())


def learnt(batch: dict) -> list[tuple[list[int], list[int], list[int]]]:
    """Tokens before what is trained, trained, and after it, padding left out, of every row."""
    trained = batch["labels"] != -100 if "labels" in batch else batch["completion_mask"] == 1
    found = []
    for ids, real, mask in zip(batch["input_ids"], batch["attention_mask"], trained, strict=True):
        ids, mask = ids[real == 1].tolist(), mask[real == 1].tolist()
        first, last = mask.index(True), len(mask) - mask[::-1].index(True)
        assert all(mask[first:last])
        found.append((ids[:first], ids[first:last], ids[last:]))
    return found


def expected(path: Path, rl: str | None) -> set[tuple[str, str]]:
    """(prompt, judgment) of every row in the manifest."""
    found = set()
    for _, row in read_manifest(path).rows(f"{rl or 'sft'}-train"):
        said = [row[c] for c in ("chosen", "rejected", "reply") if c in row] or [row["messages"][1]]
        found |= {(row["messages"][0]["content"], reply["content"]) for reply in said}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rl", [None, "dpo", "kto"])
def test_exactly_the_judgment_and_the_end_of_its_turn_are_learnt(tmp_path, model, manifest, rl):
    folder, tokenizer, bos, end = model
    seen = set()
    for batch in batches(tmp_path, folder, manifest, rl):
        for before, trained, after in learnt(batch):
            prompt, judgment = tokenizer.decode(before), tokenizer.decode(trained)
            assert before.count(tokenizer.bos_token_id) == (0 if bos is None else 1)
            assert bos is None or before[0] == tokenizer.bos_token_id
            assert trained[-1] == tokenizer.convert_tokens_to_ids(end)
            assert tokenizer.decode(after).strip() == ""
            assert prompt.endswith(("assistant\n", "assistant<|/head|>\n\n"))
            asked = prompt.split("user\n")[-1].split("user<|/head|>\n\n")[-1].split(end)[0]
            seen.add((asked, judgment.removesuffix(end)))
    assert seen == expected(manifest, rl)
