"""(13) A decision against a judgment with reasons, each of a judge on a vLLM server of its own.

Both are asked through the same engine about the same real pairs, in both orders, one after the
other by turns, while the other server has nothing to do; prefix caches are emptied before each. A
decision is the letter at the reply's first place. `--reasons` is the judge that reasons, by default
the same model: one that was trained to answer by a letter reasons no longer. How often either is
right is printed too: it says whether the two are worth comparing at all.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.inputs import Inputs
from benchmarks.server import NAME, Server, serve_model
from benchmarks.table import Measurement
from ste_plugin import Judge
from ste_plugin.judge import Comparison

PAIRS, LONGEST = 24, 512
REASONS = ("criteria", "plan")
_SHARED_OPENINGS = ("--block-size", "32")
"""On a CPU vLLM keeps prompts by 128 tokens, of which a short one has no two; on a GPU by 16."""
FEWER_TOKENS, MORE_JUDGMENTS = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Pass:
    """All pairs judged once."""

    seconds: float
    said: Sequence[Comparison]

    @property
    def written(self) -> float:
        """Tokens a pair."""
        return statistics.fmean(each.tokens.written for each in self.said)

    @property
    def read(self) -> float:
        """Tokens a pair."""
        return statistics.fmean(each.tokens.prompt for each in self.said)

    @property
    def right(self) -> float:
        """Share of the orders in which the better answer, which is A, is preferred."""
        return statistics.fmean(o.verdict == "A" for each in self.said for o in each.orders)


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield how many times fewer tokens a decision writes, and more judgments a second it gives."""
    pairs = [(p.instruction, p.better, p.worse) for p in inputs.response_pairs(PAIRS)]
    reasoning = replace(inputs, model=inputs.need("reasons" if inputs.reasons else "model"))
    with (
        serve_model(inputs, *_SHARED_OPENINGS) as server,
        serve_model(reasoning, *_SHARED_OPENINGS) as other,
    ):
        servers = {"decision": server} | dict.fromkeys(REASONS, other)
        judges = {name: judge(each, name) for name, each in servers.items()}
        passes: dict[str, list[Pass]] = {name: [] for name in judges}
        for name in judges:
            judge_all(servers[name], judges[name], pairs[:2])  # the first requests compile
        for _ in range(inputs.repetitions):
            for name, each in judges.items():
                passes[name].append(judge_all(servers[name], each, pairs))
    decision = passes.pop("decision")
    for name, reasons in passes.items():
        yield from compare(decision, reasons, f"(13) a decision against `{name}`")


def compare(decision: Sequence[Pass], reasons: Sequence[Pass], about: str) -> Iterator[Measurement]:
    """Yield the figures of one format with reasons, each beside the decision's."""
    one, other = decision[0], reasons[0]
    tokens = one.written / other.written
    yield Measurement(
        f"{about}: tokens written a pair",
        f"{one.written:.1f} against {other.written:.1f}: {tokens:.4f} "
        f"(read: {one.read:.0f} and {other.read:.0f})",
        f"at most {FEWER_TOKENS}",
        tokens <= FEWER_TOKENS,
    )
    times = [r.seconds / d.seconds for d, r in zip(decision, reasons, strict=True)]
    speeds = (PAIRS / statistics.median(p.seconds for p in each) for each in (decision, reasons))
    yield Measurement(
        f"{about}: pairs judged a second",
        " against ".join(f"{speed:.2f}" for speed in speeds)
        + f": {statistics.median(times):.1f} times as many",
        f"at least {MORE_JUDGMENTS:g} times",
        statistics.median(times) >= MORE_JUDGMENTS,
    )
    yield Measurement(
        f"{about}: share of orders judged right", f"{one.right:.2f} against {other.right:.2f}"
    )


def judge(server: Server, judge_format: str) -> Judge:
    """Return the served model as a judge that is asked in one format."""
    longest = None if judge_format == "decision" else LONGEST
    return Judge(
        NAME,
        format=judge_format,
        engine="http",
        base_url=server.base_url,
        options={"prefill": "vllm"},
        max_new_tokens=longest,
        force_verdict=True,
    )


def judge_all(server: Server, asked: Judge, pairs: Sequence[tuple[str, str, str]]) -> Pass:
    """Return what a judge says of all pairs, with nothing kept from before."""
    server.empty_cache()
    began = time.monotonic()
    said = asked.compare_many(pairs)
    return Pass(time.monotonic() - began, said)
