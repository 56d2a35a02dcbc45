"""`options:` of an `engine: ray`."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ste_plugin.config import Positive, Strict
from ste_plugin.engines.http.options import Seconds
from ste_plugin.engines.nested import DEFAULT_ENGINE

_ON_GPUS = ("vllm", "serve")


def _address(value: str) -> str:
    if value != "auto" and not re.fullmatch(r"[^\s:/]+:\d{1,5}", value):
        raise ValueError(
            f"found {value!r}; expected auto, or HOST:PORT of the cluster's head (10.0.0.1:6379). "
            "For ray:// start ste on a machine of the cluster instead, or with `ray job submit`"
        )
    return value


def _engine(value: str) -> str:
    if value == "ray":
        raise ValueError(
            "found 'ray'; a replica cannot be a cluster: expected vllm, local or serve"
        )
    if value == "auto":
        raise ValueError(
            "found 'auto', which may be another engine on each machine; expected vllm, local, "
            "serve, http or a plugin's"
        )
    return value


Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class RayOptions(Strict):
    """`options:` of an `engine: ray`."""

    address: Annotated[str, AfterValidator(_address)] = "auto"
    """The cluster's head as `10.0.0.1:6379`; `auto`: that of RAY_ADDRESS, or the cluster that this
    machine belongs to."""
    engine: Annotated[str, AfterValidator(_engine)] = DEFAULT_ENGINE
    """What each replica is: vllm, local, serve, http, or a plugin's."""
    engine_options: dict[str, Any] = Field(default_factory=dict)
    """That engine's own `options`."""
    replicas: Positive = 1
    """Copies of the model. As many work as the cluster has room for, now or later."""
    gpus_per_replica: Amount | None = None
    """GPUs of each, on one machine. By default `tensor_parallel_size` x `data_parallel_size` under
    vllm and serve, else none."""
    cpus_per_replica: Amount = 1.0
    """Cores of each."""
    resources: dict[str, Amount] = Field(default_factory=dict)
    """Further resources of each by their names in the cluster: `{"accelerator_type:H100": 0.1}`."""
    autoscaling: bool = False
    """Whether the cluster starts machines when they are asked for. Otherwise it is an error at once
    that none is large enough for a replica."""
    start_timeout_s: Seconds = 1800.0
    """How long to wait while there is no room for any replica: others use the cluster, or its
    machines are still to come."""

    @property
    def needs(self) -> dict[str, float]:
        """Return what a replica takes of a machine, by Ray's names."""
        needs = {"CPU": self.cpus_per_replica, "GPU": self.gpus, **self.resources}
        return {name: amount for name, amount in needs.items() if amount}

    @property
    def gpus(self) -> float:
        """Return the GPUs of a replica."""
        if self.gpus_per_replica is not None:
            return self.gpus_per_replica
        if self.engine not in _ON_GPUS:
            return 0.0
        sizes = (self.engine_options.get(f"{kind}_parallel_size", 1) for kind in ("tensor", "data"))
        tensor, data = (size if isinstance(size, int) else 1 for size in sizes)
        return float(tensor * data)
