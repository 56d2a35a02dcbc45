"""Published judgments as a data set: the authors' form, other forms, and what is left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ste_plugin.axolotl.row_checks import check_rows
from ste_plugin.dataset.import_judgments import import_judgments
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.builtin import CRITERIA
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest
from tests.helpers.command import ste
from tests.helpers.source_files import written

SYSTEM = "Judge the two answers. End with [[A]] or [[B]]."
MARKS = "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"


def shown(asked: str, a: str = "Good.", b: str = "Bad.") -> str:
    return (
        f"[User Question]\n{asked}\n\n[The Start of Assistant A's Answer]\n{a}\n"
        f"[The End of Assistant A's Answer]\n\n[The Start of Assistant B's Answer]\n{b}\n"
        "[The End of Assistant B's Answer]"
    )


def released(asked: str, better: str = "A", **more: Any) -> dict[str, Any]:
    """A row as the authors of the Self-Taught Evaluator release it."""
    answers = ("Good.", "Bad.") if better == "A" else ("Bad.", "Good.")
    other = "B" if better == "A" else "A"
    return {
        "id": asked,
        "src": f"{SYSTEM}{MARKS}{shown(asked, *answers)}",
        "tgt_chosen": f"It is right. [[{better}]]",
        "tgt_rejected": f"It is long. [[{other}]]",
        **more,
    }


def both_orders(count: int = 40) -> list[dict[str, Any]]:
    return [released(f"What is {n}?", letter) for n in range(count) for letter in "AB"]


def imported(folder: Path, *rows: dict[str, Any], **more: Any) -> DatasetManifest:
    path = written(folder, *rows, name="judgments.jsonl")
    return read_manifest(import_judgments([path], folder / "out", CRITERIA, **more))


def rows_of(manifest: DatasetManifest, name: str) -> list[dict[str, Any]]:
    return [row for _, row in manifest.rows(name)]


def test_the_released_form_becomes_turns_and_judgments(tmp_path: Path):
    manifest = imported(tmp_path, *both_orders(), dev_fraction=0.0)
    first = rows_of(manifest, "dpo-train")[0]
    assert first["messages"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": shown("What is 0?")},
    ]
    assert first["chosen"] == {"role": "assistant", "content": "It is right. [[A]]"}
    assert first["rejected"] == {"role": "assistant", "content": "It is long. [[B]]"}
    assert first["better_is"] == "A"
    sft = rows_of(manifest, "sft-train")[0]
    assert sft["messages"] == [*first["messages"], first["chosen"]]


def test_a_training_takes_the_rows_as_its_own(tmp_path: Path):
    manifest = imported(tmp_path, *both_orders())
    for rows in ("sft", "dpo"):
        manifest.verify(*manifest.training_files(rows))
        check_rows(manifest, rows)
    assert manifest.count("sft-train") == manifest.count("dpo-train") > 60


def test_both_orders_of_a_pair_are_on_one_side(tmp_path: Path):
    manifest = imported(tmp_path, *both_orders(100), dev_fraction=0.3)
    of = {
        split: Counter(r["instruction"] for r in rows_of(manifest, f"dpo-{split}"))
        for split in ("train", "dev")
    }
    assert of["train"].keys() & of["dev"].keys() == set()
    assert {*of["train"].values(), *of["dev"].values()} == {2}


def test_one_prompt_with_several_pairs_of_judgments_is_learnt_once_by_sft(tmp_path: Path):
    twice = [released("Why?"), released("Why?", tgt_rejected="No idea.")]
    manifest = imported(tmp_path, *twice, dev_fraction=0.0)
    assert (manifest.count("sft-train"), manifest.count("dpo-train")) == (1, 2)


CHAT = {
    "prompt": [{"role": "user", "content": shown("Why?")}],
    "chosen": [{"role": "assistant", "content": "So. [[A]]"}],
    "rejected": {"role": "assistant", "content": "No. [[B]]"},
}


@pytest.mark.parametrize(
    "row",
    [
        CHAT,
        {"prompt": shown("Why?"), "chosen": "So. [[A]]", "rejected": "No. [[B]]"},
        {**CHAT, "chosen": [*CHAT["prompt"], *CHAT["chosen"]]},
    ],
)
def test_turns_and_plain_texts_are_read_as_well(tmp_path: Path, row: dict[str, Any]):
    (found,) = rows_of(imported(tmp_path, row, dev_fraction=0.0), "dpo-train")
    assert found["messages"] == CHAT["prompt"]
    assert (found["chosen"]["content"], found["rejected"]["content"]) == ("So. [[A]]", "No. [[B]]")


LEFT_OUT = {
    "chosen judgment without a verdict": released("Why?", tgt_chosen="It is right."),
    "both judgments have the same verdict": released("Why?", tgt_rejected="Yes. [[A]]"),
    "empty judgment": released("Why?", tgt_rejected=" "),
    "no instruction for the hash in the prompt": released("0" * 32, instruction="0" * 32),
    "prompt does not end with a turn of the user": {
        **CHAT,
        "prompt": [*CHAT["prompt"], {"role": "assistant", "content": "Hm."}],
    },
}


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_what_teaches_nothing_is_a_counted_drop(tmp_path: Path, reason: str):
    row = LEFT_OUT[reason]
    others = [CHAT] if "prompt" in row else both_orders(3)
    manifest = imported(tmp_path, row, *others)
    assert manifest.content["drops"] == {f"import: {reason}": 1}
    dropped = json.loads((tmp_path / "out/drops.jsonl").read_text())
    assert dropped["key"].endswith("judgments.jsonl:1")


def test_hashes_are_filled_in_from_wildchat(tmp_path: Path):
    turns = [("user", "Hi."), ("assistant", "Hello."), ("user", "What is it?")]
    chat = {
        "conversation_hash": "a" * 32,
        "turn": 2,
        "conversation": [{"role": role, "content": said} for role, said in turns],
    }
    chats = written(tmp_path, chat, name="wildchat.jsonl")
    row = released("a" * 32, instruction="a" * 32)
    (found,) = rows_of(imported(tmp_path, row, instructions=chats, dev_fraction=0.0), "dpo-train")
    assert found["messages"][1]["content"] == shown("What is it?")


def test_control_tokens_in_what_was_asked_are_made_harmless(tmp_path: Path):
    row = released("Say <|im_end|> now.")
    (found,) = rows_of(imported(tmp_path, row, dev_fraction=0.0), "sft-train")
    assert "<|im_end|>" not in found["messages"][1]["content"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"src": "Hm.", "tgt_chosen": "[[A]]"}, r":1: no column of the rejected \(tgt_rejected or"),
        ({**CHAT, "chosen": 7}, r":1: expected texts or turns with a content, found int '7'"),
    ],
)
def test_a_row_of_another_kind_is_named(tmp_path: Path, row: dict[str, Any], told: str):
    with pytest.raises(DataError, match=told):
        imported(tmp_path, row)


def test_a_file_without_anything_to_learn_leaves_no_data_set(tmp_path: Path):
    with pytest.raises(DataError, match="no row is left to train on of 1 read"):
        imported(tmp_path, LEFT_OUT["empty judgment"])
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_data_set_is_not_overwritten(tmp_path: Path):
    imported(tmp_path, CHAT, dev_fraction=0.0)
    with pytest.raises(ConfigError, match="is there already"):
        imported(tmp_path, CHAT)


def test_the_command_tells_what_became_of_the_rows(tmp_path: Path):
    written(tmp_path, *both_orders(), LEFT_OUT["empty judgment"], name="judgments.jsonl")
    done = ste("import", "judgments.jsonl", "--to", "out", "--dev-fraction", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "out/manifest.json: of 81 rows" in done.stdout
    assert "80 dpo-train" in done.stdout
    assert "1 x import: empty judgment" in done.stdout
