"""The shapes of labelled rows, told by their columns, each with what reads it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ste_plugin.errors import DataError, did_you_mean
from ste_plugin.labelled import labels
from ste_plugin.labelled.asked import PROMPTS
from ste_plugin.labelled.labels import LABELLED, plain_name
from ste_plugin.labelled.lists import (
    ITEM_COLUMNS,
    LISTS,
    Taken,
    read_chosen,
    read_list,
    read_numbered,
    read_rated,
)
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.sides import (
    CHOSEN_SCORES,
    OWN,
    SIDE_SCORES,
    LeftOut,
    Sides,
    with_conversations,
    with_history,
    with_input,
)

Found = Iterable[LabelledPair | LeftOut]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of row, and how it becomes pairs."""

    name: str
    columns: tuple[str, ...]
    """That tell it: all of them hold something."""
    read: Callable[[Sequence[Row], Taken], Found]
    """Rows of one group → its pairs, and what is left out. Raises: DataError."""
    rows: int = 1
    """How many consecutive rows are one group."""
    below: bool = False
    """Whether chosen and rejected in the same row count instead of these columns."""

    @property
    def told_by(self) -> str:
        """Return its columns in words."""
        return ", ".join(map(repr, self.columns))


def _of_sides(name: str, sides: Sides, *also: str) -> Shape:
    columns = (sides.first, sides.second, *also)
    return Shape(name, columns, lambda rows, _: [sides.read(rows[0])])


_BY_LIST = tuple(
    Shape(f"a list of {name}", (name,), lambda rows, taken: read_list(rows[0], taken), below=True)
    for name in LISTS
)
_OVERALL = "overall_preference"
CHOSEN_REJECTED = Shape(
    "chosen and rejected", LABELLED, lambda rows, taken: read_chosen(rows[0], taken)
)
A_AND_B = _of_sides("response_a and response_b", replace(OWN, by_scores=True))
SHAPES: tuple[Shape, ...] = (
    CHOSEN_REJECTED,
    A_AND_B,
    _of_sides(
        "arena votes in three columns",
        Sides("response_a", "response_b", labels.one_hot_winner, complete=with_conversations),
        "winner_model_a",
        "winner_model_b",
    ),
    _of_sides(
        "SHP",
        Sides(
            "human_ref_A",
            "human_ref_B",
            labels.vote_of_shp,
            scores=(("score_A", "score_B"),),
            subsets=("subset", "domain"),
            complete=with_history,
        ),
    ),
    _of_sides(
        "OpenAI's preferences",
        Sides("preferred_output", "non_preferred_output", lambda _: "A", complete=with_input),
    ),
    _of_sides("arena votes", Sides("conversation_a", "conversation_b", labels.winner_of)),
    _of_sides(
        "HelpSteer3",
        Sides(
            "response1",
            "response2",
            lambda row: labels.preference_in(row, _OVERALL),
            subsets=("subset", "domain"),
        ),
    ),
    _of_sides(
        "HelpSteer2-Preference and PPE",
        Sides("response_1", "response_2", labels.preference_or_winner),
    ),
    Shape(
        "PPE's best of k",
        ("response_1", "response_2", "scores"),
        lambda rows, taken: read_numbered(rows[0], taken),
    ),
    Shape("HelpSteer2", ("prompt", "response", "helpfulness"), read_rated, rows=2, below=True),
    *_BY_LIST,
)
OWN_SHAPES = (CHOSEN_REJECTED, A_AND_B)
"""Those of which one file may have both."""

_READ_BESIDE = (
    *("id", "subset", "system", "input", "label", "winner", _OVERALL, "preference_strength"),
    *(*labels.ONE_HOT, "domain", "scores", "ratings", "ranks", "models", "model_a", "model_b"),
    *("chosen_model", "rejected_model"),
    *(name for both in (*CHOSEN_SCORES, *SIDE_SCORES) for name in both),
)
KNOWN = tuple(
    dict.fromkeys(
        name
        for names in (PROMPTS, *(shape.columns for shape in SHAPES), _READ_BESIDE, ITEM_COLUMNS)
        for name in names
    )
)
"""All columns that mean something, which `columns` may map others to."""


