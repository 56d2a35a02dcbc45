"""(9) Replicas on a Ray cluster: two against one, and against actors that are called bare."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement, MissingInput
from ste_plugin.config import ModelConfig
from ste_plugin.context import open_engine
from ste_plugin.engines.base import ChatRequest, Message, Place, Sampling
from ste_plugin.plugins.manager import plugin_manager

ROOT = Path(__file__).parents[1]
WAITING = ROOT / "tests" / "helpers" / "waiting_engine.py"
REQUESTS, AT_ONCE, SECONDS = 6000, 64, 0.2
"""A server that answers 64 requests at once, each within 0.2 to 0.4 s: some 210 a second."""
OPTIONS = {"seconds": SECONDS, "at_once": AT_ONCE}


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield the throughput of two replicas against that of one, and of two bare actors."""
    if find_spec("ray") is None:
        raise MissingInput("Ray (pip install '/path/to/ste-plugin[ray]')")
    with cluster() as address:
        runs = range(inputs.repetitions)
        figures = [(bare(address), ours(address, 2), ours(address, 1)) for _ in runs]
    actors, two, one = (median(column) for column in zip(*figures, strict=True))
    yield Measurement(
        f"(9) two replicas against one: {REQUESTS:,} requests, {AT_ONCE} at once in each",
        f"{two:,.0f} requests/s against {one:,.0f}: {two / one:.2f} times as many",
        "1.8 times",
        two >= 1.8 * one,
    )
    yield Measurement(
        "(9) two replicas against two bare actors that hold half of the requests each",
        f"{two:,.0f} requests/s against {actors:,.0f}: {two / actors:.2f}",
        "0.95",
        two >= 0.95 * actors,
    )


@contextmanager
def cluster() -> Iterator[str]:
    """Yield the address of a cluster of two machines with a core each, both of them this one."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(ROOT)  # the replicas import the engine from here
    machine = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    both = Cluster(initialize_head=True, head_node_args=machine)
    try:
        both.add_node(**machine)
        yield both.address
    finally:
        ray.shutdown()
        both.shutdown()


def requests(count: int, kind: str) -> list[ChatRequest]:
    """Return requests for two samples each of prompts that occur in no other measurement."""
    sampling = Sampling(1.0, top_p=1.0, max_new_tokens=8)
    turns = ((Message("user", f"{kind}: name fruit {number}."),) for number in range(count // 2))
    return [ChatRequest("m", turn, sampling, sample) for turn in turns for sample in range(2)]


def ours(address: str, replicas: int) -> float:
    """Return the requests per second of the engine, once its replicas are started."""
    options = {
        "address": address,
        "engine": "waiting",
        "engine_options": OPTIONS,
        "replicas": replicas,
    }
    model = ModelConfig(model="m", engine="ray", options=options)
    place = Place(Path(), Path())
    with closing(open_engine(model, place, plugin_manager([WAITING]))) as engine:
        wait_for_replicas(engine, replicas)
        wanted = requests(REQUESTS, "ours")
        began = time.monotonic()
        answered = sum(1 for _ in engine.complete(wanted))
        seconds = time.monotonic() - began
    assert answered == REQUESTS
    return REQUESTS / seconds


def wait_for_replicas(engine: Any, replicas: int) -> None:
    """Return once all replicas answer: their start is no part of their speed."""
    states: list[str] = []
    while states.count("idle") < replicas:
        list(engine.complete(requests(200, "start")))
        states = [replica.state for replica in engine._engine._replicas]


def bare(address: str) -> float:
    """Return the requests per second of two actors that are each given half of them in one call."""
    import ray

    from tests.helpers.waiting_engine import WaitingEngine

    class Bare:
        def complete(self, wanted: list[ChatRequest]) -> list[Any]:
            return list(WaitingEngine(**OPTIONS).complete(wanted))

    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    try:
        actors = [ray.remote(Bare).options(num_cpus=1).remote() for _ in range(2)]
        ray.get([actor.complete.remote(requests(20, "start")) for actor in actors])
        wanted = requests(REQUESTS, "bare")
        began = time.monotonic()
        halves = [wanted[: REQUESTS // 2], wanted[REQUESTS // 2 :]]
        calls = [a.complete.remote(half) for a, half in zip(actors, halves, strict=True)]
        answered = sum(map(len, ray.get(calls)))
        seconds = time.monotonic() - began
    finally:
        ray.shutdown()
    assert answered == REQUESTS
    return REQUESTS / seconds
