"""(5) The same prompts through the same server: ste, a plain asyncio script, and distilabel.

All have at most 50 calls in flight, which is the size of distilabel's batches by default. Before
every run the server's prefix cache is emptied; tokens are counted by the server. Runs of the three
take turns. Seconds are from the first step of the work to its last, without imports: ste's are
those of its judging stage, to the judgments read back from disk; distilabel's those of
`pipeline.run`.
"""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.server import NAME, Server, serve_model
from benchmarks.stage import iteration, run_judging
from benchmarks.table import Measurement
from ste_plugin.judging.builtin import BRIEF
from ste_plugin.records import ResponsePair
from ste_plugin.sampling.judge_task import judge_tasks

PAIRS, SAMPLES, TOKENS, IN_FLIGHT = 100, 1, 16, 50
TEMPERATURE, TOP_P = 0.7, 0.9
TOOLS = ("ste", "asyncio script", "distilabel")


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield wall time and tokens of each tool, and the ratio of its time to ste's."""
    pairs = inputs.response_pairs(PAIRS)
    scripts = {"asyncio script": inputs.need("openai"), "distilabel": inputs.need("distilabel")}
    with serve_model(inputs) as server:
        run("ste", server, pairs, scripts)  # the first calls of a server are slower
        runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
        for turn in range(inputs.repetitions):
            for tool in TOOLS[turn % 3 :] + TOOLS[: turn % 3]:
                runs[tool].append(run(tool, server, pairs, scripts))
    for tool in TOOLS:
        yield _measurement(tool, runs[tool], runs["ste"])


def _measurement(
    tool: str, runs: list[dict[str, float]], ours: list[dict[str, float]]
) -> Measurement:
    seconds = sorted(r["seconds"] for r in runs)
    median, fastest = statistics.median(seconds), seconds[0]
    our_median = statistics.median(r["seconds"] for r in ours)
    our_fastest = min(r["seconds"] for r in ours)
    generated, computed = (statistics.median(r[n] for r in runs) for n in ("generated", "computed"))
    return Measurement(
        f"(5) {2 * PAIRS} prompts, {SAMPLES} sample(s) each of at most {TOKENS} tokens: {tool}",
        f"{median:.1f} s (median of {len(runs)}, {fastest:.1f} to {seconds[-1]:.1f}), "
        f"{median / our_median:.2f} of ste's (of the fastest {fastest / our_fastest:.2f}); "
        f"{generated:,.0f} tokens generated, {computed:,.0f} of the prompts computed",
    )


def run(
    tool: str, server: Server, pairs: list[ResponsePair], scripts: dict[str, Path]
) -> dict[str, float]:
    """Return seconds, and the tokens that the server generated and computed meanwhile."""
    server.empty_cache()
    before = server.counters()
    if tool == "ste":
        seconds, replies = _ste(server, pairs)
    else:
        seconds, replies = _script(tool, server, pairs, scripts[tool])
    after = server.counters()
    assert replies == 2 * len(pairs) * SAMPLES, f"{tool}: {replies} replies"
    spent = {n: after[n] - before.get(n, 0.0) for n in after}
    return {
        "seconds": seconds,
        "generated": spent["generation_tokens_total"],
        "computed": spent["prefix_cache_queries_total"] - spent["prefix_cache_hits_total"],
    }


def _ste(server: Server, pairs: list[ResponsePair]) -> tuple[float, int]:
    options = {"base_url": server.base_url, "concurrency": IN_FLIGHT}
    judge = {"model": NAME, "engine": "http", "options": options}
    judging = {
        "format": "brief",
        "sampling": "fixed",
        "samples": SAMPLES,
        "max_new_tokens": TOKENS,
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
    }
    with iteration(judge, judging) as at:
        began = time.perf_counter()
        _, file = run_judging(at, pairs)
        seconds = time.perf_counter() - began
        return seconds, sum(1 for _ in file.path.open("rb"))


def _script(
    tool: str, server: Server, pairs: list[ResponsePair], python: Path
) -> tuple[float, int]:
    name = {"asyncio script": "judge_with_openai.py", "distilabel": "judge_with_distilabel.py"}[
        tool
    ]
    task: dict[str, Any] = {
        "base_url": server.base_url,
        "model": NAME,
        "samples": SAMPLES,
        "tokens": TOKENS,
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "in_flight": IN_FLIGHT,
        "batch": IN_FLIGHT,
        "prompts": _prompts(pairs),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.json"
        path.write_text(json.dumps(task))
        command = [str(python), str(Path(__file__).with_name(name)), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{tool}:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    return result["seconds"], result["replies"]


def _prompts(pairs: list[ResponsePair]) -> list[str]:
    return [
        BRIEF.render_pair(q.pair.instruction, q.pair.better, q.pair.worse, q.gold)[0].content
        for q in judge_tasks(pairs)
    ]
