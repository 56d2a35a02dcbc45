"""What a server tells Prometheus."""

from collections.abc import Callable
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ste_plugin.judge.comparison import Comparison

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_NO_ANSWER = 499
"""What proxies log of a client that went away."""


class Metrics:
    """Counters of one server."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """`waiting` tells how many comparisons wait."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "ste_judge_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ste_judge_request_seconds",
            "Seconds from the request to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._comparisons = Counter(
            "ste_judge_comparisons", "Comparisons made.", ["outcome"], registry=registry
        )
        self.batch_size = Histogram(
            "ste_judge_batch_size",
            "Comparisons that went to the judge at once.",
            buckets=_SIZES,
            registry=registry,
        )
        gauge = Gauge("ste_judge_waiting", "Comparisons that wait.", registry=registry)
        gauge.set_function(waiting)

    def count(self, comparison: Comparison) -> None:
        """Count a comparison by what came of it."""
        outcome = "problem" if comparison.problem else comparison.abstained or "verdict"
        self._comparisons.labels(outcome).inc()

    def text(self) -> bytes:
        """Return all counters as Prometheus reads them."""
        return generate_latest(self._registry)

    def around(self, app: ASGIApp, paths: frozenset[str]) -> ASGIApp:
        """Return the application with its requests counted; other paths than these as `other`."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status, began = _NO_ANSWER, perf_counter()

            async def send_noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, send_noted)
            finally:
                path = scope["path"] if scope["path"] in paths else "other"
                self._requests.labels(path, str(status)).inc()
                self._seconds.labels(path).observe(perf_counter() - began)

        return counted
