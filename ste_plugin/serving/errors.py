"""Refusals and failures of a server, all of one shape."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ste_plugin.errors import SteError
from ste_plugin.text.redaction import redact


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after_s = retry_after_s
        """When to try again, where that may help."""


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Return `{"error": {"code": …, "message": …}}`, without secrets."""
    body = {"error": {"code": code, "message": redact(message)}}
    return JSONResponse(body, status, headers=dict(headers))


def handlers(say: Callable[[str], object]) -> dict[Any, Any]:
    """Return exception → what answers it; a judge that fails is told by `say` as well."""

    async def refused(_: Request, error: Refused) -> Response:
        after = {"retry-after": str(error.retry_after_s)} if error.retry_after_s else {}
        return error_response(error.status, error.code, error.message, after)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        kind = request.headers.get("content-type", "")
        if "json" not in kind.lower():
            message = (
                f"found Content-Type {kind or 'none'!r}; expected application/json. Send that "
                "header; curl: -H 'Content-Type: application/json'."
            )
            return error_response(415, "invalid_request", message)
        if any(each["type"] == "json_invalid" for each in error.errors()):
            return error_response(422, "invalid_request", _no_json(error.errors()[0]))
        told = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
        return error_response(422, "invalid_request", "; ".join(told))

    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return error_response(404, "not_found", "No such path: /docs shows those there are.")
        codes = {405: "method_not_allowed", 413: "too_large"}
        code = codes.get(error.status_code, "invalid_request")
        return error_response(error.status_code, code, error.detail, error.headers or {})

    async def failed(_: Request, error: SteError) -> Response:
        say(str(error))
        return error_response(502, "judge_failed", str(error), {"retry-after": "5"})

    async def bug(_: Request, __: Exception) -> Response:
        return error_response(500, "bug", "A bug of the server: its log says more.")

    return {
        Exception: bug,
        Refused: refused,
        RequestValidationError: invalid,
        HTTPException: http,
        SteError: failed,
    }


def _no_json(error: Mapping[str, Any]) -> str:
    why = error.get("ctx", {}).get("error", error["msg"])
    return f"the body is no JSON ({why}, at character {error['loc'][-1]}). Correct it."


def _place(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location if part != "body") or "body"
