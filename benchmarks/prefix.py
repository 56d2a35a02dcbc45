"""(6) Prefill tokens that servers compute: one vLLM, and two stand-ins with a prefix cache."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.server import NAME, Server, serve_model
from benchmarks.stage import requests
from benchmarks.table import Measurement, MissingInput
from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Place
from ste_plugin.engines.http.engine import create
from ste_plugin.judging.builtin import CRITERIA

PAIRS, SAMPLES, NEW_TOKENS, IN_FLIGHT = 100, 4, 4, 16
BLOCK, BLOCKS = 32, 512
"""A cache of 16,384 tokens: what a busy server has left for prompts that are not being read."""


MADE_PAIRS, AT_MOST = 200, 0.6
MODES = {
    "calls": "4 samples, each a call of its own (`samples: false`)",
    "together": "4 samples in one call",
    "waves": "`until_correct`, accuracy 0.75",
}
"""Mode of `two_servers.py` → what is asked of each of two servers, both orders of a pair."""


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield tokens computed on two servers beside an older build, then those of vLLM."""
    for mode in MODES:
        yield on_two_servers(mode, inputs)
    try:
        yield from on_vllm(inputs)
    except MissingInput as reason:
        yield Measurement("(6) prefill tokens computed by vLLM", f"not run: {reason}")


def on_two_servers(mode: str, inputs: Inputs) -> Measurement:
    """Return the tokens that two servers compute; beside an older build, the completions are
    compared, too."""
    new = run_apart(mode, Path(__file__).parents[1])
    figure = f"{new['computed']:,} of {new['asked']:,}"
    claim = f"(6) prefill tokens computed by two servers, {MADE_PAIRS} pairs, {MODES[mode]}"
    if inputs.old is None:
        return Measurement(claim, f"{figure} (an older build beside it: --old or STE_BENCH_OLD)")
    old = run_apart(mode, inputs.old)
    same = "the same completions" if new["digest"] == old["digest"] else "OTHER COMPLETIONS"
    ratio = new["computed"] / old["computed"]
    shown = f"{figure}; older build {old['computed']:,}: {ratio:.2f} of it, {same}"
    if mode != "calls":
        return Measurement(claim, shown)
    met = ratio <= AT_MOST and new["digest"] == old["digest"]
    return Measurement(claim, shown, f"at most {AT_MOST}", met)


def run_apart(mode: str, checkout: Path) -> dict[str, Any]:
    """Return what a process measures with the package of a checkout."""
    script = Path(__file__).with_name("two_servers.py")
    done = subprocess.run(
        [sys.executable, str(script), mode, str(MADE_PAIRS)],
        env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def on_vllm(inputs: Inputs) -> Iterator[Measurement]:
    """Yield tokens computed in ste's order and in a random one; the cache is empty before each."""
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
