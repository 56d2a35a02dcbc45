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
from ste_plugin.view.read_item import read_item
from ste_plugin.view.viewer import Viewer, refuse
from ste_plugin.view.words import to_match

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
    q: str
    """The words that are searched for, as they were typed."""
    sides: tuple[Side, Side]
    note: str = ""
    """What of the address is not there, and is something else here."""

    @property
    def words(self) -> str:
        """Return the words in the form of the index; empty while they cannot be searched."""
        return to_match(self.q) if pairing.can_search(*self.sides) else ""

    def to_query(self, **more: object) -> str:
        """Return the parameters of an address."""
        own = {"first": self.first, "second": self.second, "on": self.on, "show": self.show}
        own["q"] = self.q
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
    for name in filter(None, (given.get("first"), given.get("second"))):
        if name not in known:
            return f"No judge {name!r} here. There are: {', '.join(known)}."
    comparable = [name for name in known if partners(known, name)]
    first = given.get("first") or (comparable or list(known))[0]
    others = partners(known, first)
    if not others:
        return (
            f"{first} was asked about {', '.join(known[first])}, and nobody else was: there is "
            "nothing to compare it with."
        )
    second, on = given.get("second") or others[-1], given.get("on", "")
    note = ""
    if second not in others:
        note = f"{first} and {second} were not asked about the same pairs: here is {others[-1]}."
        second = others[-1]
    common = [name for name in known[first] if name in known[second]]
    if on and common and on not in common:
        note = note or f"{first} and {second} were not both asked about {on}."
        on = ""
    on = on or _preferred(common)
    if common:
        sides = known[first][on], known[second][on]
    else:  # two single evaluations are compared whatever their names
        sides = next(iter(known[first].values())), next(iter(known[second].values()))
    show = given.get("show", "")
    show = show if show in KINDS else ""
    return Asked(first, second, on, show, given.get("q", ""), sides, note)


def partners(known: dict[str, dict[str, Side]], first: str) -> list[str]:
    """Return the judges that one can be compared with: on the same pairs, or where each of two was
    measured once, whatever its pairs are called."""
    once = _measured_once(known[first])
    return [
        name
        for name, other in known.items()
        if name != first
        and (other.keys() & known[first].keys() or (once and _measured_once(other)))
    ]


def _measured_once(sides: dict[str, Side]) -> bool:
    return len(sides) == 1 and not any(side.sampled for side in sides.values())


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
        tally = pairing.tally(db, *asked.sides, asked.words)
        found = pairing.pairs(db, asked.sides, asked.show, asked.words, **edges, limit=PAGE + 1)
    page, more_before, more_after = cut(found, edges)
    reasons = [_reasons(side, [pair.key for pair in page]) for side in asked.sides]
    comparison, why_not = _test(asked)
    folder = asked.sides[0].folder
    return viewer.pages.show(
        "compare.html",
        viewer=viewer,
        asked=asked,
        judges=[name for name in known if partners(known, name)],
        seconds=partners(known, asked.first),
        search_waits=bool(asked.q) and not asked.words,
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
            "No test: of sampled judgments more were drawn where the first was wrong. The first "
            "sample of each order counts here."
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
        after = pairing.pairs(db, asked.sides, asked.show, asked.words, after=pair.first, limit=1)
        before = pairing.pairs(db, asked.sides, asked.show, asked.words, before=pair.first, limit=1)
        tally = pairing.tally(db, *asked.sides, asked.words)
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
    read = read_item(side.folder, item, spans, viewer.find_format)
    run = next(name for name, folder in viewer.folders.items() if folder is side.folder)
    own = {"run": run, "of": side.judge, "set": side.on, "pair": key}
    return {
        "name": (asked.first, asked.second)[number],
        "item": item,
        "text": read.text,
        "orders": read.by_order(item),
        "prompts": read.prompts,
        "problem": read.problem,
        "query": urlencode({k: v for k, v in own.items() if v}),
    }
