"""Rounds in which a run's judge was refreshed on what a policy answered, and how far it moved."""

from collections.abc import Mapping
from typing import Any

from ste_plugin.report.parts import Cell, Column, Estimate, Paragraph, Part, Section, Table
from ste_plugin.report.read_run import RunFigures
from ste_plugin.storage.followed import Followed

_SETS = {"run_test": "the run's own test pairs", "test": "held-out pairs of the policy's answers"}
_COLUMNS = (
    *(Column("round", "number"), Column("checkpoint"), Column("pairs", "number")),
    *(Column("last", "number"), Column("new", "number"), Column("difference", "number")),
    *(Column("verdict changed", "number"), Column("share of A, change", "number")),
    Column("taken"),
)


def follow_sections(run: RunFigures) -> list[Section]:
    """Return the section on `ste follow`; none where no round of it is finished."""
    finished = [each for each in run.followed if each.drift is not None]
    if not finished:
        return []
    told = (
        f"The judge was refreshed on the answers of {len(finished)} checkpoint"
        f"{'' if len(finished) == 1 else 's'} of a policy. Each round is a run of its own beside "
        f"this one, as `{finished[-1].run}`, with a report of its own."
    )
    parts: list[Part] = [Paragraph(told)]
    for name, words in _SETS.items():
        rows = [_row(each, name) for each in finished if name in (each.drift or {})["sets"]]
        if rows:
            caption = f"On {words} (`{name}`): right in both orders, the last judge and the new."
            parts.append(Table(_COLUMNS, rows, caption))
    return [Section("Following a policy", "follow", parts)]


def _row(followed: Followed, name: str) -> list[Cell]:
    drift: Mapping[str, Any] = followed.drift or {}
    found = drift["sets"][name]
    both = found["comparison"]["acc_pc"]
    return [
        followed.round,
        "/".join(followed.checkpoint.rsplit("/", 2)[-2:]),
        found["comparison"]["n"],
        both["first"],
        both["second"],
        _estimate(both["difference"], both["interval"], signed=True),
        _told(found.get("verdicts", {}).get("share")),
        _told(found.get("position", {}).get("change"), signed=True),
        "yes" if drift["taken"] else "no: breaks a gate" if drift["broken"] else "no: not better",
    ]


def _told(figure: Mapping[str, Any] | None, *, signed: bool = False) -> Estimate | None:
    return _estimate(figure["figure"], figure["interval"], signed=signed) if figure else None


def _estimate(value: float | None, interval: Any, *, signed: bool) -> Estimate:
    return Estimate(value, tuple(interval) if interval else None, signed)
