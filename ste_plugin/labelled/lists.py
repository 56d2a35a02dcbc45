"""Rows of several responses with ranks, scores or ratings, and consecutive rows of one each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ste_plugin.errors import DataError
from ste_plugin.labelled.asked import prompt_of
from ste_plugin.labelled.labels import LABELLED, TIE
from ste_plugin.labelled.pair import NO_MODELS, LabelledPair
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.sides import (
    CHOSEN,
    RANK_LISTS,
    SCORE_LISTS,
    TIES,
    LeftOut,
    chosen_is_better,
)

LISTS = ("answers", "completions", "responses", "generations", "candidates")
"""Columns of several responses: objects, or texts beside a column of their ranks or scores."""
_TEXTS = ("answer", "response", "content", "text", "completion", "output")
_SCORES = ("score", "rating", "reward", "overall_score")
_RATING = "Rating"
ITEM_COLUMNS = ("answer", "score", "rank", "model")
"""What `columns` may map within the objects of a list."""
EQUAL, SAME_TEXT = LeftOut("equal ranks or scores"), LeftOut("answers of the same text")
_PROMPTS = (
    *("prompt", "instruction", "messages", "conversations", "context", "conversation"),
    *("question", "input"),
)


class Ranked(NamedTuple):
    """A response, and how good it is."""

    text: str
    worth: float
    """The more the better: a score, or a rank turned round."""
    model: str


def best_and_worst(every: Sequence[Ranked]) -> Iterator[tuple[Ranked, Ranked]]:
    """Yield the best with the worst; the first of those that are equal."""
    yield max(every, key=_worth), min(every, key=_worth)


def all_pairs(every: Sequence[Ranked]) -> Iterator[tuple[Ranked, Ranked]]:
    """Yield every two, the better one first."""
    for one, other in combinations(every, 2):
        yield (one, other) if one.worth >= other.worth else (other, one)


Taken = Callable[[Sequence[Ranked]], Iterator[tuple[Ranked, Ranked]]]
TAKEN: Mapping[str, Taken] = {"best_worst": best_and_worst, "all": all_pairs}
"""Which pairs are made of a list."""


def _worth(ranked: Ranked) -> float:
    return ranked.worth


def pairs_of(
    row: Row, prompt: str, ranked: Sequence[Ranked], taken: Taken
) -> Iterator[LabelledPair | LeftOut]:
    """Yield the pairs of several responses to one prompt. Raises: DataError."""
    key = row.key("id") if row.filled(["id"]) else ""
    subset = row.text("subset") if row.filled(["subset"]) else ""
    place = {id(each): number for number, each in enumerate(ranked)}
    for better, worse in taken(ranked):
        if better.worth == worse.worth:
            yield EQUAL
            continue
        own = f"{key}/{place[id(better)]}-{place[id(worse)]}" if key else ""
        models = (better.model, worse.model) if better.model and worse.model else NO_MODELS
        pair = LabelledPair(own, subset, prompt, better.text, worse.text, models=models)
        yield SAME_TEXT if better.text.strip() == worse.text.strip() else pair


def read_list(row: Row, taken: Taken) -> Iterator[LabelledPair | LeftOut]:
    """Yield the pairs of a row with a list of responses. Raises: DataError."""
    column = row.filled(LISTS)[0]
    items = row.items(column)
    if len(items) < 2:
        row.unusable(f"{column!r} has {len(items)} responses; expected two at least. Remove it.")
    if all(isinstance(item, Mapping) for item in items):
        ranked = [_ranked(row, column, number, item) for number, item in enumerate(items)]
        _refuse_contradictions(row, column, items)
    else:
        ranked = _beside(row, column, items)
    yield from pairs_of(row, prompt_of(row, _PROMPTS), ranked, taken)


def _beside(row: Row, column: str, items: Sequence[Any]) -> list[Ranked]:
    """Return texts with what another column says of each. Raises: DataError."""
    names = dict.fromkeys(RANK_LISTS, -1) | dict.fromkeys(SCORE_LISTS, 1)
    found = row.filled(names)
    if len(found) != 1:
        raise DataError(
            f"{row.where}: found {', '.join(map(repr, found)) or 'nothing'} that says how good "
            f"each of {column!r} is; expected one of {', '.join(names)}: as many numbers. Add it, "
            "or rename the one that counts."
        )
    worth = row.items(found[0])
    if len(worth) != len(items):
        raise DataError(
            f"{row.where}: {column!r} has {len(items)} responses and {found[0]!r} {len(worth)} "
            "numbers; expected as many. Correct or remove the row."
        )
    models = row.items("models") if row.filled(["models"]) else []
    models = models if len(models) == len(items) else [""] * len(items)
    return [
        Ranked(
            row.text_in(f"{column}[{n}]", text),
            names[found[0]] * row.number_in(f"{found[0]}[{n}]", value),
            str(model or ""),
        )
        for n, (text, value, model) in enumerate(zip(items, worth, models, strict=True))
    ]


def _ranked(row: Row, column: str, number: int, item: Mapping[str, Any]) -> Ranked:
    where = f"{column}[{number}]"
    text = next((name for name in _TEXTS if item.get(name) is not None), "")
    if not text:
        raise DataError(
            f"{row.where}: {where!r} has no text; found {', '.join(map(repr, item)) or 'nothing'}, "
            f"expected one of {', '.join(_TEXTS)}. Say which it is by columns: {{answer: …}}."
        )
    said = item[text]
    said = said.get("content") if isinstance(said, Mapping) else said
    return Ranked(
        row.text_in(f"{where}.{text}", said),
        _worth_of(row, where, item),
        str(item.get("model") or ""),
    )


def _worth_of(row: Row, where: str, item: Mapping[str, Any]) -> float:
    """Return a rank turned round, the mean of ratings, or a score. Raises: DataError."""
    if item.get("rank") is not None:
        return -row.number_in(f"{where}.rank", item["rank"])
    return _score_of(row, where, item)


def _score_of(row: Row, where: str, item: Mapping[str, Any]) -> float:
    name = next((name for name in _SCORES if item.get(name) is not None), "")
    if name and name != "overall_score":
        return row.number_in(f"{where}.{name}", item[name])
    if ratings := _ratings(item):
        values = [row.number_in(f"{where}.annotations", rating) for rating in ratings]
        return sum(values) / len(values)
    if name:
        return row.number_in(f"{where}.{name}", item[name])
    raise DataError(
        f"{row.where}: {where!r} has no rank and no score; found {', '.join(map(repr, item))}. Say "
        "which it is by columns: {rank: …} or {score: …}, or remove the row."
    )


def _ratings(item: Mapping[str, Any]) -> list[Any]:
    """Return the ratings of UltraFeedback's annotations; N/A, of an aspect not rated, is none.

    They come before its `overall_score`, which is known to be 10 where the critique said 1.
    """
    aspects = item.get("annotations")
    found = aspects.values() if isinstance(aspects, Mapping) else ()
    # an aspect that was rated several times is a list
    rated = [one for each in found for one in (each if isinstance(each, list) else [each])]
    ratings = [aspect.get(_RATING) for aspect in rated if isinstance(aspect, Mapping)]
    return [rating for rating in ratings if rating not in (None, "", "N/A")]


def _refuse_contradictions(row: Row, column: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError where a response has the better rank and the lower score."""
    said = [
        (number, -_worth_of(row, where, item), _score_of(row, where, item))
        for number, item in enumerate(items)
        if item.get("rank") is not None and any(item.get(name) is not None for name in _SCORES)
        for where in [f"{column}[{number}]"]
    ]
    for one, other in combinations(said, 2):
        if (one[1] - other[1]) * (one[2] - other[2]) > 0:
            better, worse = sorted((one, other), key=lambda each: each[1])
            raise DataError(
                f"{row.where}: '{column}[{better[0]}]' has the better rank ({better[1]:g} against "
                f"{worse[1]:g}) and the lower score ({better[2]:g} against {worse[2]:g}) than "
                f"'{column}[{worse[0]}]'. Correct or remove the row, or rename what does not count."
            )


