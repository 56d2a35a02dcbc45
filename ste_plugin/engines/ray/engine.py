"""`engine: ray`: replicas of another engine, on as many machines as a Ray cluster has."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import RLock
from typing import Any

from ste_plugin.config import ModelConfig
from ste_plugin.context import open_engine
from ste_plugin.engines.base import ChatRequest, Completion, Engine, LazyEngine, Place
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.nested import answering_model
from ste_plugin.engines.ray.checks import expectations
from ste_plugin.engines.ray.connection import connect, disconnect, require_ray
from ste_plugin.engines.ray.handle import ReplicaHandle
from ste_plugin.engines.ray.options import RayOptions
from ste_plugin.engines.ray.room import (
    Patience,
    describe_needs,
    describe_nodes,
    read_nodes,
    require_possible,
)
from ste_plugin.engines.ray.session import Session
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.text.settings_errors import validate_settings

_CLOSE_TIMEOUT_S = 20.0


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that joins the cluster and starts its replicas at the first request.

    Raises: ConfigError for a wrong option, the replicas' own included; EngineError where Ray is not
    installed, or later where the cluster cannot be used.
    """
    options = validate_settings(RayOptions, model.options, "options of engine ray")
    require_ray()
    inner = answering_model(model)
    open_engine(inner, place, plugin_manager(place.plugins)).close()  # checks its options
    return LazyEngine(lambda: RayEngine(options, make_spec(inner, place), place))


def describe_cluster(model: ModelConfig) -> str:
    """Return what a model's replicas take, and what each machine of its cluster has.

    Raises: SteError where the options are wrong, or the cluster cannot be used.
    """
    options = validate_settings(RayOptions, model.options, "options of engine ray")
    require_ray()
    is_ours = connect(options.address)
    try:
        require_possible(options)
        machines = describe_nodes(read_nodes(), options.needs)
        needs = describe_needs(options.needs)
        return f"{options.replicas} replica(s) of {needs}; machines:\n{machines}"
    finally:
        if is_ours:
            disconnect()


def make_spec(model: ModelConfig, place: Place) -> dict[str, Any]:
    """Return what a replica is made of, as values that any worker can read."""
    return {
        "model": model.model_dump(mode="json"),
        "base": str(place.base.absolute()),
        "logs": str(place.logs.absolute()),
        "serve": place.serve.model_dump(mode="json"),
        "plugins": [str(plugin.absolute()) for plugin in place.plugins],
        "expected": expectations(Path(model_path(model, place.base)).absolute()),
    }


class RayEngine:
    """Replicas on a cluster, asked as one model."""

    def __init__(self, options: RayOptions, spec: dict[str, Any], place: Place) -> None:
        """Join the cluster, and ask it for the replicas. Raises: EngineError."""
        self._options, self._say = options, place.say
        self._is_closed = False
        self._lock = RLock()
        self._owes_disconnect = connect(options.address)
        try:
            require_possible(options)
            self._replicas = [ReplicaHandle(actor) for actor in start_actors(options, spec)]
        except BaseException:
            self._leave()
            raise
        self._patience = Patience(options, self._say)

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as they come from wherever they are made.

        What a lost replica had is asked again. After an engine's failure what the others have in
        flight is still yielded, then it is raised.
        """
        session = Session(
            self._replicas,
            requests,
            self._patience,
            self._say,
            lambda: self._is_closed,
            self._lock,
        )
        yield from session.run()

    def close(self) -> None:
        """End the replicas, and leave the cluster; calling it twice is harmless."""
        was_closed, self._is_closed = self._is_closed, True
        with self._lock:  # another thread may wait for answers
            if not was_closed:
                self._end_replicas()
                self._leave()

    def _end_replicas(self) -> None:
        import ray

        if not ray.is_initialized():
            return
        ends = [r.end() for r in self._replicas if r.state != "starting"]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=_CLOSE_TIMEOUT_S)
        for replica in self._replicas:
            replica.kill()

    def _leave(self) -> None:
        if self._owes_disconnect:
            disconnect()


def start_actors(options: RayOptions, spec: dict[str, Any]) -> list[Any]:
    """Return the replicas' actors: spread over the machines, and started anew by Ray when lost."""
    from ste_plugin.engines.ray.actor import actor_class

    needs = dict(options.needs)
    actor = actor_class().options(
        num_cpus=needs.pop("CPU", 0),
        num_gpus=needs.pop("GPU", 0),
        resources=needs or None,
        max_restarts=-1,
        scheduling_strategy="SPREAD",
    )
    return [actor.remote(spec) for _ in range(options.replicas)]
