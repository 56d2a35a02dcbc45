"""judged.jsonl, beside results.json: what was said about each pair, for comparing two judges."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import RARE
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import Choice
from ste_plugin.lm_eval_tasks.choice_scores import ChoiceScore, score_choice
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.records import ORDERS
from ste_plugin.storage.jsonl import read_rows, replace_rows

T = TypeVar("T")

JUDGED = "judged.jsonl"
_PAIR_COLUMNS = tuple(f.name for f in fields(JudgedPair) if f.name != "orders")
_ORDER_COLUMNS = ("verdict", "forced", "samples", "log_odds", "ratings")
"""Each with `_a` and `_b` for the letter of the better response; OrderVerdict's, in its order. The
last are there only where answers are rated alone."""


def write_judged(folder: Path, judged: Sequence[JudgedPair]) -> None:
    """Write judged pairs."""
    replace_rows(folder / JUDGED, map(to_row, judged))


def to_row(pair: JudgedPair) -> dict[str, Any]:
    """Return a judged pair as a line of the file; the columns of an order not shown are empty."""
    shown = {order.gold: order for order in pair.orders}
    a, b = (shown.get(gold, OrderVerdict(gold)) for gold in ORDERS)
    return {
        "id": pair.id,
        "subset": pair.subset,
        "prompt": pair.prompt,
        "verdict_a": a.own,
        "verdict_b": b.own,
        "forced_a": a.forced,
        "forced_b": b.forced,
        "chosen_chars": pair.chosen_chars,
        "rejected_chars": pair.rejected_chars,
        "section": pair.section,
        "weight": pair.weight,
        "votes": pair.votes,
        "samples_a": a.samples,
        "samples_b": b.samples,
        "asked": pair.asked,
        "drawn": len(a.samples) + len(b.samples),
        "reply_chars": pair.reply_chars,
        "shown": list(shown),
        "fits": pair.fits,
        "log_odds_a": a.log_odds,
        "log_odds_b": b.log_odds,
        **({"ratings_a": a.ratings, "ratings_b": b.ratings} if pair.rated else {}),
        **{name: value for name in RARE if (value := getattr(pair, name))},
    }


def from_row(row: Mapping[str, Any]) -> JudgedPair:
    """Return the pair that `to_row` wrote. Raises: KeyError where a column is missing."""
    given = {"ratings_a": (), "ratings_b": (), **row}
    columns: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    orders = tuple(
        OrderVerdict(gold, *(columns[f"{name}_{gold.lower()}"] for name in _ORDER_COLUMNS))
        for gold in columns["shown"]
    )
    names = (n for n in _PAIR_COLUMNS if n in columns or n not in RARE)
    return JudgedPair(orders=orders, **{name: columns[name] for name in names})


def write_choices(folder: Path, rows: Sequence[Choice], replies: Sequence[list[Any]]) -> None:
    """Write what each row of RewardBench 2 adds to its scores."""
    replace_rows(
        folder / JUDGED,
        (
            {"id": row.id, **score_choice(row, texts)._asdict()}
            for row, texts in zip(rows, replies, strict=True)
        ),
    )


def read_judged(folder: Path) -> list[JudgedPair] | dict[str, ChoiceScore]:
    """Return the judged pairs of an evaluation; of RewardBench 2 id → what the row adds.

    Raises: as `iter_judged` does.
    """
    pairs: list[JudgedPair] = []
    scores: dict[str, ChoiceScore] = {}
    for row_id, said in iter_judged(folder):
        if isinstance(said, JudgedPair):
            pairs.append(said)
        else:
            scores[row_id] = said
    return scores or pairs


def iter_judged(folder: Path) -> Iterator[tuple[str, JudgedPair | ChoiceScore]]:
    """Yield (id, what was said) of each row of an evaluation, all of one kind.

    Raises: DataError where there is no such file, or a line is neither.
    """
    path = folder / JUDGED
    convert: Callable[[Mapping[str, Any]], JudgedPair | ChoiceScore] | None = None
    if not path.is_file():
        raise DataError(
            f"{path}: no such file, which holds what was said about each pair. Delete results.json "
            "beside it and measure again."
        )
    for number, row in read_rows(path):
        convert = convert or (_choice_score if "points" in row else from_row)
        yield row.get("id", ""), _read(f"{path}:{number}", row, convert)


def _choice_score(row: Mapping[str, Any]) -> ChoiceScore:
    return ChoiceScore(**{name: value for name, value in row.items() if name != "id"})


def _read(where: str, row: Mapping[str, Any], convert: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return convert(row)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{where}: not what an evaluation writes ({error}). Delete results.json beside it and "
            "measure again."
        ) from error


def pairs_hash(docs: Iterable[Mapping[str, Any]]) -> str:
    """Return a SHA-256 of the rows that were judged, wherever they were read from."""
    texts = (json.dumps(doc, sort_keys=True, ensure_ascii=True) for doc in docs)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
