"""The application: comparisons over HTTP, each answered once, or refused."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from hmac import compare_digest
from math import ceil
from time import monotonic
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Scope

from ste_plugin import __version__
from ste_plugin.judge import Comparison, PairwiseJudge
from ste_plugin.judge.batching import Batcher, Closed, Full
from ste_plugin.judge.texts import Pair
from ste_plugin.serving.bodies import (
    ComparisonOut,
    ComparisonsOut,
    ErrorOut,
    PairBody,
    PairsBody,
    comparison_out,
)
from ste_plugin.serving.errors import Refused, error_response, handlers
from ste_plugin.serving.guard import BodyGuard
from ste_plugin.serving.limits import Limits
from ste_plugin.serving.metrics import Metrics

PATHS = frozenset({"/v1/compare", "/v1/compare_many", "/v1/judge", "/health", "/metrics"})
_KEYED = ("/v1/", "/metrics")
"""The beginnings of the paths that need the key."""
_LOOK_S = 1.0
"""How often it is looked whether a client has gone away."""
_BATCHES = 8
"""The last ones, which tell how long the next will take."""
_MOST_AFTER_S = 60
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "No key, or a wrong one."},
    415: {"model": ErrorOut, "description": "No JSON."},
    413: {"model": ErrorOut, "description": "Larger than the server takes."},
    422: {"model": ErrorOut, "description": "Not what is expected."},
    429: {"model": ErrorOut, "description": "Too much waits; Retry-After says when to try again."},
    502: {"model": ErrorOut, "description": "The model could not answer."},
    503: {"model": ErrorOut, "description": "The server is stopping."},
    504: {"model": ErrorOut, "description": "Not answered in time."},
}


class JudgeService:
    """One judge, what waits for it, and whether more is taken."""

    def __init__(self, judge: PairwiseJudge, limits: Limits) -> None:
        self.judge, self.limits = judge, limits
        self.batcher = Batcher(
            judge.compare_many, limits.max_batch, limits.max_waiting, self._note_batch
        )
        self.metrics = Metrics(lambda: self.batcher.waiting)
        self._batch_s: deque[float] = deque(maxlen=_BATCHES)
        self.stopping = False
        """Whether a signal has asked the server to end."""

    def _note_batch(self, size: int, seconds: float) -> None:
        self.metrics.batch_size.observe(size)
        self._batch_s.append(seconds)

    async def compare(self, request: Request, pairs: Sequence[Pair]) -> list[Comparison]:
        """Return a comparison per pair. Raises: Refused where they are not taken or not in time."""
        if self.stopping:
            raise _stopping()
        waiting, expected_s = self.batcher.waiting, self._expected_s(len(pairs))
        if waiting and expected_s > self.limits.timeout_s:
            raise self._full(
                f"{waiting} comparisons wait, which takes about {expected_s:.0f} s, and a request "
                f"may take {self.limits.timeout_s:g} s."
            )
        try:
            futures = self.batcher.submit(pairs)
        except Full:
            most = self.limits.max_waiting
            raise self._full(f"{waiting} comparisons wait, and at most {most} may.") from None
        except Closed:
            raise _stopping() from None
        compared = await _awaited(request, futures, self.limits.timeout_s)
        for comparison in compared:
            self.metrics.count(comparison)
        return compared

    def _expected_s(self, pairs: int) -> float:
        """Return how long so many more pairs would take, by the slowest of the last batches."""
        batches = ceil((self.batcher.waiting + pairs) / self.limits.max_batch)
        return (batches + self.batcher.working) * max(self._batch_s, default=0.0)

    def _full(self, why: str) -> Refused:
        """Return a refusal that says to come again when about half of what waits is done."""
        after_s = min(max(1, ceil(self._expected_s(0) / 2)), _MOST_AFTER_S)
        return Refused(429, "queue_full", f"{why} Try again later.", after_s)


def _stopping() -> Refused:
    return Refused(503, "stopping", "The server is stopping. Try again later.", 5)


async def _awaited(
    request: Request, futures: Sequence[Future[Comparison]], timeout_s: float
) -> list[Comparison]:
    """Return the results; what nobody waits for any longer is not asked, if it was not yet."""
    wanted = [asyncio.wrap_future(future) for future in futures]
    ends = monotonic() + timeout_s
    try:
        while missing := [future for future in wanted if not future.done()]:
            left = ends - monotonic()
            if left <= 0:
                raise Refused(504, "timeout", f"Not answered within {timeout_s:g} s.", 5)
            await asyncio.wait(missing, timeout=min(left, _LOOK_S))
            if await request.is_disconnected():
                raise Refused(499, "gone", "The client went away.")
    finally:
        # the comparisons themselves, too: a wrapper passes its end on only when the loop comes by,
        # and until then the next batch may take them
        for future in futures:
            future.cancel()
        for wrapper in wanted:
            wrapper.cancel()
    failed = [error for future in wanted if (error := future.exception())]
    if failed:
        raise failed[0]
    return [future.result() for future in wanted]


def make_app(
    service: JudgeService, key: str, say: Callable[[str], object], hosts: Sequence[str] = ()
) -> ASGIApp:
    """Return the application.

    `key`: what clients send as `Authorization: Bearer KEY`; empty lets everybody in. `hosts`: the
    names that the Host header may have, so that no web page reaches a server on its reader's own
    machine by another name; empty for any.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.batcher.close)

    app = FastAPIOffline(
        title="ste judge",
        version=__version__,
        description="Which of two answers is better, in both orders.",
        lifespan=lifespan,
        redoc_url=None,
        exception_handlers=handlers(say),
    )
    _add_routes(app, service)
    if hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    guarded = BodyGuard(app, service.limits, say, _key_check(key))
    return service.metrics.around(guarded, PATHS)


