"""What is looked at before a request is read: its size, and how long it takes to arrive."""

import asyncio
import traceback
from collections.abc import Callable
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ste_plugin.serving.limits import Limits


class BodyGuard:
    """Refuses a body that is too large or too slow, and tells of errors that nobody expected."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        say: Callable[[str], object],
        refuse: Callable[[Scope], Response | None],
    ) -> None:
        """`refuse` may answer a request before anything of its body is read."""
        self._app, self._limits, self._say, self._refuse = app, limits, say, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; there are no web sockets."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            answer = self._refuse(scope) or self._answer
            await answer(scope, receive, send)

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
        arrived, whole, ends = 0, False, monotonic() + self._limits.body_timeout_s

        async def bounded() -> Message:
            nonlocal arrived, whole
            if whole:  # only that the client went away can come
                return await receive()
            if declared > most:
                raise _too_large(most)
            try:
                message = await asyncio.wait_for(receive(), max(0.0, ends - monotonic()))
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
