"""Held-out pairs of imported judgments: both orders of one pair, to measure on while training."""

from pathlib import Path
from types import SimpleNamespace

from ste_plugin.axolotl.held_out import Answer, figures, judged_pairs, read_held_out
from ste_plugin.axolotl.judge_callback import load_judge_format
from ste_plugin.dataset.import_judgments import import_judgments
from ste_plugin.judging.builtin import CRITERIA
from ste_plugin.storage.dataset_manifest import read_manifest
from tests.helpers.source_files import written


def judged(asked: str, better: str, first: str, second: str) -> dict[str, str]:
    other = "B" if better == "A" else "A"
    return {
        "prompt": f"[Instruction]\n{asked}\n\n[Answer A]\n{first}\n\n[Answer B]\n{second}",
        "chosen": f"So it is. [[{better}]]",
        "rejected": f"Not so. [[{other}]]",
    }


def imported(folder: Path, *rows: dict[str, str]):
    path = written(folder, *rows, name="judgments.jsonl")
    return read_manifest(import_judgments([path], folder / "out", CRITERIA, dev_fraction=0.5))


def both(asked: str) -> list[dict[str, str]]:
    return [judged(asked, "A", "Good.", "Bad."), judged(asked, "B", "Bad.", "Good.")]


def test_both_orders_of_a_held_out_pair_measure_the_judge(tmp_path):
    manifest = imported(tmp_path, *(row for n in range(30) for row in both(f"What is {n}?")))
    prompts = read_held_out(manifest, 100)
    held_out = {row["instruction"] for _, row in manifest.rows("dpo-dev")}
    assert {prompt.instruction for prompt in prompts} == held_out
    assert [prompt.gold for prompt in prompts] == ["A", "B"] * len(held_out)
    assert all(p.opening.endswith("[[") for p in prompts)
    settings = SimpleNamespace(plugins=[])
    judge_format = load_judge_format(manifest, settings)  # type: ignore[arg-type]
    right, always_a = [[Answer(s) for s in said] for said in ([p.gold for p in prompts], "A" * 60)]
    for answers, found in ((right, 1.0), (always_a[: len(prompts)], 0.0)):
        measured = figures(judged_pairs(prompts, answers, judge_format))
        assert measured["judge_acc_pc"] == found


def test_prompts_of_which_the_other_order_is_missing_measure_nothing(tmp_path):
    single = [judged(f"What is {n}?", "A", "Good.", "Bad.") for n in range(30)]
    assert read_held_out(imported(tmp_path, *single), 100) == []


def test_two_pairs_of_one_instruction_are_not_taken_for_one(tmp_path):
    rows = [
        row
        for n in range(30)
        for row in (
            judged(f"What is {n}?", "A", "Good.", "Bad."),
            judged(f"What is {n}?", "B", "Worse.", "Better."),
        )
    ]
    assert read_held_out(imported(tmp_path, *rows), 100) == []
