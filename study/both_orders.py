"""`python -m study.both_orders MANIFEST`: judges of a letter taught by both orders of each pair at
once, against judges taught by one random order of it with cross entropy alone.

Both see as many rows. What was trained or measured before is not done again, so that a long study
can be stopped; `results.jsonl` in the work folder has a row per way, random seed and set.
"""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer
import yaml

from ste_plugin.axolotl.run_config import overlay, read_recipe
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import quality, temperature_of
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest, write_rows
from ste_plugin.storage.jsonl import read_rows, replace_json
from ste_plugin.storage.resources import shipped_folder
from ste_plugin.storage.training_manifest import find_trained_model
from study.inputs import CHOOSING, REPORTING, draw_pairs

RECIPE = "decision-smollm2-cpu-lora.yaml"
WAYS = ("both-orders", "single-orders")
CONSTRUCTED = "constructed"
"""The data set's own pairs that were held out for testing."""


@dataclass(frozen=True)
class Size:
    """How much is taught and measured."""

    pairs: int
    epochs: float
    measured: int


def main(
    manifest: Annotated[Path, typer.Argument(help="of a data set in a format of letters alone")],
    model: Annotated[Path, typer.Option(help="folder of the model to teach")],
    data: Annotated[Path, typer.Option(envvar="STE_STUDY_DATA", help="folder of labelled sets")],
    work: Annotated[Path, typer.Option(help="kept to go on from")] = Path("runs/both-orders"),
    seeds: Annotated[int, typer.Option(help="random seeds of each way")] = 3,
    pairs: Annotated[int, typer.Option(help="pairs to teach from")] = 400,
    epochs: Annotated[float, typer.Option(help="of both orders; twice that of single ones")] = 1.5,
    measured: Annotated[int, typer.Option(help="pairs of each set to measure on")] = 80,
) -> None:
    """Teach and measure what has no result yet, then print the means over random seeds."""
    source, size = read_manifest(manifest), Size(pairs, epochs, measured)
    work = work.resolve()
    results = work / "results.jsonl"
    for seed in range(seeds):
        for way in WAYS:
            about = {"way": way, "seed": seed, **asdict(size), "model": model.name}
            known = [row for row in _rows(results) if about.items() <= row.items()]
            if known:
                continue
            judge = teach(source, way, seed, size, model, work)
            rows = [about | found for found in measure(judge, source, data, size, work)]
            work.mkdir(parents=True, exist_ok=True)
            with results.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
    sys.stdout.write(table(_rows(results)))


def teach(
    source: DatasetManifest, way: str, seed: int, size: Size, model: Path, work: Path
) -> Path:
    """Return the folder of a judge that was taught in one way, now or before.

    Raises: subprocess.CalledProcessError where axolotl fails.
    """
    name = f"{way}-{seed}-{size.pairs}-{size.epochs:g}-{model.name}"
    output = work / "trained" / name
    if (before := find_trained_model(output)) is not None:
        return before
    recipe = read_recipe(shipped_folder("recipes") / RECIPE)
    recipe["num_epochs"] = size.epochs
    if way == "single-orders":
        recipe["num_epochs"] = 2 * size.epochs
        recipe["ste"]["decision"] = None
        recipe["shuffle_merged_datasets"] = True
    recipe["ste"]["judge_pairs"] = 100
    data = write_data(source, way, seed, size.pairs, work / "data" / name)
    folder = model.resolve()
    config = overlay(recipe, model=str(folder), manifest=data, output=output, seed=seed)
    path = work / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "axolotl.cli.train", str(path)], check=True)
    found = find_trained_model(output)
    if found is None:
        raise typer.BadParameter(f"{output}: axolotl ended without a judge; see its output above.")
    return found


