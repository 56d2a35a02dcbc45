"""One run of an arm: a judge is taught, and each round's is measured on people's labels."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ste_plugin.config import EvaluationConfig, ProgramConfig
from ste_plugin.engines.local.cpu import multiplies_bfloat16
from ste_plugin.evaluation.compare import Comparison, compare
from ste_plugin.lm_eval_tasks import runner
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.resources import shipped_folder
from study.arms import ARMS, BASE, BASE_RECIPE, Arm, merged
from study.inputs import draw_instructions, draw_others, draw_pairs, read
from study.leanings import prefers_longer, takes_shared_words
from study.seeds import SEEDS

GENERATOR = "smollm2-135m"
"""Writes the answers for every seed: a base model does not know how to."""
DTYPE = {"dtype": "bfloat16" if multiplies_bfloat16() else "float32"}
"""Of judge, generator and lm-eval: what this CPU is faster in."""
COMPLETIONS = "pairs.completions.jsonl"
RECIPE = "demo-smollm2-cpu-lora.yaml"
COSTS = ("minutes", "kept", "tokens", "prompt_tokens")
"""What a round cost, by the names of report.json: `kept` is how many rows were trained on."""


@dataclass(frozen=True)
class Trial:
    """An arm with one seed model and one random seed."""

    arm: str
    model: str
    seed: int

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return f"{self.arm}--{self.model}--{self.seed}"


@dataclass(frozen=True)
class Place:
    """Where the study reads and works."""

    data: Path
    work: Path
    instructions: int
    pairs: int
    rounds: int
    sets: tuple[str, ...]
    """Of the labelled sets, by name."""


def run_trial(trial: Trial, place: Place) -> Iterator[dict[str, Any]]:
    """Teach and measure; yield a row per round and set. What was done before is not done again.

    Raises: subprocess.CalledProcessError where `ste run` fails.
    """
    model = place.work / "models" / trial.model
    for name in {trial.model, GENERATOR}:
        SEEDS[name](place.work / "models" / name)
    folder = place.work / "trials" / trial.name
    drawn = draw_pairs(place.data, place.pairs, place.work / "pairs")
    config = write_config(trial, place, model, folder, drawn)
    sets = {name: drawn[name] for name in place.sets}
    with shared_answers(folder / "run" / "pool", place.work / "answers" / str(trial.seed)):
        subprocess.run([sys.executable, "-m", "ste_plugin", "run", str(config)], check=True)
    judging = yaml.safe_load(config.read_text())["judging"]
    before = place.work / "seeds" / f"{trial.model}--{judging['format']}"
    measure(model, before, sets, judging)
    report = json.loads((folder / "run" / "report.json").read_text())
    for made in report["iterations"][1:]:
        after = folder / "measured" / f"round-{made['number']}"
        measure(Path(made["model"]), after, sets, judging)
        about = {"round": made["number"], "instructions": place.instructions}
        about |= {key: made[key] for key in COSTS}
        for name, found in compare(before, after)[0].items():
            pairs = Path(sets[name])
            yield {**vars(trial), "set": name, **about, **figures(found, after / name, pairs)}


@contextmanager
def shared_answers(pool: Path, shared: Path) -> Iterator[None]:
    """Have a pool begin with the answers of others of the same random seed, and give them its own.

    They are found by what was asked, so that arms which ask the generator the same share its cost.
    """
    mine, others = pool / COMPLETIONS, shared / COMPLETIONS
    if others.exists() and not mine.exists():
        pool.mkdir(parents=True)
        shutil.copyfile(others, mine)
    yield
    known = set(lines_of(others))
    shared.mkdir(parents=True, exist_ok=True)
    with others.open("ab") as file:  # byte by byte: each line ends with its own checksum
        file.writelines(line for line in lines_of(mine) if line not in known)


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a file, with their ends; none where there is no file."""
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def write_config(
    trial: Trial, place: Place, model: Path, folder: Path, sets: Mapping[str, str]
) -> Path:
    """Write what `ste run` reads for a trial, which keeps `sets` out; return the config."""
    arm = ARMS[trial.arm]
    folder.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((shipped_folder("recipes") / RECIPE).read_text())
    recipe = merged(recipe, {**BASE_RECIPE, "seed": trial.seed, **arm.recipe})
    recipe["plugins"] = [*recipe["plugins"], "ste_plugin.axolotl.training_plugins.OnCpu"]
    if trial.model != "smollm2-135m":
        recipe["special_tokens"] = {"eos_token": "<end_of_turn>"}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    ours = {
        "run": "run",
        "seed": trial.seed,
        "iterations": place.rounds,
        "judge": {"model": str(model), "options": DTYPE},
        "generator": {"model": str(place.work / "models" / GENERATOR), "options": DTYPE},
        **write_sources(arm, place, trial.seed, sets, folder),
        "selection": {"keep_out": sorted(sets.values())},
        "training": {"recipe": "recipe.yaml"},
        "evaluation": {"model_args": DTYPE},
    }
    config = folder / "ste.yaml"
    config.write_text(yaml.safe_dump(merged(merged(BASE, arm.config), ours)))
    return config


def write_sources(
    arm: Arm, place: Place, seed: int, sets: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """Write what an arm is taught from into a folder; return its part of the config."""
    if arm.labelled:
        others = folder / "given.jsonl"
        draw_others(place.data, arm.labelled, place.instructions, seed, sets, others)
        return {"pairs": {"given": [{"path": others.name}]}}
    instructions = folder / "instructions.jsonl"
    draw_instructions(place.data, place.instructions, seed, instructions)
    return {"instructions": [{"path": instructions.name}]}


def measure(model: Path, out: Path, sets: Mapping[str, str], judging: Mapping[str, Any]) -> None:
    """Measure a judge on every set, in one process of lm-eval."""
    settings = {"format": judging["format"], "force": judging["force_verdict"]}
    host = ProgramConfig()
    with runner.open_process(host) as process:
        for name, path in sets.items():
            runner.evaluate(
                str(model),
                out / name,
                settings=JudgeSettings(Path(path), **settings),
                config=EvaluationConfig(**BASE["evaluation"], model_args=DTYPE),
                host=host,
                process=process,
            )


def figures(found: Comparison, measured: Path, pairs: Path) -> dict[str, Any]:
    """Return what the tables say of one judge on one set, beside the seed."""
    judged = read(measured / "judged.jsonl")
    overall = json.loads((measured / "results.json").read_text())["overall"]
    right, acc = found.acc_pc, found.acc
    return {
        "n": found.n,
        "seed_right": round(right.first, 4),
        "right": round(right.second, 4),
        "gain": right.difference,
        "interval": right.interval,
        "won": found.won,
        "lost": found.lost,
        "p": found.p,
        "seed_acc": round(acc.first, 4),
        "acc": round(acc.second, 4),
        "averaged": overall.get("acc_averaged"),
        "longer": overall["len_baseline"],
        "consistency": overall["consistency"],
        "prefers_longer": prefers_longer(judged),
        "takes_shared_words": takes_shared_words(judged, read(pairs)),
    }
