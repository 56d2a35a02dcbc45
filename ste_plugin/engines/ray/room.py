"""Whether a cluster has room for a replica, and what it has."""

from collections.abc import Callable
from time import monotonic
from typing import Any

from ste_plugin.engines.ray.options import RayOptions
from ste_plugin.errors import EngineError

_PATIENCE_S = 10.0
"""How long replicas may take to start before a person is told what they wait for."""


def read_nodes() -> list[dict[str, Any]]:
    """Return the machines that are part of the cluster now."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def fits(node: dict[str, Any], needs: dict[str, float]) -> bool:
    """Return whether a machine is large enough for a replica when nothing else runs there."""
    return all(node["Resources"].get(name, 0.0) >= amount for name, amount in needs.items())


def describe_needs(needs: dict[str, float]) -> str:
    """Return what a replica takes: `1 CPU, 4 GPU`."""
    return ", ".join(f"{amount:g} {name}" for name, amount in needs.items()) or "nothing"


def describe_nodes(nodes: list[dict[str, Any]], needs: dict[str, float]) -> str:
    """Return one line per machine: what it has of that in all, others' share included."""
    names = list(needs) or ["CPU"]
    return "\n".join(
        f"  {node['NodeManagerAddress']}: "
        + ", ".join(f"{node['Resources'].get(name, 0.0):g} {name}" for name in names)
        for node in nodes
    )


def require_possible(options: RayOptions) -> None:
    """Raise EngineError where no machine of the cluster is large enough for a replica."""
    nodes, needs = read_nodes(), options.needs
    if options.autoscaling or any(fits(node, needs) for node in nodes):
        return
    raise EngineError(
        f"engine ray: a replica takes {describe_needs(needs)} of one machine, and none of the "
        f"cluster has as much:\n{describe_nodes(nodes, needs)}\nLower options.gpus_per_replica or "
        "cpus_per_replica, add a machine, or set options.autoscaling: true where the cluster "
        "starts machines when they are asked for."
    )


class Patience:
    """Tells a person what replicas wait for, and ends a wait that takes too long."""

    def __init__(
        self,
        options: RayOptions,
        say: Callable[[str], None],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._options, self._say, self._now = options, say, now
        self._begun = self._last_running = now()
        self._told_of_none = self._told_of_some = False

    def wait(self, running: int) -> None:
        """Note that so many replicas run, and the others wait for room.

        Raises: EngineError once none has run for as long as `start_timeout_s`.
        """
        if running:
            self._last_running, self._told_of_none = self._now(), False
            missing = running < self._options.replicas
            if missing and not self._told_of_some and self._now() - self._begun > _PATIENCE_S:
                self._told_of_some = True
                self._say(
                    f"engine ray: {running} of {self._options.replicas} replicas run; the others "
                    f"wait for room. {self._found()}"
                )
            return
        waited = self._now() - self._last_running
        if waited > self._options.start_timeout_s:
            raise EngineError(
                f"engine ray: no room for a replica within {self._options.start_timeout_s:g} s "
                f"(options.start_timeout_s). {self._found()}"
            )
        if waited > _PATIENCE_S and not self._told_of_none:
            self._told_of_none = True
            self._say(f"engine ray: waiting for room for a replica. {self._found()}")

    def _found(self) -> str:
        nodes, needs = read_nodes(), self._options.needs
        return (
            f"Each takes {describe_needs(needs)} of one machine; the cluster has, others' share "
            f"included:\n{describe_nodes(nodes, needs)}"
        )
