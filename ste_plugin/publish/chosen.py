"""Which judge of a run is published, and what speaks against it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.evaluation.trained_judges import find_judge
from ste_plugin.forget.gate_words import without_plugins
from ste_plugin.instructions.privacy.forgotten import read_forgotten
from ste_plugin.storage.jsonl import read_json


@dataclass(frozen=True, slots=True)
class Chosen:
    """One judge of a run."""

    number: int
    """Its iteration, from 1."""
    model: Path
    """Its folder."""
    shipped: int | None
    """Which one the run ships, 0 being its seed; None while it is not finished."""
    broken: tuple[str, ...]
    """The gates that it breaks, each in a sentence."""
    forgotten: int
    """Instructions that it was trained on and that were forgotten afterwards."""


def choose_judge(context: RunContext, number: int | None, *, although_failed: bool) -> Chosen:
    """Return the judge of an iteration, by default the one that the run ships.

    Raises: ConfigError where there is none, where it breaks gates, or where it has seen what was
    forgotten; the last two but for `although_failed`.
    """
    shipped = _read_shipped(context)
    number = _shipped_number(context, shipped) if number is None else number
    if number == 0:
        raise ConfigError(
            "--iteration: found 0, the seed, which the run did not make: nothing of it is the "
            "run's to publish. Give an iteration from 1."
        )
    if number > context.config.iterations:
        raise ConfigError(
            f"--iteration: found {number}; {context.folder.root} has {context.config.iterations}."
        )
    model = Path(find_judge(context, number).model)
    chosen = Chosen(number, model, shipped, *_against(context, number))
    if not although_failed:
        _refuse(chosen)
    return chosen


def _read_shipped(context: RunContext) -> int | None:
    report = context.folder.report
    return read_json(report).get("best") if report.is_file() else None


def _shipped_number(context: RunContext, shipped: int | None) -> int:
    root = context.folder.root
    if shipped is None:
        raise ConfigError(
            f"{root}: not finished, so that it ships no judge yet. `ste run` goes on; or publish "
            "what is there: --iteration NUMBER."
        )
    if shipped:
        return shipped
    reports = read_json(context.folder.report).get("iterations", ())
    trained = [report for report in reports if report.get("number")]
    why = "no iteration beat it on the dev pairs"
    if trained and all(report.get("broken") for report in trained):
        why = "every iteration breaks a gate"
    raise ConfigError(
        f"{root}: the run ships its seed, as {why}: there is no trained judge to publish. To "
        "publish one that it does not ship: --iteration NUMBER (with --although-failed where a "
        "gate failed)."
    )


def _against(context: RunContext, number: int) -> tuple[tuple[str, ...], int]:
    """Return the gates that an iteration breaks, and how many of its instructions were forgotten.

    What plugins' gates said may quote anything, and is left out.
    """
    path = context.folder.iteration(number) / "gates.json"
    gates: dict[str, Any] = read_json(path) if path.is_file() else {}
    own = context.folder.iteration(number).name + "/"
    seen = [
        e for e in read_forgotten(context.folder.root) if any(m.startswith(own) for m in e.models)
    ]
    return tuple(without_plugins(gates.get("broken", ()))), len(seen)


def _refuse(chosen: Chosen) -> None:
    who = judge_name(chosen.number)
    if chosen.broken:
        told = "\n  ".join(chosen.broken)
        raise ConfigError(
            f"{who} breaks its gates, so that the run does not ship it:\n  {told}\nPublish "
            "another iteration, or publish it --although-failed: its card then says so."
        )
    if chosen.forgotten:
        raise ConfigError(
            f"{who} was trained on {chosen.forgotten} instructions that were forgotten "
            "afterwards, and weights cannot forget. Train again (`ste run CONFIG --from train`), "
            "or publish it --although-failed: its card then says so."
        )
