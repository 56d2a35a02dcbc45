"""The doctor's word is the deed: what it passes trains to a judge, what it refuses does not."""

import json
from pathlib import Path

import pytest
import yaml

from ste_plugin.fitting.catalogue import recipe_problems
from tests.helpers.axolotl_runs import train_all
from tests.helpers.manifests import written
from tests.helpers.public_configs import ALL, TRAINS, config

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]

TRIED = (
    "all weights",
    "LoRA of named modules",
    "LoRA of modules that are not there",
    "weights unfrozen that are not there",
    "evals_per_epoch 4, saves_per_epoch 1",
    "saving the best",
    "early stopping",
    "pretraining",
    "streaming",
    "a shard, short rows dropped",
    "a vision model's text",
    "packing",
    "a reward model",
    "DeepSpeed",
    "resuming",
    "the best by its loss",
)
"""One of each kind; the others were trained once, and take minutes."""


@pytest.fixture(scope="module")
def tried(tiny_model, tmp_path_factory):
    """Name → (the doctor's problems, axolotl's exit code, whether a judge came of it)."""
    folder = tmp_path_factory.mktemp("public")
    manifest = str(written(folder / "data", train=12, dev=4))
    paths: dict[str, Path] = {}
    for number, name in enumerate(TRIED):
        places = {"output": f"out-{number}", "prepared": f"prepared-{number}"}
        told = {key: str(folder / place) for key, place in places.items()}
        keys = config(ALL[name][1], model=str(tiny_model), manifest=manifest, **told)
        paths[name] = folder / f"config-{number}.yaml"
        paths[name].write_text(yaml.safe_dump(keys))
    problems = recipe_problems([*paths.values()], as_given=True)
    codes = train_all([*paths.values()])
    return {
        name: (problems[path], codes[path.stem], judge_of(folder / f"out-{number}"))
        for number, (name, path) in enumerate(paths.items())
    }


def judge_of(output: Path) -> bool:
    done = output / "trained.json"
    return done.exists() and json.loads(done.read_text())["steps"] > 0


@pytest.mark.parametrize("name", TRIED)
def test_what_the_doctor_says_of_a_public_config_is_what_training_does(tried, name):
    problems, code, judge = tried[name]
    word = ALL[name][0]
    if word == TRAINS:
        assert (problems, code, judge) == ([], 0, True)
    else:
        assert [problem.partition(":")[0] for problem in problems] == [word] * len(problems)
        assert problems and code and not judge


def test_a_key_that_replace_throws_away_is_no_problem(tiny_model, tmp_path):
    manifest = str(written(tmp_path / "data", train=3))
    keys = ALL["LoRA of named modules"][1] | {
        "datasets": [{"path": "tatsu-lab/alpaca", "tipe": "alpaca", "field": 3}],
        "pretraining_dataset": "allenai/c4",
        "min_sample_len": "many",
    }
    places = {"output": str(tmp_path / "out"), "prepared": str(tmp_path / "prepared")}
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump(config(keys, model=str(tiny_model), manifest=manifest, **places))
    )
    assert recipe_problems([path], as_given=True) == {path: []}
