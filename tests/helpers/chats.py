"""Conversations in a file, and runs that make pairs of them."""

from pathlib import Path
from typing import Any

import yaml

from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.run.open_run import open_run
from tests.helpers.fake_writers import written as written_run
from tests.helpers.source_files import written

SOURCE = {"path": "chats.jsonl", "form": "openai", "turns": "all"}


def talk(number: int, turns: int = 3, **more: Any) -> dict[str, Any]:
    """A conversation of so many turns of the user, each answered."""
    said = []
    for turn in range(turns):
        said += [
            {"role": "user", "content": f"Ask {number} of turn {turn}."},
            {"role": "assistant", "content": f"Told {number} of turn {turn}."},
        ]
    return {"messages": said, **more}


def chat_run(folder: Path, strategies: list[str], rows: list[dict[str, Any]], **more: Any) -> Path:
    """A run's config, whose instructions are every turn of conversations, and these."""
    written(folder, *rows, name="chats.jsonl")
    return written_run(folder, strategies, instructions=[SOURCE], **more)


def pool_of(path: Path) -> Path:
    with open_run(path, [], quiet=True) as context:
        prepare_pool(context)
    return path.parent / "run/pool"


def change(path: Path, **settings: Any) -> Path:
    """Set blocks of a config; None removes one."""
    config = yaml.safe_load(path.read_text()) | settings
    path.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))
    return path
