"""`python -m tests.helpers.ray_driver ADDRESS FILE LOG`: one stage of a run on a cluster."""

import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import complete_requests
from ste_plugin.progress import ProgressReporter
from tests.helpers.ray_cluster import on_cluster

COUNT, AT_ONCE = 10_000, 32


def requests(count: int = COUNT) -> list[ChatRequest]:
    """Return so many requests: two samples of each prompt."""
    sampling = Sampling(1.0, top_p=1.0, max_new_tokens=8)
    return [
        ChatRequest("m", (Message("user", f"Name fruit {i}."),), sampling, sample)
        for i in range(count // 2)
        for sample in range(2)
    ]


def waiting(log: Path) -> dict[str, Any]:
    """Return the options of an engine that answers thousands of requests a second."""
    return {"engine_options": {"seconds": 0.01, "at_once": AT_ONCE, "log": str(log)}}


def main(address: str, file: str, log: str) -> None:
    """Complete the requests, as far as the file lacks them."""
    store = CompletionStore(Path(file))
    progress = ProgressReporter(Path(file).with_name("events.jsonl"), quiet=True)
    cluster = SimpleNamespace(address=address)
    with closing(on_cluster(cluster, **waiting(Path(log)))) as engine:
        complete_requests(engine, requests(), store, progress, Budget(), "answers")


if __name__ == "__main__":
    main(*sys.argv[1:])
