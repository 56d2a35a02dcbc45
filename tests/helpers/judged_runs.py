"""Whole runs without models: a training makes a judge of a known kind, lm-eval is a function.

All else is real: the pool, the data sets, the figures, the gates, the loop and its files.
"""

import json
import shutil
from contextlib import contextmanager, nullcontext
from pathlib import Path
from random import Random

import pytest
import yaml

from ste_plugin.axolotl.run_config import overlay, read_recipe
from ste_plugin.config import EvaluationConfig, ModelConfig
from ste_plugin.engines import ChatRequest, Place, Sampling
from ste_plugin.lm_eval_tasks import runner
from ste_plugin.lm_eval_tasks.measurement import described
from ste_plugin.lm_eval_tasks.shown_columns import columns_shown
from ste_plugin.records import ORDERS, OTHER
from ste_plugin.run import loop, stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.jsonl import read_json, replace_json, replace_rows
from ste_plugin.testing import FakeEngine
from tests.helpers.fake_judge import written_reply
from tests.helpers.fake_runs import written

HOOKS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_engines():
    return {"known": "tests.helpers.judged_runs:create"}
"""
WORDS = [f"{a}{b}" for a in ("plain", "short", "kind", "exact", "odd") for b in range(40)]
SEED = 0.75
"""How often the seed is right."""


def create(model: ModelConfig, _: Place) -> FakeEngine:
    """Return an engine that writes answers, and judges as the model's folder says."""
    known = Path(model.model) / "judges.json"
    judges = read_json(known) if known.exists() else SEED
    return FakeEngine(lambda request: said(request, judges))


def said(request: ChatRequest, judges: float | str) -> str:
    """An answer, or a judgment: right with a chance, or of a fault's kind."""
    prompt = request.messages[-1].content
    if "[Answer]\n" in prompt:
        return rated(request, judges)
    if "[Answer A]" not in prompt:
        return written_reply(prompt)
    asked = prompt.split("[Instruction]\n")[1].split("\n\n[Answer A]")[0]
    first = prompt.split("[Answer A]\n")[1].split("\n\n[Answer B]")[0]
    right = "A" if first.endswith(f"Reply to <{asked}>") else "B"
    chance = judges if isinstance(judges, float) else 0.9
    letter = right if request.seed / 2**60 < chance else OTHER[right]
    words = " ".join(Random(request.seed).choices(WORDS, k=20))
    match judges:
        case "always A":
            letter = "A"
        case "parrot":
            words = "It is what was asked for, and says so in as many words as it takes to say it."
        case "terse":
            return f"[[{letter}]]"
        case "learns the pairs" if asked.startswith("People say"):
            letter = OTHER[right]
        case "says nothing":
            return words
    return f"{words}. Final verdict: [[{letter}]]"


def rated(request: ChatRequest, judges: float | str) -> str:
    """A rating: good answers get more than others with a chance, else any score."""
    asked, shown = request.messages[-1].content.split("[Instruction]\n")[1].split("[Answer]\n")
    good = f"Reply to <{asked.strip()}>" in shown
    chance = judges if isinstance(judges, float) else 0.9
    known = request.seed / 2**60 < chance
    score = (5 + request.seed % 5 if good else request.seed % 5) if known else request.seed % 10
    words = " ".join(Random(request.seed).choices(WORDS, k=20))
    return words if judges == "says nothing" else f"{words}. Final rating: [[{score}]]"


def config_of(folder: Path, tiny_model: Path, iterations: int = 3, **more: object) -> Path:
    """A run's config whose judges are known ones."""
    options = {
        "iterations": iterations,
        "judge": {"model": str(tiny_model), "engine": "known"},
        "dataset": {"dev_fraction": 0.4, "test_fraction": 0.1},
        "judging": {"format": "brief", "samples": 4},
    }
    path = written(folder, tiny_model, texts=60, **(options | more))
    (folder / "hooks.py").write_text(HOOKS)
    return path


def labelled(path: Path, pairs: int = 40) -> Path:
    """A file of labelled pairs that no run makes itself."""
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": f"h{n}",
                    "subset": "people",
                    "prompt": f"People say {n}.",
                    "chosen": f"Reply to <People say {n}.>",
                    "rejected": "No.",
                }
            )
            + "\n"
            for n in range(pairs)
        )
    )
    return path


