"""(6) Prefill tokens that vLLM computes: ste's order of requests against a random one."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.inputs import Inputs
from benchmarks.server import NAME, Server, serve_model
from benchmarks.stage import requests
from benchmarks.table import Measurement
from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Place
from ste_plugin.engines.http.engine import create
from ste_plugin.judging.builtin import CRITERIA

PAIRS, SAMPLES, NEW_TOKENS, IN_FLIGHT = 100, 4, 4, 16
BLOCK, BLOCKS = 32, 512
"""A cache of 16,384 tokens: what a busy server has left for prompts that are not being read."""


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield tokens computed in both orders; the cache is empty before each."""
    pairs = inputs.response_pairs(PAIRS)
    cache = ("--block-size", str(BLOCK), "--num-gpu-blocks-override", str(BLOCKS))
    with serve_model(inputs, *cache) as server:
        options = {"base_url": server.base_url, "concurrency": IN_FLIGHT}
        judge = ModelConfig(model=NAME, engine="http", options=options)
        ours = requests(pairs, CRITERIA, judge, SAMPLES, NEW_TOKENS)
        shuffled = random.Random(0).sample(ours, len(ours))
        computed, total = prefill(server, judge, ours)
        at_random, _ = prefill(server, judge, shuffled)
    yield Measurement(
        f"(6) prefill tokens computed: {PAIRS} pairs, both orders, {SAMPLES} samples, `criteria`, "
        f"cache of {BLOCK * BLOCKS:,} tokens, {IN_FLIGHT} calls in flight",
        f"{computed:,.0f} of {total:,.0f} ({computed / total:.0%}); in random order "
        f"{at_random:,.0f} ({at_random / total:.0%}), {at_random / computed:.1f} times as many",
        "fewer than in random order",
        computed < at_random,
    )


def prefill(
    server: Server, judge: ModelConfig, wanted: Iterable[ChatRequest]
) -> tuple[float, float]:
    """Return the prompt tokens that the server computed, and all that it was asked with."""
    server.empty_cache()
    before = server.counters()
    engine = create(judge, Place(Path(), Path()))
    answered = sum(1 for _ in engine.complete(wanted))
    engine.close()
    after = server.counters()
    names = "prefix_cache_queries_total", "prefix_cache_hits_total"
    total, cached = (after[n] - before.get(n, 0.0) for n in names)
    assert answered and total
    return total - cached, total
