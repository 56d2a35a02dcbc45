"""The pages of a review: a start, one pair or judgment at a time, and an end."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ste_plugin.review.sample import Item, Sample
from ste_plugin.review.session import ReviewSession, answers_in_order
from ste_plugin.web.pages import Pages, json_answer

HERE = Path(__file__).parent
STATIC = HERE / "static"


def review_routes(session: ReviewSession, sample: Sample) -> Sequence[BaseRoute]:
    """Return the routes of one rater's review of a sample."""
    pages = Pages(HERE / "templates")

    def start(_request: Request) -> Response:
        return pages.show("start.html", session=session, sample=sample)

    def show_next(_request: Request) -> Response:
        item = session.current
        if item is None:
            return pages.show("end.html", session=session)
        return pages.show("item.html", session=session, **_shown(session, item))

    return [
        Route("/", start),
        Route("/next", show_next),
        _action("/label", lambda fields: session.label(fields["key"], fields["choice"])),
        _action("/skip", lambda fields: session.skip(fields["key"])),
        _action("/undo", lambda _fields: session.undo()),
        Route("/{rest:path}", lambda _request: RedirectResponse("/", 303)),
    ]


def _shown(session: ReviewSession, item: Item) -> dict[str, Any]:
    first, second = answers_in_order(item, session.order_of(item))
    return {"item": item, "first": first, "second": second, "number": session.done + 1}


def _action(path: str, act: Callable[[dict[str, Any]], bool]) -> Route:
    """Return a route for what the page's script sends: which item, and what of it."""

    async def answer(request: Request) -> Response:
        fields = _fields(await request.body())
        if fields is None:
            return json_answer("expected an item, and 0, 1 or 2", 400)
        # synced to disk before it is answered; a local file takes milliseconds
        return json_answer({"done": act(fields)})

    return Route(path, answer, methods=["POST"])


def _fields(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    known = isinstance(fields, dict) and isinstance(fields.get("key"), str)
    return fields if known and fields.get("choice") in (0, 1, 2) else None
