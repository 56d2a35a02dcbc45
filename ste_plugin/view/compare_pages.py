"""The pages of two judges: what tells them apart, and each pair in two columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ste_plugin.errors import DataError, SteError
from ste_plugin.evaluation.compare import Comparison, compare
from ste_plugin.view import pairing
from ste_plugin.view.browse import cut, number_in, question, reason
from ste_plugin.view.pairing import KINDS, Side
from ste_plugin.view.queries import PAGE, find_item, spans_of
from ste_plugin.view.read_item import by_order, read_item
from ste_plugin.view.viewer import Viewer, refuse

LABELS = {
    "only-first": "only the first is right",
    "only-second": "only the second is right",
    "both": "both are right",
    "neither": "neither is right",
}


class Asked(NamedTuple):
    """What an address of these pages names."""

    first: str
    second: str
    on: str
    show: str
    sides: tuple[Side, Side]

    def to_query(self, **more: object) -> str:
        """Return the parameters of an address."""
        own = {"first": self.first, "second": self.second, "on": self.on, "show": self.show}
        return urlencode({k: v for k, v in (own | more).items() if v not in ("", None, 0)})


def choices(viewer: Viewer) -> dict[str, dict[str, Side]]:
    """Return name of each judge → what it was asked about → where that is."""
    found: dict[str, dict[str, Side]] = {}
    for name, side in pairing.sides_of(viewer.folders):
        found.setdefault(name, {})[side.on] = side
    return found


def read_asked(request: Request, known: dict[str, dict[str, Side]]) -> Asked | str:
    """Return what an address names, by default the first and the last judge; else why not."""
    given = request.query_params
    names = list(known)
    first, second = given.get("first") or names[0], given.get("second") or _second(known)
    for name in (first, second):
        if name not in known:
            return f"No judge {name!r} here. There are: {', '.join(names)}."
    common = [on for on in known[first] if on in known[second]]
    on = given.get("on") or _preferred(common)
    left, right = known[first].get(on), known[second].get(on)
    if not common and len(known[first]) == len(known[second]) == 1:
        # two single evaluations are compared whatever their names
        left, right = (next(iter(known[name].values())) for name in (first, second))
    if left is None or right is None:
        return (
            f"{first} and {second} were not both asked about {on or 'the same pairs'}. "
            f"{first} was about {', '.join(known[first])}; {second} about "
            f"{', '.join(known[second])}."
        )
    show = given.get("show", "")
    return Asked(first, second, on, show if show in KINDS else "", (left, right))


def _second(known: dict[str, dict[str, Side]]) -> str:
    """Return the last judge that was asked about anything that the first was."""
    first, *rest = known
    shared = [name for name in rest if known[name].keys() & known[first].keys()]
    return (shared or rest or [first])[-1]


def _preferred(common: Sequence[str]) -> str:
    return "test" if "test" in common else common[0] if common else ""


def show_compare(viewer: Viewer, request: Request) -> Response:
    """Return the page that sets two judges side by side."""
    known = choices(viewer)
    asked = read_asked(request, known)
    if isinstance(asked, str):
        return refuse(viewer, asked)
    edges = {name: number_in(request, name) for name in ("after", "before")}
    with pairing.connect(*asked.sides) as db:
        tally = pairing.tally(db, *asked.sides)
        found = pairing.pairs(db, asked.sides, asked.show, **edges, limit=PAGE + 1)
    page, more_before, more_after = cut(found, edges)
    reasons = [_reasons(side, [pair.key for pair in page]) for side in asked.sides]
    comparison, why_not = _test(asked)
    folder = asked.sides[0].folder
    return viewer.pages.show(
        "compare.html",
        viewer=viewer,
        asked=asked,
        judges=list(known),
        sets=[on for on in known[asked.first] if on in known[asked.second]],
        tally=_tally_links(asked, tally),
        total=sum(tally.values()),
        comparison=comparison,
        why_not=why_not,
        rows=[
            (pair, question(folder, pair.pair), said, asked.to_query(pair=pair.key))
            for pair, *said in zip(page, *reasons, strict=True)
        ],
        previous=asked.to_query(before=page[0].first) if page and more_before else None,
        next=asked.to_query(after=page[-1].first) if page and more_after else None,
    )


def _reasons(side: Side, keys: Sequence[str]) -> list[str]:
    """Return how a judge's first judgment of each pair begins."""
    with side.folder.connect() as db:
        items = [find_item(db, side.judge, side.on, key) for key in keys]
        return [reason(side.folder, db, item) if item else "" for item in items]


