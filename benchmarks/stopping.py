"""(1) Judgments and tokens per kept example: stopping at the first correct one against all 15."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.inputs import Inputs
from benchmarks.stage import Settings, count_one_token_per_example, make_pairs, write_run
from benchmarks.table import Measurement, MissingInput
from ste_plugin.records import ResponsePair
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json

CAP = 15
RULES = ("fixed", "until_correct")
SIMULATED, PAIRS = 4_000, 40
ACCURACIES = {0.5: None, 0.75: 0.2, 0.88: None}
"""Accuracy of a simulated judge → the share of `fixed` tokens that was promised at most."""


def measure(inputs: Inputs) -> Iterator[Measurement]:
    """Yield what both rules cost, from data set to manifest, top-ups of a letter included."""
    for accuracy, share in ACCURACIES.items():
        judge = {"model": "none", "engine": "instant", "options": {"accuracy": accuracy}}
        pairs = list(make_pairs(SIMULATED))
        with count_one_token_per_example():
            name = f"a simulated judge right {accuracy:.0%} of the time"
            measurement = _measurement(name, pairs, judge, {}, share)
        yield measurement
    model, pairs = inputs.need("model"), inputs.response_pairs(PAIRS)
    judging = {"format": "verdict", "temperature": 1.0, "top_p": 1.0}
    name = f"a real judge, {PAIRS} real pairs, format `verdict`"
    yield _measurement(name, pairs, {"model": str(model), "engine": "local"}, judging, None)


def _measurement(
    name: str,
    pairs: Iterable[ResponsePair],
    judge: Settings,
    judging: Settings,
    share: float | None,
) -> Measurement:
    fixed, until = (
        count_per_example(pairs, judge, {**judging, "sampling": rule}) for rule in RULES
    )
    ratio = until["tokens"] / fixed["tokens"]
    return Measurement(
        f"(1) a kept example, cap {CAP}, {name}",
        f"until_correct {until['judgments']:.2f} judgments, {until['tokens']:,.1f} tokens; "
        f"fixed {fixed['judgments']:.2f}, {fixed['tokens']:,.1f}: {ratio:.3f} of the tokens "
        f"({1 / ratio:.1f} times fewer); kept {until['kept']:.0f} and {fixed['kept']:.0f}",
        f"at most {share} of the tokens" if share else "",
        ratio <= share if share else None,
    )


def count_per_example(
    pairs: Iterable[ResponsePair], judge: Settings, judging: Settings
) -> dict[str, float]:
    """Return judgments and tokens per kept example, and how many examples were kept."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_run(Path(folder), pairs, judge, {**judging, "samples": CAP})
        with open_run(config, [], quiet=True) as context:
            counts = _per_example(read_json(stages.generate(context, 1))["counts"])
    if not counts["kept"]:
        raise MissingInput(f"needs a judge that is right at times; found {counts}")
    return counts


def _per_example(totals: dict[str, Any]) -> dict[str, float]:
    kept = sum(totals["kept"].values())
    per = max(kept, 1)
    return {
        "kept": kept,
        "judgments": totals["judgments"] / per,
        "tokens": totals["generated_tokens"] / per,
    }
