"""The application around a command's routes: who may enter, what a page may do, and errors."""

import traceback
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ste_plugin.errors import SteError
from ste_plugin.web.access import READS, Access, place_without_token

Say = Callable[[str], object]
"""Shows a text to the person at the terminal, made safe."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer. Scripts and styles come from files of the package alone, never from a page."""

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_OWN_STATIC = Path(__file__).parent / "static"


def make_app(
    routes: Sequence[BaseRoute], access: Access, say: Say, static: Sequence[Path] = ()
) -> ASGIApp:
    """Return the application that serves `routes`, and /static/NAME from folders of the package.

    A SteError of a route is answered with its message, any other exception with a page that says
    so; its traceback goes to `say`.
    """
    files = _static_files([_OWN_STATIC, *static])

    def read_static(request: Request) -> Response:
        path = files.get(request.path_params["name"])
        if path is None:
            return PlainTextResponse("No such file.", 404)
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix])

    app = Starlette(
        routes=[Route("/static/{name}", read_static), *routes],
        exception_handlers={SteError: _show_error},
    )
    return _Guard(app, access, say)


def _static_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Return name → file: nothing else can be asked for, however its name is spelt."""
    paths = [path for folder in folders for path in folder.iterdir() if path.suffix in _TYPES]
    return {path.name: path for path in paths}


def _show_error(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error).encode(errors="replace"), 409)


class _Guard:
    """Lets in who has the token, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access, say: Say) -> None:
        self._app, self._access, self._say = app, access, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there are no web sockets."""
        if scope["type"] != "http":
            return
        answer = self._answer(Request(scope)) or self._app
        began = False

        async def send_guarded(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await answer(scope, receive, send_guarded)
        except Exception:
            self._say(traceback.format_exc())
            if not began:
                failed = PlainTextResponse("This is a bug: its traceback is on the terminal.", 500)
                await failed(scope, receive, send_guarded)

    def _answer(self, request: Request) -> Response | None:
        """Return the refusal of a request, or the way in with a token; None lets it pass."""
        if refusal := self._access.refuse_origin(request):
            return PlainTextResponse(refusal[1], refusal[0])
        token = request.query_params.get("token")
        if token is not None and request.method in READS and self._access.is_token(token):
            return self._enter(request)
        if refusal := self._access.refuse_stranger(request):
            return PlainTextResponse(refusal[1], refusal[0])
        return None

    def _enter(self, request: Request) -> Response:
        """Set the cookie, and go on to the same place without the token in its address."""
        place = place_without_token(request)
        answer: Response = RedirectResponse(place, 303)
        if request.headers.get("sec-fetch-site") == "cross-site":
            # a strict cookie is not sent on a redirect that another site's link led to, but on one
            # that our own page asks for
            page = f'<meta http-equiv="refresh" content="0;url={escape(place)}"><title>ste</title>'
            answer = HTMLResponse(page)
        answer.set_cookie(
            self._access.cookie, self._access.token, path="/", httponly=True, samesite="strict"
        )
        return answer
