"""Sources of instructions: what a reader yields, read twice."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.config import SourceConfig
from ste_plugin.errors import SteError
from ste_plugin.instructions.sources import read_instructions
from ste_plugin.plugins.checks.method import takes
from ste_plugin.plugins.checks.told import contributed, guarded, instead, own, shown
from ste_plugin.records import Instruction

MOST_ROWS = 1000
"""Rows of a sample that are looked at."""

Samples = Mapping[str, str | Path | Mapping[str, Any]]
"""Name of a source → a small file that it reads, or the settings of one."""


def source_problems(
    manager: pluggy.PluginManager, plugin: str, samples: Samples, base: Path
) -> list[str]:
    """Return what is wrong with a plugin's readers; those with a sample are made to read it."""
    readers = {n: r for h in own(manager, "ste_sources", plugin) for n, r in contributed(h).items()}
    problems = [
        f"sources: {name!r} is none of the plugin's; expected one of {', '.join(readers) or 'none'}"
        for name in samples
        if name not in readers
    ]
    for name, reader in readers.items():
        where = f"ste_sources: {name!r}"
        if not takes(reader, 2):
            problems.append(
                f"{where}: it cannot be called with two arguments; expected reader(source, base): "
                "the settings, and the folder of the config."
            )
        elif name in samples:
            source = _source(name, samples[name])
            problems += guarded(where, partial(_read_twice, reader, source, base))
    return problems


def _source(name: str, sample: str | Path | Mapping[str, Any]) -> SourceConfig:
    settings = sample if isinstance(sample, Mapping) else {"path": str(sample)}
    return SourceConfig.model_validate({"reader": name, **settings})


def _read_twice(reader: Any, source: SourceConfig, base: Path) -> Iterator[str]:
    first = _rows(reader, source, base)
    if problem := _shape_problem(first):
        yield problem
        return
    places = [place for place, _ in first]
    if repeated := sorted({place for place in places if places.count(place) > 1}):
        yield (
            f"{repeated[0]!r} is the place of several rows; expected one of its own for each, such "
            "as its file and line, or its id: drops and errors name it."
        )
    if _rows(reader, source, base) != first:
        yield (
            "it read other rows when called again. A run that is resumed reads anew: open what "
            "it reads in the function, not outside of it, and give rows a fixed order."
        )
    yield from _no_instruction(first, source, base)


def _rows(reader: Any, source: SourceConfig, base: Path) -> list[Any]:
    return list(islice(reader(source, base), MOST_ROWS))


def _shape_problem(rows: list[Any]) -> str:
    if not rows:
        return "it read no row of the sample."
    for row in rows:
        if not isinstance(row, tuple) or len(row) != 2:
            return (
                f"it yielded {instead(row)}; expected (place, row): rows without a place or id "
                "cannot be told apart."
            )
        place, columns = row
        if not isinstance(place, str) or not place.strip():
            return (
                f"a row has the place {shown(place)}; expected a text, such as the file and line."
            )
        if not isinstance(columns, dict) or not all(isinstance(c, str) for c in columns):
            return f"{place}: the row is {instead(columns)}; expected a dictionary of columns."
    return ""


def _no_instruction(rows: list[Any], source: SourceConfig, base: Path) -> Iterator[str]:
    try:
        read = list(read_instructions([source], base, lambda _: lambda *_: iter(rows)))
    except SteError as error:
        yield str(error)
        return
    if not any(isinstance(found, Instruction) for found in read):
        yield "no row of the sample holds an instruction."
