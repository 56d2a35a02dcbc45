"""Refusals and failures of a server, all of one shape."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ste_plugin.errors import SteError
from ste_plugin.text.redaction import redact

RETRY_AFTER_S = 2


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, message, retry


def error_response(
    status: int, code: str, message: str, *, retry: bool = False, headers: Mapping[str, str] = {}
) -> Response:
    """Return `{"error": {"code": …, "message": …}}`; with `retry` it says when to try again."""
    more = {"retry-after": str(RETRY_AFTER_S)} if retry else {}
    body = {"error": {"code": code, "message": redact(message)}}
    return JSONResponse(body, status, headers={**headers, **more})


def handlers(say: Callable[[str], object]) -> dict[Any, Any]:
    """Return exception → what answers it; what is our own mistake goes to `say` as well."""

    async def refused(_: Request, error: Refused) -> Response:
        return error_response(error.status, error.code, error.message, retry=error.retry)

    async def invalid(_: Request, error: RequestValidationError) -> Response:
        told = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
        return error_response(422, "invalid_request", "; ".join(told))

    async def http(_: Request, error: HTTPException) -> Response:
        codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        code = codes.get(error.status_code, "invalid_request")
        return error_response(error.status_code, code, error.detail, headers=error.headers or {})

    async def failed(_: Request, error: SteError) -> Response:
        say(str(error))
        return error_response(502, "judge_failed", str(error), retry=True)

    return {
        Refused: refused,
        RequestValidationError: invalid,
        HTTPException: http,
        SteError: failed,
    }


def _place(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location if part != "body") or "body"