def write_data(
    source: DatasetManifest, way: str, seed: int, count: int, folder: Path
) -> DatasetManifest:
    """Write the rows that one way teaches by, of `count` pairs drawn by the random seed."""
    of_pair: dict[str, list[dict[str, Any]]] = {}
    for _, row in source.rows("sft-train"):
        of_pair.setdefault(row["pair"], []).append(row)
    whole = sorted(key for key, rows in of_pair.items() if len(rows) == 2)
    draw = random.Random(seed)
    drawn = draw.sample(whole, min(count, len(whole)))
    rows = [row for key in drawn for row in of_pair[key]]
    if way == "single-orders":  # half of the pairs with each letter, as rows must be balanced
        letters = ["A", "B"] * (len(drawn) // 2 + 1)
        wanted = dict(zip(drawn, letters, strict=False))
        rows = [row for row in rows if row["better_is"] == wanted[row["pair"]]]
    folder.mkdir(parents=True, exist_ok=True)
    files = {"sft-train": write_rows(folder, "sft-train", rows)}
    for name in ("judge-dev", "judge-test"):
        files[name] = write_rows(folder, name, (row for _, row in source.rows(name)))
    replace_json(folder / "manifest.json", source.content | {"files": files})
    return read_manifest(folder / "manifest.json")


def measure(
    judge: Path, source: DatasetManifest, data: Path, size: Size, work: Path
) -> Iterator[dict[str, Any]]:
    """Yield a judge's figures on each set: as the model says, and calibrated where it was."""
    import torch
    import transformers

    from ste_plugin.axolotl import held_out
    from ste_plugin.axolotl.strategies import template_of
    from ste_plugin.lm_eval_tasks.odds_metrics import margins_of

    judge_format = FORMATS[source.judge_format["name"]]
    tokenizer = transformers.AutoTokenizer.from_pretrained(judge)
    model = transformers.AutoModelForCausalLM.from_pretrained(judge, dtype=torch.float32).eval()
    ask = held_out.likelier_choice(model, template_of(tokenizer, source), judge_format)
    temperature = temperature_of(judge, judge_format.version)
    for name, prompts in sets_of(source, judge_format, data, size, work):
        answers = {}
        with torch.no_grad():
            for batch in held_out.in_batches(prompts, 8):
                said = ask([prompts[i] for i in batch])
                answers |= dict(zip(batch, said, strict=True))
        pairs = held_out.judged_pairs(prompts, [answers[i] for i in sorted(answers)], judge_format)
        margins = [margin for pair in pairs for margin in margins_of(pair)]
        calibrated = quality(margins, temperature)
        told = {"brier_calibrated": calibrated.brier, "ece_calibrated": calibrated.ece}
        figures = held_out.figures(pairs) | told
        yield {"set": name, "n": len(pairs), "temperature": temperature, **figures}


def sets_of(
    source: DatasetManifest, judge_format: JudgeFormat, data: Path, size: Size, work: Path
) -> Iterator[tuple[str, list[Any]]]:
    """Yield each set's prompts, both orders of a pair side by side."""
    from ste_plugin.axolotl.held_out import HeldOutPrompt
    from ste_plugin.engines.base import Message
    from ste_plugin.records import ORDERS

    rows = [row for _, row in source.rows("judge-test")][: 2 * size.measured]
    yield (
        CONSTRUCTED,
        [
            HeldOutPrompt(
                pair=row["pair"],
                subset=row["subset"],
                instruction=row["instruction"],
                gold=row["better_is"],
                messages=tuple(Message(**turn) for turn in row["messages"]),
                opening=row["opening"],
            )
            for row in rows
        ],
    )
    files = draw_pairs(data, size.measured, work / "pairs")
    opening = judge_format.forced_prefix("")
    for name in (*CHOOSING, *REPORTING):
        prompts = []
        for _, row in read_rows(Path(files[name])):
            texts = (row["prompt"], row["chosen"], row["rejected"])
            for gold in ORDERS:
                messages = judge_format.render_pair(*texts, gold)
                prompts.append(
                    HeldOutPrompt(row["id"], name, row["prompt"], gold, messages, opening)
                )
        yield name, prompts


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over random seeds, a line a set and way."""
    shown = ("acc", "acc_pc", "flip_rate", "brier", "ece")
    lines = [f"{'set':18} {'way':14} seeds " + " ".join(f"{name:>9}" for name in shown)]
    for name in dict.fromkeys(row["set"] for row in rows):
        for way in WAYS:
            found = [row for row in rows if (row["set"], row["way"]) == (name, way)]
            if found:
                means = (fmean(row[f"judge_{figure}"] for row in found) for figure in shown)
                told = " ".join(f"{mean:9.3f}" for mean in means)
                lines.append(f"{name:18} {way:14} {len(found):5} {told}")
    return "\n".join(lines) + "\n"


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_rows(path)] if path.exists() else []


if __name__ == "__main__":
    typer.run(main)
