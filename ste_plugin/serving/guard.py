"""What is looked at before a request is read: its size, and how long it takes to arrive."""

import asyncio
import traceback
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ste_plugin.serving.limits import Limits


class BodyGuard:
    """Refuses a body that is too large or too slow, and tells of errors that nobody expected."""

    def __init__(self, app: ASGIApp, limits: Limits, say: Callable[[str], object]) -> None:
        self._app, self._limits, self._say = app, limits, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there are no web sockets."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, self._bounded(scope, receive), send)
        except Exception:  # answered by now; its traceback is for who runs the server
            self._say(traceback.format_exc())

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Return what reads the body, and raises HTTPException beyond its limits."""
        most = self._limits.max_body_bytes
        told = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        declared = int(told) if told.isdigit() else 0
        arrived, whole = 0, False

        async def bounded() -> Message:
            nonlocal arrived, whole
            if whole:  # only that the client went away can come
                return await receive()
            if declared > most:
                raise _too_large(most)
            try:
                message = await asyncio.wait_for(receive(), self._limits.body_timeout_s)
            except TimeoutError:
                raise HTTPException(
                    408, f"The body did not arrive within {self._limits.body_timeout_s:g} s."
                ) from None
            arrived += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if arrived > most:
                raise _too_large(most)
            return message

        return bounded


def _too_large(most: int) -> HTTPException:
    return HTTPException(
        413, f"The body is larger than {most} bytes. Send fewer pairs at once, or shorter texts."
    )
