"""The actors of a replica, as they are sent to the machines of a cluster."""

from collections.abc import Iterator
from typing import Any

ANSWERS, GIVES = "answers", "gives"
"""Groups of an actor's methods: each has a thread of its own, which keeps their order."""
_CHECKS, _REPLICA = "ste_plugin.engines.ray.checks", "ste_plugin.engines.ray.replica"
RESTARTED = "this replica was started anew"
"""What an actor answers to calls that were meant for the process before it."""


def actor_class() -> Any:
    """Return the class of a replica's actor.

    It is made here so that it travels whole: one that workers import could not even say that
    ste-plugin is not installed there.
    """
    import ray

    class Replica:
        def __init__(self, spec: dict[str, Any]) -> None:
            self._spec = spec
            self._replica: Any = None

        def start(self) -> dict[str, Any]:
            """Return where this is, and what is wrong there."""
            import sys
            from importlib import import_module
            from uuid import uuid4

            import ray

            self.token = uuid4().hex
            found = {
                "node": ray.util.get_node_ip_address(),
                "token": self.token,
                "python": sys.executable,
                "problem": "",
            }
            try:
                checks = import_module(_CHECKS)
            except ImportError as error:
                return found | {"problem": "not installed", "detail": str(error)}
            problem = checks.find_problem(self._spec)
            if not problem and self._replica is None:
                replica = import_module(_REPLICA)
                try:
                    self._replica = replica.Replica(self._spec)
                except Exception as error:
                    problem = str(error) or repr(error)
            return found | {"problem": problem}

        @ray.method(  # type: ignore[untyped-decorator]
            num_returns="streaming", concurrency_group="answers"
        )
        def answer(self, token: str, session: int) -> Iterator[bytes]:
            """Yield a session's events; none of an actor that was restarted since it started."""
            self._check(token)
            yield from self._replica.answer(session)

        @ray.method(concurrency_group="gives")  # type: ignore[untyped-decorator]
        def give(self, token: str, session: int, requests: bytes, last: bool) -> None:
            """Take requests."""
            self._check(token)
            self._replica.give(session, requests, last)

        @ray.method(concurrency_group="gives")  # type: ignore[untyped-decorator]
        def stop(self, token: str, session: int) -> None:
            """End a session."""
            self._check(token)
            self._replica.stop(session)

        def close(self) -> None:
            """Free what the engine holds."""
            if self._replica is not None:
                self._replica.close()

        def _check(self, token: str) -> None:
            if token != getattr(self, "token", None):
                raise RuntimeError(RESTARTED)

    return ray.remote(concurrency_groups={ANSWERS: 1, GIVES: 1})(Replica)
