"""What a measurement needs: models, pairs and other environments, by options of the command."""

import json
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from benchmarks.table import MissingInput
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import ResponsePair, content_key


@dataclass(frozen=True, slots=True)
class Inputs:
    """What there is to measure with; a measurement that lacks an input says so."""

    model: Path | None = None
    """Folder of a real judge."""
    pairs: Path | None = None
    """JSONL of labelled pairs: `id, subset, prompt, chosen, rejected`."""
    vllm: Path | None = None
    """The interpreter in whose environment vLLM is installed."""
    distilabel: Path | None = None
    """The interpreter in whose environment distilabel is installed."""
    openai: Path | None = None
    """The interpreter in whose environment the openai client is installed."""
    repetitions: int = 3
    old: Path | None = None
    """The checkout of an older build to compare with, as `git worktree add` makes one."""
    judgments: int = 1_000_000
    """How many there are to look at."""
    reasons: Path | None = None
    """Folder of a judge that reasons."""

    def need(self, name: str) -> Path:
        """Return the path of that name.

        Raises: MissingInput with the option and the variable that would give it.
        """
        path: Path | None = getattr(self, name)
        if path is None or not path.exists():
            raise MissingInput(f"needs {name}: --{name} or STE_BENCH_{name.upper()}")
        return path

    def response_pairs(self, count: int) -> list[ResponsePair]:
        """Return that many real pairs, the same ones every time, spread over the file by a hash."""
        path = self.need("pairs")
        with path.open(encoding="utf-8") as lines:  # texts may hold Unicode's line separators
            rows = [json.loads(line) for line in lines]
        rows.sort(key=lambda row: content_key("benchmark", row["id"]))
        if len(rows) < count:
            raise MissingInput(f"needs {count} pairs; {path.name} has {len(rows)}")
        return [
            response_pair(
                row["prompt"], row["chosen"], row["rejected"], row.get("subset") or "real"
            )
            for row in rows[:count]
        ]


def response_pair(instruction: str, better: str, worse: str, strategy: str) -> ResponsePair:
    """Return the pair under its own key."""
    instruction_key = content_key("instruction", instruction)
    pair = ResponsePair("", instruction_key, instruction, better, worse, strategy)
    return replace(pair, key=pair_key(pair))
