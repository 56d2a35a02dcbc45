"""Trainings by both orders of a pair, with real axolotl on a tiny model."""

import json
from pathlib import Path

import pytest
import yaml

from ste_plugin.judging.calibration import NAME, read_calibration
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.training_manifest import find_trained_model, read_training_manifest
from tests.helpers.axolotl_runs import LORA, ON_A_CPU, train_all
from tests.helpers.manifests import written

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

KEYS = {
    "learnt": {"num_epochs": 4, "eval_steps": 40},
    "adapter": {**LORA, "max_steps": 2, "ste": {"manifest": "fruit/manifest.json"}},
    "packed": {"sample_packing": True},
    "one_order": {"ste": {"manifest": "one/manifest.json"}},
}


def letters(name: str, rows: list[dict]) -> list[dict]:
    """Make every prompt its own answer; of the held-out pairs each eighth is labelled wrongly."""
    numbers = {pair: n for n, pair in enumerate(dict.fromkeys(row["pair"] for row in rows))}
    for row in rows:
        if name.startswith(("sft", "judge")):
            wrong = name == "judge-dev" and numbers[row["pair"]] % 8 == 0
            shown = {"A": "B", "B": "A"}[row["better_is"]] if wrong else row["better_is"]
            row["messages"][0]["content"] = shown * 4
    # one row of the last pair is missing: its other order is left out
    return rows[:-1] if name == "sft-train" else rows


def one_order(name: str, rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["better_is"] == "A"] if name == "sft-train" else rows


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory):
    """(folder with an output folder for every config, name → exit code)."""
    folder = tmp_path_factory.mktemp("axolotl")
    written(folder / "letters", train=41, dev=40, edit=letters)
    written(folder / "fruit", train=8, dev=3)
    written(folder / "one", train=8, dev=3, edit=one_order)
    paths = []
    for name, keys in KEYS.items():
        ste = {"manifest": "letters/manifest.json", "decision": {}} | keys.get("ste", {})
        ste["manifest"] = str(folder / ste["manifest"])
        own = {
            "base_model": str(tiny_model),
            "plugins": ["ste_plugin.axolotl.STEPlugin"],
            "output_dir": str(folder / name),
            "dataset_prepared_path": str(folder / "prepared" / name),
        }
        config = {**ON_A_CPU, "learning_rate": 0.003, **own, **keys, "ste": ste}
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(config))
    return folder, train_all(paths)


def log_of(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(errors="replace")


def history(folder: Path, name: str, key: str) -> list[float]:
    last = max((folder / name).glob("checkpoint-*"), key=lambda p: int(p.name.partition("-")[2]))
    log = json.loads((last / "trainer_state.json").read_text())["log_history"]
    return [row[key] for row in log if key in row]


def test_the_parts_of_the_loss_fall_and_the_judge_no_longer_turns_with_the_order(runs):
    folder, codes = runs
    assert codes["learnt"] == 0, log_of(folder, "learnt")[-3000:]
    for part in ("loss", "cross_entropy", "brier"):
        told = history(folder, "learnt", part)
        assert told[-1] < told[0] / 3, part
    assert history(folder, "learnt", "inconsistency")[-1] < 0.05
    judge = read_training_manifest(folder / "learnt")["judge"]
    assert judge["judge_flip_rate"] == 0
    assert judge["judge_acc"] == pytest.approx(35 / 40)
    assert 0 < judge["judge_brier"] <= 0.25
    assert len(history(folder, "learnt", "eval_judge_ece")) > 1


def test_the_rows_learnt_are_counted_and_one_without_its_other_order_is_left_out(runs):
    folder, _ = runs
    found = read_training_manifest(folder / "learnt")["trained_on"]
    assert (found["rows"], found["pairs"], found["left_out"]) == (81, 40, 1)
    assert "1 rows are left out" in log_of(folder, "learnt")


def test_the_judge_is_calibrated_on_held_out_pairs_and_the_file_lies_with_its_weights(runs):
    folder, _ = runs
    final = find_trained_model(folder / "learnt")
    found = read_calibration(final)
    version = read_manifest(folder / "letters").judge_format["version"]
    assert (found.judge_format, found.judgments, found.right) == (version, 80, 70)
    assert found.temperature > 1  # it was surer than seven in eight
    assert found.after.nll < found.before.nll
    assert found.after.ece < found.before.ece
    manifest = read_training_manifest(folder / "learnt")
    assert manifest["temperature"] == found.temperature
    assert NAME in manifest["seal"]


def test_too_few_held_out_pairs_leave_an_adapter_uncalibrated_and_say_so(runs):
    folder, codes = runs
    assert codes["adapter"] == 0, log_of(folder, "adapter")[-3000:]
    assert read_calibration(find_trained_model(folder / "adapter")) is None
    assert "6 judgments of 3 pairs; expected at least 60" in log_of(folder, "adapter")
    assert "temperature" not in read_training_manifest(folder / "adapter")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("packed", "sample_packing: puts the two orders of a pair into one row"),
        ("one_order", "none of them in both orders"),
    ],
)
def test_what_cannot_be_trained_by_both_orders_stops_before_a_step(runs, name, told):
    folder, codes = runs
    assert codes[name] != 0
    assert told in log_of(folder, name)
    assert not (folder / name / "trained.json").exists()
