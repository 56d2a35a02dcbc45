"""Runs with pairs and judgments to look at, written without any model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace

from ste_plugin.config import RunConfig
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import ORDERS, Judgment, ResponsePair, content_key
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.jsonl import replace_json, replace_records
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.builders import config_text

STRATEGIES = ("other-instruction", "modified-instruction")


def run_with_pairs(
    folder: Path, texts: Sequence[tuple[str, str, str]], *, judged: bool = True, **more: str
) -> RunLayout:
    """A run whose pairs have these (question, better answer, worse answer), strategies in turn.

    Where it is judged, iteration 1 was right on some, sure of some, and has a judgment of each.
    """
    settings = {"dataset": "{test_fraction: 0.3, dev_fraction: 0.2}", "run": str(folder)} | more
    config = RunConfig.model_validate(yaml.safe_load(config_text(**settings)))
    layout = RunLayout(folder)
    replace_json(layout.config, {"config": config.model_dump(mode="json")})
    pairs = [_pair(n, *text) for n, text in enumerate(texts)]
    replace_records(layout.pool / "pairs.jsonl", pairs)
    replace_json(layout.pool / "done.json", {"pairs": {}, "drops": {}, "files": {}})
    splits = {
        name: [p for p in pairs if split_of(p.instruction_key, config) == name]
        for name in ("train", "dev", "test")
    }
    for name in ("dev", "test"):
        if splits[name]:
            (layout.pool / f"{name}-0.jsonl").write_text("{}\n")
    if judged:
        _judge(layout, splits)
    return layout


def _pair(number: int, question: str, better: str, worse: str) -> ResponsePair:
    strategy = STRATEGIES[number % len(STRATEGIES)]
    pair = ResponsePair("", content_key(question), question, better, worse, strategy)
    return replace(pair, key=pair_key(pair))


def _judge(layout: RunLayout, splits: dict[str, list[ResponsePair]]) -> None:
    folder = layout.iteration(1)
    trained_on = splits["train"] + splits["dev"]
    rights = {p.key: (n % 3 > 0, n % 4 > 0) for n, p in enumerate(trained_on)}
    rates = [
        PassRate(key, gold, 2, 2 * right, float(right), 0.0, 1.0)
        for key, rights_of in rights.items()
        for gold, right in zip(ORDERS, rights_of, strict=True)
    ]
    replace_records(folder / "pass_rates.jsonl", rates)
    replace_records(
        folder / "judgments.jsonl", [judgment_of(p, n) for n, p in enumerate(trained_on)]
    )
    for name in ("dev", "test"):
        judged = [
            JudgedPair(
                p.key,
                p.strategy,
                p.instruction,
                (OrderVerdict("A", "A" if n % 5 else "B"), OrderVerdict("B", "B")),
                1,
                1,
            )
            for n, p in enumerate(splits[name])
        ]
        (folder / "eval" / name).mkdir(parents=True)
        write_judged(folder / "eval" / name, judged)


def judgment_of(pair: ResponsePair, number: int, **more: Any) -> Judgment:
    """A judgment with reasoning; every third one is wrong."""
    gold = ORDERS[number % 2]
    verdict = gold if number % 3 else ORDERS[1 - number % 2]
    said = f"Answer {verdict} keeps to the question, the other one does not.\n\n[[{verdict}]]"
    fields = {"key": f"{pair.key}-0", "text": said, "thinking": ""} | more
    return Judgment(
        fields["key"], pair.key, gold, 0, fields["text"], verdict, False, fields["thinking"]
    )


def plain_texts(count: int) -> list[tuple[str, str, str]]:
    """Questions that tell better and worse answers apart."""
    return [(f"Question {n}?", f"Good answer {n}.", f"Bad answer {n}.") for n in range(count)]


def labels_in(layout: RunLayout) -> list[dict[str, Any]]:
    """The lines of the file of labels."""
    return [json.loads(line) for line in (layout.review / "labels.jsonl").read_text().splitlines()]