def read_chosen(row: Row, taken: Taken) -> Iterator[LabelledPair | LeftOut]:
    """Yield the pair of chosen and rejected, or those of lists of texts: each better than each.

    Raises: DataError.
    """
    listed = [_texts(row.columns[name]) for name in LABELLED]
    if not all(listed):
        yield CHOSEN.read(row)
        return
    if chosen_is_better(row) == TIE:
        yield TIES
        return
    ranked = [
        Ranked(row.text_in(name, text), worth, "")
        for worth, name, texts in zip((1.0, 0.0), LABELLED, listed, strict=True)
        for text in texts
    ]
    found = pairs_of(row, prompt_of(row, _PROMPTS), ranked, taken)
    yield from (each for each in found if each is not EQUAL)


def _texts(value: Any) -> list[str]:
    """Return a list of texts; nothing of anything else, as of a list of turns."""
    listed = isinstance(value, list) and all(isinstance(text, str) for text in value)
    return value if listed else []


def read_numbered(row: Row, taken: Taken) -> Iterator[LabelledPair | LeftOut]:
    """Yield the pairs of response_1, response_2, … with a list of scores. Raises: DataError."""
    scores = row.items("scores")
    columns = [f"response_{number}" for number in range(1, len(scores) + 1)]
    row.require(columns)
    ranked = [
        Ranked(row.answer(column), row.number_in(f"scores[{n}]", score), "")
        for n, (column, score) in enumerate(zip(columns, scores, strict=True))
    ]
    yield from pairs_of(row, prompt_of(row), ranked, taken)


def read_rated(rows: Sequence[Row], taken: Taken) -> Iterator[LabelledPair | LeftOut]:
    """Yield the pair of two rows of one prompt, the more helpful response chosen.

    Raises: DataError where there is only one.
    """
    first, *others = rows
    if not others or first.columns["prompt"] != others[0].columns.get("prompt"):
        raise DataError(
            f"{first.where}: the row after it is not of the same prompt; expected rows two by "
            "two, the responses to one prompt in sequence. Put them in order."
        )
    ranked = [
        Ranked(row.answer("response"), row.number("helpfulness"), str(row.columns.get("model", "")))
        for row in rows
    ]
    yield from pairs_of(first, prompt_of(first), ranked, taken)
