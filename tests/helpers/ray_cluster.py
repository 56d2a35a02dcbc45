"""A Ray cluster of two small machines, both of them this one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.context import open_engine
from ste_plugin.engines import Engine, Place
from ste_plugin.plugins.manager import plugin_manager
from tests.helpers import ROOT

SMALL = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
WAITING = ROOT / "tests" / "helpers" / "waiting_engine.py"


@contextmanager
def ray_cluster() -> Iterator[Any]:
    """Yield a cluster of two nodes with a core each; it is ended with all that runs there."""
    pytest.importorskip("ray", reason="Ray is not installed")
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # the machines import these helpers, too
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they wait for all that runs beside them
        patch.delenv("RAY_ADDRESS", raising=False)
        cluster = Cluster(initialize_head=True, head_node_args=SMALL)
        try:
            cluster.add_node(**SMALL)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def on_cluster(
    cluster: Any, model: str = "m", engine: str = "waiting", place: Place | None = None, **options
) -> Engine:
    """Return `engine: ray`, whose replicas are `engine`; `options` are its own."""
    config = ModelConfig(
        model=model,
        engine="ray",
        options={"address": cluster.address, "engine": engine, "replicas": 2} | options,
    )
    return open_engine(config, place or Place(Path(), Path()), plugin_manager([WAITING]))
