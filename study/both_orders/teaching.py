"""Teaching a judge of letters by both orders of pairs, or by one random order of each."""

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml

from ste_plugin.axolotl.run_config import overlay, read_recipe
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest, write_rows
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.resources import shipped_folder
from ste_plugin.storage.training_manifest import find_trained_model

RECIPE = "decision-smollm2-cpu-lora.yaml"


@dataclass(frozen=True)
class Size:
    """How much is taught and measured."""

    pairs: int
    epochs: float
    measured: int


def teach(
    source: DatasetManifest, kind: str, way: str, seed: int, size: Size, model: Path, work: Path
) -> Path:
    """Return the folder of a judge that was taught in one way, now or before.

    Raises: subprocess.CalledProcessError where axolotl fails.
    """
    of = "".join(c if c.isalnum() else "-" for c in kind)
    name = f"{of}-{way}-{seed}-{size.pairs}-{size.epochs:g}-{model.name}"
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
