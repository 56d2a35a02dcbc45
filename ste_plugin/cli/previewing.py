"""The command `ste preview`: a few instructions on the whole way to rows, shown to a person."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from ste_plugin.cli.app import app, require_plugins, say, show
from ste_plugin.cli.running import Config, Json, Plugin
from ste_plugin.errors import JudgeError
from ste_plugin.text.turns import opening_turn

if TYPE_CHECKING:
    from ste_plugin.records import Judgment
    from ste_plugin.run.estimate import Range, StageEstimate
    from ste_plugin.run.preview_records import Preview, PreviewedInstruction, RenderedRow

_SHORT = 280
"""Characters of an answer that are shown."""
_PROMPT_END = 200
"""Characters of a rendered prompt that are shown, from its end."""
_UNITS = ((1, "s"), (60, "min"), (3600, "h"))
"""Seconds of each unit of time, with its name."""


@app.command()
def preview(config: Config, plugin: Plugin = None, as_json: Json = False) -> None:
    """Show what becomes of ten instructions, up to rows, and what all answers and judgments take.

    That is in tokens and time, and in money for an `http` model with `prices`; training and
    measuring come on top. The ten are paid for; the run's folder is left as it is.
    """
    import msgspec

    from ste_plugin.run.preview import preview as make_preview

    require_plugins(config, plugin or [])
    found = make_preview(config, plugin or [], quiet=as_json)
    if as_json:
        show(msgspec.to_builtins(found))
    else:
        for line in _lines(found):
            say(line)
    if found.problem:
        raise typer.Exit(JudgeError.exit_code)


def _lines(found: "Preview") -> Iterator[str]:
    for number, instruction in enumerate(found.shown, start=1):
        yield from _instruction_lines(number, instruction, found.pointwise)
    yield "\nOne prompt of the judge, in full:"
    for message in found.judge_prompt:
        yield f"[{message.role}]\n{message.content}"
    if found.row:
        yield from _row_lines(found.row, found.rows, found.verdict_rows)
    if found.drops:
        yield "\nDropped on the way:"
        yield from (f"  {n} x {reason}" for reason, n in found.drops.items())
    if found.problem:
        yield f"\nNothing to train on: {found.problem}"
    yield from _estimate_lines(found)


def _instruction_lines(
    number: int, shown: "PreviewedInstruction", pointwise: bool
) -> Iterator[str]:
    text = shown.instruction
    yield f"\n{number}. {_short_end(text) if opening_turn(text) else _short(text)}"
    for better, pairs in groupby(shown.pairs, key=lambda pair: pair.better):
        yield f"   better: {_short(better)}"
        for pair in pairs:
            yield f"   worse ({pair.strategy}): {_short(pair.worse)}"
            yield from (f"     {_judgment_line(j, pointwise)}" for j in pair.judgments)
    yield from (f"   no pair: {reason}" for reason in shown.dropped)


def _judgment_line(judgment: "Judgment", pointwise: bool) -> str:
    alone = {"A": "better alone", "B": "worse alone"}[judgment.gold]
    shown = alone if pointwise else f"better shown as {judgment.gold}"
    verdict = {None: "no verdict", True: "right", False: "wrong"}[
        judgment.verdict and judgment.correct
    ]
    forced = ", forced" if judgment.forced else ""
    thought = ", after a thought" if judgment.thinking else ""
    return f"{shown}: {verdict}{forced}{thought}: {_short(judgment.text)}"


def _row_lines(row: "RenderedRow", rows: int, verdict_rows: int) -> Iterator[str]:
    alone = f"; {verdict_rows} ask for the letter alone" if verdict_rows else ""
    yield (
        f"\nOne of {rows} training rows ({row.row_format}{alone}), as it is trained. "
        "Its prompt ends:"
    )
    yield f"  …{row.prompt[-_PROMPT_END:]!r}"
    for name, target in row.targets.items():
        yield f"and behind that is the {name}:"
        yield f"  {target!r}"


def _estimate_lines(found: "Preview") -> Iterator[str]:
    yield (
        f"\nThe whole run before training, estimated from {len(found.shown)} of "
        f"{found.instructions:,} instructions:"
    )
    head = ("", "requests", "tokens read", "tokens written", "time", "cost")
    table = [head, *(_cells(stage) for stage in found.estimate)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  " + "   ".join(cells).rstrip()
    yield (
        "Not in it: training and measuring, and that later judges need more or fewer samples than "
        "the seed. Costs are in the currency of options.prices."
    )


def _cells(stage: "StageEstimate") -> tuple[str, ...]:
    counts = (stage.requests, stage.prompt_tokens, stage.generated_tokens)
    cost = "no prices" if stage.cost is None else _range(stage.cost, 2)
    return (stage.stage, *map(_range, counts), _time(stage.seconds), cost)


def _range(values: "Range", digits: int = 0) -> str:
    low, high = (f"{value:,.{digits}f}" for value in values)
    return low if low == high else f"{low} to {high}"


def _time(seconds: "Range") -> str:
    fitting = [unit for unit in _UNITS if seconds[1] >= unit[0]]
    unit, name = fitting[-1] if fitting else _UNITS[0]
    return f"{_range((seconds[0] / unit, seconds[1] / unit), 1)} {name}"


def _short(text: str) -> str:
    """Return a text on one line, its beginning alone where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}… ({len(text.split())} words)"


def _short_end(text: str) -> str:
    """Return the end of a conversation on one line, where the turn is that is answered."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"({len(text.split())} words) …{line[-_SHORT:]}"