def run(path: Path) -> list:
    """Do what is left of a run; return the reports."""
    with open_run(path, [], quiet=True) as context:
        return loop.run(context)


def report_of(path: Path) -> dict:
    """What report.json says, without times and places."""
    report = read_json(path.parent / "run/report.json")
    for row in report["iterations"]:
        row["minutes"] = row["folder"] = row["model"] = None
    return report | {"model": Path(report["model"]).parent.parent.name}


@contextmanager
def judges_trained(*judges: float | str, on_step=lambda _: None):
    """While the block runs, iteration n trains the n-th of these judges; nothing else is replaced.

    `on_step` is called before and after each step, and may raise.
    """

    def train(given, _begin):
        model, output = given.model, given.output
        if (output / "trained.json").exists():
            return output / "merged"
        on_step(f"train {output}")
        number = int(next(p.name for p in output.parents if p.name.startswith("iter-"))[5:])
        source = Path(model)
        shutil.copytree(source, output / "merged", dirs_exist_ok=True)
        replace_json(output / "merged" / "judges.json", judges[number - 1])
        recipe, data = read_recipe(given.recipe), read_manifest(given.manifest)
        laid = overlay(recipe, model=model, manifest=data, output=output, seed=given.seed)
        (output.parent / "axolotl.yaml").write_text(yaml.safe_dump(laid))
        replace_json(output / "trained.json", {"final": "merged", "data_sha256": {}, "steps": 1})
        on_step(f"trained {output}")
        return output / "merged"

    def evaluate(model, out, *, settings, **_):
        done = out / "results.json"
        pairs = described(settings, None, runner.read_documents(settings))
        told = ("data", "pairs_sha256")
        if done.exists() and all(read_json(done)[name] == pairs[name] for name in told):
            return read_json(done)
        on_step(f"evaluate {out}")
        results = measure(Path(model), out, settings)
        on_step(f"evaluated {out}")
        return results

    def replace(path, value):
        on_step(f"write {path}")
        replace_json(path, value)
        on_step(f"wrote {path}")

    patch = pytest.MonkeyPatch()
    patch.setattr(loop, "check_ahead", lambda _: None)
    patch.setattr(stages.axolotl, "train", train)
    patch.setattr(stages.lm_eval, "evaluate", evaluate)
    patch.setattr(stages.lm_eval, "open_process", lambda _: nullcontext())
    patch.setattr(stages.gating, "replace_json", replace)
    patch.setattr(loop, "replace_json", replace)
    try:
        yield
    finally:
        patch.undo()


def measure(model: Path, out: Path, settings) -> dict:
    """Judge labelled pairs as lm-eval would, and leave the files that it and the runner leave."""
    engine = create(ModelConfig(model=str(model)), None)
    judge_format, rows = settings.load_judge_format(), runner.read_documents(settings)
    bound = [judge_format.for_row(columns_shown(row.to_doc())) for row in rows]
    replies = [
        [_reply(engine, form.render_pair(r.prompt, r.chosen, r.rejected, o)) for o in ORDERS]
        for form, r in zip(bound, rows, strict=True)
    ]
    logged = [
        {
            "doc": row.to_doc(),
            "arguments": {f"gen_args_{i}": {"arg_0": "", "arg_1": {}} for i in range(2)},
            "filtered_resps": texts,
        }
        for row, texts in zip(rows, replies, strict=True)
    ]
    replace_rows(out / "lm-eval" / "samples_ste_local_2026-01-01.jsonl", logged)
    figures = runner.write_replies(out, rows, replies, settings)
    how = runner.identity(str(model), settings, judge_format, EvaluationConfig(), rows)
    replace_json(out / "results.json", results := {"task": "ste_local", **how, **figures})
    return json.loads(json.dumps(results))


def _reply(engine: FakeEngine, prompt) -> str:
    request = ChatRequest("measured", prompt, Sampling(temperature=0.0, max_new_tokens=500))
    return next(iter(engine.complete([request]))).text