def shape_of(row: Row, before: Shape | None, named: Mapping[str, str]) -> Shape:
    """Return the shape of a row; `before` is that of the rows before it.

    Where several fit, that of which `columns` names every column (`named`) counts.
    Raises: DataError for a row of none, of several, or of another than those before it.
    """
    fitting = _fitting(frozenset(row.filled(row.columns)))
    if len(fitting) > 1:
        fitting = tuple(s for s in fitting if set(s.columns) <= named.keys()) or fitting
    if len(fitting) > 1:
        raise DataError(
            f"{row.where}: found the columns of {len(fitting)} shapes: "
            f"{'; and '.join(f'{s.told_by} ({s.name})' for s in fitting)}. Say which count by "
            "columns: {COLUMN: COLUMN, …} with those of one, or remove the others."
        )
    if not fitting:
        raise _none(row, before)
    (shape,) = fitting
    if before and shape is not before and {shape, before} != set(OWN_SHAPES):
        raise DataError(
            f"{row.where}: found {shape.told_by} ({shape.name}), where the rows before it have "
            f"{before.told_by} ({before.name}). Put the rows of one shape into a file of their own."
        )
    return shape


@lru_cache
def _fitting(filled: frozenset[str]) -> tuple[Shape, ...]:
    """Return the shapes whose columns are filled, but for those of which another has all."""
    fitting = [shape for shape in SHAPES if filled.issuperset(shape.columns)]
    told = [
        s
        for s in fitting
        if not any(set(s.columns) < set(other.columns) for other in fitting)
        and not (s.below and CHOSEN_REJECTED in fitting)
    ]
    # A row of both our own shapes is refused by what reads it, with all that it has of both.
    return tuple(told[:1] if set(told) == set(OWN_SHAPES) else told)


def _none(row: Row, before: Shape | None) -> DataError:
    """Return the error for a row that lacks what tells its shape."""
    if len(row.columns) == 1 and (one := next(iter(row.columns))) and re.search("[;\t]", one):
        return DataError(
            f"{row.where}: found one column, {one[:60]!r}; expected columns parted by commas. Save "
            "the file as CSV with commas."
        )
    nearest = before or max(SHAPES, key=lambda shape: _share_of(row, shape))
    missing = [name for name in nearest.columns if name not in row.columns]
    empty = [name for name in nearest.columns if name in row.columns and not row.filled([name])]
    if not missing:
        both = "are both" if len(empty) == 2 else "is"
        return DataError(
            f"{row.where}: {' and '.join(map(repr, empty))} {both} empty. Fill in what is missing "
            "or remove the row."
        )
    if nearest in OWN_SHAPES and not any(name in row.columns for name in PROMPTS):
        missing = ["prompt", *missing]
    others = [name for name in row.columns if name not in KNOWN]
    called, named = ("it is", "it") if len(missing) == 1 else ("they are", "them")
    options = ",".join(f"{name}=…" for name in missing)
    alike = {_folded(name): f" Did you mean {name!r}?" for name in others}
    hints = [
        f"{name!r}:{hint}"
        for name in missing
        if (hint := alike.get(name) or did_you_mean(name, others))
    ]
    return DataError(
        f"{row.where}: no column {', '.join(map(repr, missing))}; found "
        f"{', '.join(map(repr, row.columns)) or 'none'}.{''.join(f' {hint}' for hint in hints)} "
        f"Say what {called} called (ste eval --columns {options}; "
        f"STE_JUDGE_COLUMNS the same; in a config {missing[0]}: … under columns), or add {named}."
    )


def _share_of(row: Row, shape: Shape) -> float:
    there = set(map(_folded, row.columns))
    return sum(name in there for name in map(_folded, shape.columns)) / len(shape.columns)


def _folded(name: str) -> str:
    return plain_name(name).replace(" ", "_")
