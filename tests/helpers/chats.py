"""Conversations in a file, and runs that make pairs of them."""

from pathlib import Path
from typing import Any

import yaml

from ste_plugin.config import SourceConfig
from ste_plugin.instructions.sources.forms import read_instructions_of
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.records import Instruction
from ste_plugin.run.open_run import open_run
from tests.helpers.fake_writers import written as written_run
from tests.helpers.source_files import written

SOURCE = {"path": "chats.jsonl", "form": "openai", "turns": "all"}
PRODUCT = " ".join(
    f"Rule {n}: whoever asks about topic {n} of the ferry line is told paragraph {n} alone."
    for n in range(24)
)
"""What a product tells its system above whatever its users ask."""


def talk(number: int, turns: int = 3, **more: Any) -> dict[str, Any]:
    """A conversation of so many turns of the user, each answered."""
    said = []
    for turn in range(turns):
        said += [
            {"role": "user", "content": f"Ask {number} of turn {turn}."},
            {"role": "assistant", "content": f"Told {number} of turn {turn}."},
        ]
    return {"messages": said, **more}


def below(system: str, asked: str, turns: str = "first") -> Instruction:
    """What a user asks below a system turn, as a file of conversations is read."""
    said = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
    source = SourceConfig(path="chats.jsonl", form="openai", turns=turns)
    return next(read_instructions_of("chats.jsonl:1", {"messages": said}, source))


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