def _tally_links(asked: Asked, tally: dict[str, int]) -> list[tuple[int, str, int, str, bool]]:
    """Return (key, words, pairs, address, whether it is chosen) of each kind."""
    return [
        (
            number,
            LABELS[kind],
            tally[kind],
            asked._replace(show="" if kind == asked.show else kind).to_query(),
            kind == asked.show,
        )
        for number, kind in enumerate(KINDS, start=1)
    ]


def _test(asked: Asked) -> tuple[Comparison | None, str]:
    """Return the paired test of two judges, or why there is none."""
    first, second = asked.sides
    if first.sampled or second.sampled:
        return None, (
            "No test: sampled judgments are by the judge before each round, and more samples were "
            "drawn of what was wrong. The first sample of each order counts here."
        )
    try:
        folders = [side.folder.root / side.path for side in (first, second)]
        comparisons, refused = compare(*folders)
    except SteError as error:
        return None, f"No test: {error}"
    if not comparisons:
        return None, f"No test: {'; '.join(refused.values())}"
    return next(iter(comparisons.values())), ""


def show_compared_pair(viewer: Viewer, request: Request) -> Response:
    """Return the page of one pair with both judges' reasons in two columns."""
    asked = read_asked(request, choices(viewer))
    if isinstance(asked, str):
        return refuse(viewer, asked)
    key = request.query_params.get("pair", "")
    with pairing.connect(*asked.sides) as db:
        pair = pairing.find(db, asked.sides, key)
        if pair is None:
            return refuse(viewer, f"Not both judges were asked about a pair {key}.")
        after = pairing.pairs(db, asked.sides, asked.show, after=pair.first, limit=1)
        before = pairing.pairs(db, asked.sides, asked.show, before=pair.first, limit=1)
        tally = pairing.tally(db, *asked.sides)
    columns = [_column(viewer, asked, side, key) for side in (0, 1)]
    return viewer.pages.show(
        "compare_pair.html",
        viewer=viewer,
        asked=asked,
        pair=pair,
        label=LABELS[pair.kind],
        columns=columns,
        text=next((column["text"] for column in columns if column["text"]), None),
        tally=_tally_links(asked, tally),
        next=asked.to_query(pair=after[0].key) if after else None,
        previous=asked.to_query(pair=before[0].key) if before else None,
        back=asked.to_query(after=max(pair.first - 1, 0)),
    )


def _column(viewer: Viewer, asked: Asked, number: int, key: str) -> dict[str, Any]:
    """Return what the template shows of one judge."""
    side = asked.sides[number]
    with side.folder.connect() as db:
        item = find_item(db, side.judge, side.on, key)
        if item is None:
            raise DataError(f"{side.judge}: the pair {key} is gone. Load the page again.")
        spans = spans_of(db, item.id)
    text, said, prompts, problem = read_item(side.folder, item, spans, viewer.find_format)
    run = next(name for name, folder in viewer.folders.items() if folder is side.folder)
    own = {"run": run, "of": side.judge, "set": side.on, "pair": key}
    return {
        "name": (asked.first, asked.second)[number],
        "item": item,
        "text": text,
        "orders": by_order(item, said),
        "prompts": prompts,
        "problem": problem,
        "query": urlencode({k: v for k, v in own.items() if v}),
    }
