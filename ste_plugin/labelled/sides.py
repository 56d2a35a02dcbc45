"""Rows of two responses, each in a column of its own, and what says which of them is better."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.labelled.labels import (
    LABELLED,
    TIE,
    UNORDERED,
    label_of,
    plain_name,
    refuse_verdicts,
    says_tie,
)
from ste_plugin.labelled.pair import (
    NO_MODELS,
    ONE_TIE,
    ONE_VOTE,
    UNLABELLED,
    LabelledPair,
    VoteCounts,
)
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import refuse_equal, texts_of


class LeftOut(NamedTuple):
    """What is no pair although nothing is wrong with it."""

    reason: str
    """In words that are counted by."""


RANKS = (("chosen_rank", "rejected_rank"), ("rank_chosen", "rank_rejected"))
"""Columns of ranks, of which the lower one is better."""
_VOTES: Mapping[str, VoteCounts] = {"": UNLABELLED, TIE: ONE_TIE}
"""Verdict → whose vote it is; any other is one for the better response."""
EQUAL_SCORES, TIES = LeftOut("equal scores"), LeftOut("ties")
RANK_LISTS = ("ranks", "rank")
SCORE_LISTS = ("scores", "ratings", "rewards", "score", "rating", "reward", "overall_score")
"""Columns of as many numbers as there are responses."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Which columns hold two responses, and all that is said of them."""

    first: str
    second: str
    verdict: Callable[[Row], str]
    """Returns A (the first is better), B, tie, or nothing where nobody said. Raises: DataError."""
    models: tuple[str, str] = ("model_a", "model_b")
    scores: Sequence[tuple[str, str]] = ()
    """Columns of scores of both, if the file has them: they may not contradict the verdict."""
    scored: bool = False
    """Whether the verdict was made of scores, or of a tie, so that equal ones are none."""
    by_scores: bool = False
    """Whether the higher score wins where nothing else says which is better."""
    subsets: tuple[str, ...] = ("subset",)
    """Columns that may say the subset; the first that is filled counts."""
    complete: Callable[[Row], Row] = lambda row: row
    """Makes conversations of what is none yet."""

    def read(self, row: Row) -> LabelledPair | LeftOut:
        """Return the pair of a row. Raises: DataError."""
        refuse_both_kinds(row)
        row = self.complete(row)
        verdict = self.verdict(row)
        if self.by_scores:
            verdict = verdict or self._of_scores(row)
        equal = self._by_scores(row, verdict)
        texts = texts_of(row, self.first, self.second)
        models = tuple(str(row.columns.get(name) or "") for name in self.models)
        pair = LabelledPair(
            row.key("id") if row.filled(["id"]) else "",
            next(map(row.text, row.filled(self.subsets)), ""),
            texts.prompt,
            texts.first,
            texts.second,
            votes=_VOTES.get(verdict, ONE_VOTE),
            models=(models[0], models[1]) if all(models) else NO_MODELS,
        )
        refuse_equal(row, pair, self.first, self.second)
        if self.scored and (equal or verdict == TIE):
            return EQUAL_SCORES if equal else TIES
        return turned(pair) if verdict == "B" else pair

    def _by_scores(self, row: Row, verdict: str) -> bool:
        """Return whether scores are equal: two columns of them, or else a list.

        Raises: DataError where they, or ranks, contradict the verdict.
        """
        equal: bool | None = None
        for columns in (*self.scores, *RANKS):
            if len(row.filled(columns)) < 2 or verdict not in ("A", "B"):
                continue
            first, second = map(row.number, columns)
            better, worse = (first, second) if verdict == "A" else (second, first)
            if better < worse if columns not in RANKS else worse < better:
                raise DataError(
                    f"{row.where}: {columns[0]!r} is {first:g} and {columns[1]!r} is {second:g}, "
                    f"but {self._called(verdict)} is said to be better. Correct or remove the row."
                )
            if columns not in RANKS:
                equal = equal or better == worse
        return _has_equal_list(row) if equal is None else equal

    def _of_scores(self, row: Row) -> str:
        """Return what the first scores of both say where nothing else does; '' without any."""
        both = next((names for names in self.scores if len(row.filled(names)) == 2), None)
        if not both:
            return ""
        first, second = map(row.number, both)
        return TIE if first == second else "A" if first > second else "B"

    def _called(self, verdict: str) -> str:
        return repr(self.first if verdict == "A" else self.second)


def turned(pair: LabelledPair) -> LabelledPair:
    """Return a pair whose second response is the better one."""
    models = (pair.models[1], pair.models[0])
    return replace(pair, chosen=pair.rejected, rejected=pair.chosen, models=models)


