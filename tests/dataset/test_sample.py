"""Which pairs an iteration's judgments are of: all training pairs, or a part of its own."""

import json
import shutil
from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.config import RunConfig
from ste_plugin.context import draw_stage
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.run import stages
from ste_plugin.run.gating import find_passed
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import Redo
from ste_plugin.sampling.pass_rates import read_always_right
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.builders import config_text
from tests.helpers.fake_runs import written
from tests.helpers.trained_runs import pass_iteration

LOOP = {"recipe": "sft-lora-8b", "start_from": "previous", "instructions": "fresh"}
"""FARE's: each iteration goes on from the last judge, on instructions that none has seen."""

RATES = "pass_rates.jsonl"


def fresh(folder, tiny_model, iterations=3, **more):
    judging = {"format": "brief", "samples": 4}
    settings = {"judging": judging, "training": LOOP} | more
    return written(folder, tiny_model, judges=0.8, iterations=iterations, **settings)


def all_made(path) -> list[dict]:
    """Make the data sets of all iterations, each of which is taken as trained and passed."""
    manifests = []
    with open_run(path, [], quiet=True) as context:
        model = context.config.judge.model
        for number in range(1, context.config.iterations + 1):
            manifests.append(read_json(stages.generate(context, number)))
            pass_iteration(context, number, model)
            assert find_passed(context, number + 1) == number
    return manifests


def instructions_of(folder) -> set[str]:
    """The instructions in an iteration's training rows, as the judge reads them."""
    manifest = read_json(folder / "dataset/manifest.json")
    rows = read_rows(folder / "dataset" / manifest["files"]["sft-train"]["path"])
    prompts = (row["messages"][0]["content"] for _, row in rows)
    return {p.split("[Instruction]\n")[1].split("\n\n[Answer A]")[0] for p in prompts}


def judged(folder) -> set[str]:
    return {row["pair_key"] for _, row in read_rows(folder / "judgments.jsonl")}


def test_no_instruction_is_in_two_rounds_data_sets(tiny_model, tmp_path):
    manifests = all_made(fresh(tmp_path, tiny_model))
    run = tmp_path / "run"
    seen = [instructions_of(run / f"iter-{n:02d}") for n in (1, 2, 3)]
    assert all(seen)
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert [m["settings"]["instructions"] for m in manifests] == [
        {"part": n, "of": 3} for n in (1, 2, 3)
    ]


def test_all_training_pairs_are_judged_in_one_round_and_held_out_ones_in_each(tiny_model, tmp_path):
    manifests = all_made(fresh(tmp_path, tiny_model))
    times = Counter(key for n in (1, 2, 3) for key in judged(tmp_path / f"run/iter-{n:02d}"))
    pairs = manifests[0]["counts"]["pairs"]
    assert Counter(times.values()) == {1: pairs["train"], 3: pairs["dev"]}
    assert len({m["files"]["judge-test"]["sha256"] for m in manifests}) == 1


def test_without_it_every_round_judges_the_same_pairs(tiny_model, tmp_path):
    training = {name: LOOP[name] for name in ("recipe", "start_from")}
    manifests = all_made(fresh(tmp_path, tiny_model, training=training))
    first, *later = (judged(tmp_path / f"run/iter-{n:02d}") for n in (1, 2, 3))
    assert later == [first, first]
    assert all("instructions" not in m["settings"] for m in manifests)


def test_a_resumed_round_has_the_instructions_that_it_had(tiny_model, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    whole = all_made(fresh(tmp_path / "one", tiny_model))
    path = fresh(tmp_path / "two", tiny_model)
    with open_run(path, [], quiet=True) as context:
        stages.generate(context, 1)
    assert all_made(path) == whole


@pytest.mark.parametrize("iterations", [2, 4])
def test_another_number_of_iterations_is_refused_as_another_split(tiny_model, tmp_path, iterations):
    path = fresh(tmp_path, tiny_model)
    all_made(path)
    settings = yaml.safe_load(path.read_text()) | {"iterations": iterations}
    path.write_text(yaml.safe_dump(settings))
    with pytest.raises(ConfigError) as refused, open_run(path, [], quiet=True):
        pass
    told = f"training.instructions: 'fresh (in 3 parts)' → 'fresh (in {iterations} parts)'  (makes"
    assert told in str(refused.value)
    with open_run(path, [], quiet=True, redo=Redo("generate")) as context:
        manifest = read_json(stages.generate(context, 1))
    assert manifest["settings"]["instructions"] == {"part": 1, "of": iterations}


def test_a_part_without_a_pair_is_told_before_anything_is_judged(tiny_model, tmp_path):
    path = fresh(tmp_path, tiny_model, iterations=40, texts=10)
    with (
        open_run(path, [], quiet=True) as context,
        pytest.raises(DataError, match=r"no training pair for iteration \d+ and(.|\n)*40 parts"),
    ):
        stages.generate(context, 1)
    assert not (tmp_path / "run/iter-01/judgments.jsonl").exists()


def test_the_counts_of_all_parts_are_told_once(tiny_model, tmp_path, capsys):
    path = fresh(tmp_path, tiny_model)
    with open_run(path, []) as context:
        counts = read_json(stages.generate(context, 1))["counts"]["pairs"]
    (line,) = [n for n in capsys.readouterr().err.splitlines() if "no instruction in two" in n]
    told = [int(word) for word in line.rpartition(": ")[2].split(", ")]
    assert len(told) == 3
    assert sum(told) == counts["train"]


def settings(iterations: int, **training) -> RunConfig:
    text = config_text(iterations=str(iterations), training=json.dumps(training))
    return RunConfig.model_validate(yaml.safe_load(text))


@given(st.text(min_size=1), st.integers(2, 9), st.integers(1, 3))
def test_an_instruction_is_in_one_stage_of_one_round(key, iterations, recipes):
    names = [f"recipe-{n}" for n in range(recipes)]
    part, stage = draw_stage(key, settings(iterations, recipe=names, instructions="fresh"))
    assert 1 <= part <= iterations
    assert 1 <= stage <= recipes
    together = settings(iterations, recipe=names)
    assert draw_stage(key, together) == (1, stage)  # as in runs begun before there were parts


def test_each_stage_skips_what_its_own_stage_of_the_round_before_always_got_right(
    tiny_model, tmp_path
):
    training = {"recipe": ["sft-lora-8b", "dpo-lora-8b"]}
    judging = {"format": "brief", "samples": 2, "sampling": "fixed", "skip_always_right": True}
    settings = {"iterations": 2, "training": training, "judging": judging}
    path = written(tmp_path, tiny_model, judges=0.75, **settings)
    skipped = []
    with open_run(path, [], quiet=True) as context:
        for number in (1, 2):
            for stage in (1, 2):
                found = read_json(stages.generate(context, number, stage))["drops"]
                skipped.append(found.get("judging: always right in the iteration before", 0))
                if stage == 1:
                    pass_iteration(context, number, tiny_model)
            folder = context.folder.iteration(number)
            shutil.copytree(folder / "model", folder / "stage-02/model", symlinks=True)
    assert skipped[:2] == [0, 0]
    for stage, count in enumerate(skipped[2:], start=1):
        right = read_always_right(context.folder.iteration(1, stage) / RATES)
        again = {r["pair_key"] for _, r in read_rows(context.folder.iteration(2, stage) / RATES)}
        assert count == len(right - again) > 0