def _key_check(key: str) -> Callable[[Scope], Response | None]:
    """Return what refuses a request without the key, before anything of its body is read."""

    def refuse(scope: Scope) -> Response | None:
        if not key or not scope["path"].startswith(_KEYED):
            return None
        kind, _, said = Headers(scope=scope).get("authorization", "").partition(" ")
        said = said.strip() if kind.lower() == "bearer" else ""
        if compare_digest(said.encode(errors="replace"), key.encode()):
            return None
        problem = "Wrong key" if said else "No key"
        message = f"{problem}: send the server's as `Authorization: Bearer KEY`."
        return error_response(401, "wrong_key", message)

    return refuse


def _add_routes(app: FastAPI, service: JudgeService) -> None:
    scheme = HTTPBearer(auto_error=False, description="The server's key, where it has one.")
    keyed = [Depends(scheme)]  # for the page of the API; `_key_check` has looked at it

    @app.post("/v1/compare", response_model=ComparisonOut, dependencies=keyed, responses=_REFUSALS)
    async def compare(request: Request, body: PairBody) -> Any:
        """Say which of two answers is better."""
        pairs = PairsBody(pairs=[body]).checked(service.limits)
        (found,) = await service.compare(request, pairs)
        if found.problem:
            raise Refused(422, "not_comparable", found.problem)
        return comparison_out(found)

    @app.post(
        "/v1/compare_many", response_model=ComparisonsOut, dependencies=keyed, responses=_REFUSALS
    )
    async def compare_many(request: Request, body: PairsBody) -> Any:
        """Say so of several pairs; one that cannot be compared has a `problem`."""
        found = await service.compare(request, body.checked(service.limits))
        return {"comparisons": list(map(comparison_out, found))}

    @app.get("/v1/judge", dependencies=keyed)
    async def judge() -> dict[str, Any]:
        """Tell which judge this is, and what the server takes."""
        judge_format = service.judge.format
        return {
            "name": service.judge.name,
            "format": judge_format.name,
            "format_version": judge_format.version,
            **service.judge.about,
            "limits": service.limits.model_dump(),
        }

    @app.get("/health")
    async def health(response: Response) -> dict[str, Any]:
        """Tell whether comparisons are taken: 503 while the server is stopping."""
        response.status_code = 503 if service.stopping else 200
        status = "stopping" if service.stopping else "ok"
        return {"status": status, "waiting": service.batcher.waiting}

    @app.get("/metrics", dependencies=keyed)
    async def metrics() -> Response:
        """Tell Prometheus how much was asked and answered."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