def refuse_both_kinds(row: Row) -> None:
    """Raise DataError for a row of chosen and rejected that has two other responses as well."""
    labelled = row.filled(LABELLED)
    unordered = row.filled(c for c in row.columns if plain_name(c) in UNORDERED)
    if labelled and unordered:
        raise DataError(
            f"{row.where}: found {', '.join(map(repr, labelled + unordered))}; expected either "
            "chosen and rejected, or response_a and response_b with a label. Remove or rename the "
            "columns that do not count."
        )


def chosen_is_better(row: Row) -> str:
    """Return A, or tie where a column says so. Raises: DataError where one says otherwise."""
    refuse_verdicts(row)
    return TIE if any(says_tie(row, column) for column in row.columns) else "A"


def _has_equal_list(row: Row) -> bool:
    """Return whether a list says that all responses of a row are as good."""
    return any(_are_equal(row.columns[name]) for name in row.filled((*RANK_LISTS, *SCORE_LISTS)))


def _are_equal(value: Any) -> bool:
    """Return whether a value is several numbers, all the same; in CSV a list is JSON."""
    try:
        numbers = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return False
    if not isinstance(numbers, list) or len(numbers) < 2:
        return False
    return all(type(n) in (int, float) and n == numbers[0] for n in numbers)


def with_conversations(row: Row) -> Row:
    """Return a row whose prompts and responses, lists of texts in JSON, are conversations.

    Raises: DataError where these lists are of different lengths, or not of texts.
    """
    prompts, *replies = (_listed(row, column) for column in ("prompt", *UNORDERED))
    if len({len(prompts), *map(len, replies)}) > 1:
        raise DataError(
            f"{row.where}: {len(prompts)} prompts and {' and '.join(str(len(r)) for r in replies)} "
            "responses; expected as many of each, a turn of the user and one of the assistant. "
            "Correct or remove the row."
        )
    talks = (
        [turn for both in zip(prompts, said, strict=True) for turn in _exchange(*both)]
        for said in replies
    )
    columns = dict(row.columns) | dict(zip(UNORDERED, talks, strict=True)) | {"prompt": None}
    return replace(row, columns=columns)


def with_input(row: Row) -> Row:
    """Return a row whose prompt is the messages of `input`. Raises: DataError."""
    given = row.columns["input"]
    if not isinstance(given, Mapping) or "messages" not in given:
        raise row.unexpected("input", given, "an object with messages")
    return replace(row, columns={**row.columns, "prompt": given["messages"], "input": None})


def with_history(row: Row) -> Row:
    """Return a row whose prompt is in `history`. Raises: DataError."""
    return replace(row, columns={**row.columns, "prompt": row.text("history"), "history": None})


def _exchange(asked: str, said: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"role": "user", "content": asked}, {"role": "assistant", "content": said}


def _listed(row: Row, column: str) -> list[Any]:
    """Return the texts of a list in JSON; any other text is the only one."""
    text = row.text(column) if isinstance(row.columns.get(column), str) else ""
    try:
        parsed = json.loads(text) if text.startswith("[") else [text] if text else None
    except ValueError:
        parsed = [text]
    found = row.columns.get(column) if parsed is None else parsed
    if not isinstance(found, list) or not all(isinstance(t, str) and t.strip() for t in found):
        raise row.unexpected(column, found, "a list of texts, none of them null or empty")
    return found


CHOSEN_SCORES = tuple(
    (pattern.format("chosen"), pattern.format("rejected"))
    for pattern in ("score_{}", "{}_score", "rating_{}", "{}_rating", "{}-rating", "{}_avg_rating")
)
SIDE_SCORES = tuple(
    (f"{name}_{kind}a", f"{name}_{kind}b")
    for name in ("score", "rating")
    for kind in ("", "response_", "model_")
)
CHOSEN = Sides(
    *LABELLED, chosen_is_better, ("chosen_model", "rejected_model"), CHOSEN_SCORES, scored=True
)
OWN = Sides(*UNORDERED, label_of, scores=SIDE_SCORES)


def read_pair(row: Row) -> LabelledPair:
    """Return the pair of one row of our own shapes: chosen and rejected, or response_a and _b.

    The latter may have a label (also called `winner`), A, B or tie; without one nobody said which
    is better. A file may have rows of both kinds. Raises: DataError, also where one row is of both.
    """
    unordered = any(column in row.columns for column in UNORDERED)
    sides = OWN if unordered and not row.filled(LABELLED) else replace(CHOSEN, scored=False)
    pair = sides.read(row)
    assert isinstance(pair, LabelledPair)  # nothing else is left out
    return pair
