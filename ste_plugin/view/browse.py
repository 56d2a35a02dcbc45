"""The pages of one judge at a time: the list with its filters, and one pair."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from ste_plugin.errors import DataError
from ste_plugin.view.indexed_folder import IndexedFolder
from ste_plugin.view.queries import (
    PAGE,
    Counted,
    Filter,
    Item,
    count,
    find_item,
    items,
    position,
    spans_of,
)
from ste_plugin.view.read_item import read_item
from ste_plugin.view.viewer import Viewer, refuse

FACETS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("judge", "Round", {}),
    ("on", "Pairs", {"train": "train (sampled)", "train-dev": "train-dev (sampled)"}),
    ("subset", "Strategy or subset", {}),
    (
        "outcome",
        "Verdict",
        {
            "right": "right",
            "flips": "flips with the order",
            "wrong": "wrong",
            "none": "no verdict",
            "unlabelled": "no label",
            "too-long": "not asked: too long",
        },
    ),
    ("changed", "Since the round before", {"gained": "gained", "lost": "lost", "same": "same"}),
    ("people", "People", {"agree": "agree", "disagree": "disagree"}),
    ("mixed", "Samples", {"yes": "disagree"}),
    ("forced", "Forced", {"yes": "forced"}),
)
"""Each filter: its parameter, its heading, and its values in words where these are all."""
_EXCERPT = 200
"""Characters of a text in a list."""


class Choice(NamedTuple):
    """A link that narrows the list, or widens it where it is chosen."""

    label: str
    n: int
    query: str
    chosen: bool


class Row(NamedTuple):
    """One line of the list."""

    item: Item
    question: str
    reason: str
    """How the first judgment begins."""
    query: str


def show_list(viewer: Viewer, request: Request) -> Response:
    """Return a page of the list."""
    folder, name = viewer.folder(request)
    wanted, edges = _wanted(request), _edges(request)
    searching = folder.has_words()
    narrowed = wanted if searching else wanted.but(q="")
    with folder.connect() as db:
        found = items(db, narrowed, **edges, limit=PAGE + 1)
        counted = count(db, narrowed)
        page, more_before, more_after = cut(found, edges)
        reasons = [reason(folder, db, item) for item in page]
    where = {"run": name}
    rows = [
        Row(item, question(folder, item.pair), said, _query(item, wanted, where))
        for item, said in zip(page, reasons, strict=True)
    ]
    return viewer.pages.show(
        "list.html",
        viewer=viewer,
        folder=folder,
        run=name,
        wanted=wanted,
        counted=counted,
        facets=_facets(wanted, counted, where),
        rows=rows,
        previous=wanted.to_query(**where, before=page[0].id) if page and more_before else None,
        next=wanted.to_query(**where, after=page[-1].id) if page and more_after else None,
        clear=urlencode({k: v for k, v in where.items() if v}),
        search_waits=bool(wanted.q) and not searching,
        hidden=[(k, v) for k, v in _parameters(wanted.but(q=""), where)],
        problems=viewer.problems(folder),
    )


def _wanted(request: Request) -> Filter:
    return Filter.of(dict(request.query_params))


def _edges(request: Request) -> dict[str, int]:
    return {name: number_in(request, name) for name in ("after", "before")}


def number_in(request: Request, name: str) -> int:
    """Return a number of an address, 0 where there is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def cut(found: Sequence[Any], edges: Mapping[str, int]) -> tuple[Sequence[Any], bool, bool]:
    """Return a page of what was found with one more, and whether there is more on either side."""
    more = len(found) > PAGE
    if edges["before"]:
        return (found[1:] if more else found), more, True
    return found[:PAGE], edges["after"] > 0, more


def _parameters(wanted: Filter, where: Mapping[str, str]) -> list[tuple[str, str]]:
    return parse_qsl(wanted.to_query(**where))


def _query(item: Item, wanted: Filter, where: Mapping[str, str]) -> str:
    query, named = item.to_query(wanted), urlencode({k: v for k, v in where.items() if v})
    return f"{query}&{named}" if named else query


def question(folder: IndexedFolder, pair: int) -> str:
    """Return the beginning of a pair's question on one line, or why it cannot be read."""
    try:
        return _short(folder.texts.pair(pair).question)
    except (DataError, LookupError, TypeError) as error:
        return f"(no text: {error})"


def reason(folder: IndexedFolder, db: sqlite3.Connection, item: Item) -> str:
    """Return how the first judgment of an item begins, on one line; empty where none is there."""
    spans = spans_of(db, item.id)
    try:
        return _short(
            folder.texts.first_reply(item.source, spans[0] if spans else None, item.sample)
        )
    except (DataError, LookupError, TypeError):
        return ""


def _short(text: str) -> str:
    line = " ".join(text[: 4 * _EXCERPT].split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}…"


def _facets(
    wanted: Filter, counted: Counted, where: Mapping[str, str]
) -> list[tuple[str, list[Choice]]]:
    facets = []
    for name, heading, words in FACETS:
        found, chosen = counted.counts[name], getattr(wanted, name)
        whole = words if name not in ("judge", "on", "subset") else {}
        values = [v for v in whole if v in found] if whole else sorted(found)
        values += [chosen] if chosen and chosen not in values else []
        choices = [
            Choice(
                words.get(value, value) or "(none)",
                found.get(value, 0),
                wanted.but(**{name: "" if value == chosen else value}).to_query(**where),
                value == chosen,
            )
            for value in values
        ]
        if len(choices) > 1 or chosen or (whole and choices and name != "outcome"):
            facets.append((heading, choices))
    return facets


def show_pair(viewer: Viewer, request: Request) -> Response:
    """Return the page of one pair that one judge was asked about."""
    folder, name = viewer.folder(request)
    asked = [request.query_params.get(key, "") for key in ("of", "set", "pair")]
    wanted = _wanted(request)
    narrowed = wanted if folder.has_words() else wanted.but(q="")
    with folder.connect() as db:
        item = find_item(db, *asked)
        if item is None:
            return refuse(viewer, f"No judgment by {asked[0]} on {asked[1]} of a pair {asked[2]}.")
        behind = items(db, narrowed, after=item.id, limit=1)
        before = items(db, narrowed, before=item.id, limit=1)
        place, total = position(db, narrowed, item.id), count(db, narrowed).total
        spans = spans_of(db, item.id)
        others = [
            other
            for (judge, on) in db.execute("SELECT judge, on_pairs FROM source ORDER BY id")
            if (other := find_item(db, judge, on, item.key)) and other.pair == item.pair
        ]
    read = read_item(folder, item, spans, viewer.find_format)
    where = {"run": name}
    return viewer.pages.show(
        "pair.html",
        viewer=viewer,
        folder=folder,
        run=name,
        wanted=wanted,
        item=item,
        text=read.text,
        orders=read.by_order(item),
        prompts=read.prompts,
        problem=read.problem,
        next=_query(behind[0], wanted, where) if behind else None,
        previous=_query(before[0], wanted, where) if before else None,
        place=place,
        total=total,
        others=[(o, _query(o, Filter(), where)) for o in others],
        back=wanted.to_query(**where, after=max(item.id - 1, 0)),
    )
