"""Laying out the demo's folder: model, instructions, config."""

import shutil
from collections.abc import Callable
from pathlib import Path

from ste_plugin.demo.fetch import fetch_model
from ste_plugin.storage.durable import make_folder

HERE = Path(__file__).parent


def prepare_demo(folder: Path, say: Callable[[str], None]) -> Path:
    """Return the demo's config in `folder`, with model and instructions beside it; `say` tells a
    person."""
    make_folder(folder)
    fetch_model(folder / "model", say)
    for name in ("instructions.jsonl", "demo.yaml"):
        if not (folder / name).exists():
            shutil.copyfile(HERE / name, folder / name)
    return folder / "demo.yaml"
