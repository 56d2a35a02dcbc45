"""How far a refreshed judge moved from the last one, on the same pairs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.audit.held_out import LETTER_A
from ste_plugin.audit.jackknife import Estimate, GroupedSums, share_of
from ste_plugin.audit.shares import Held
from ste_plugin.evaluation.compare import Comparison, Difference, compare
from ste_plugin.evaluation.gain import correct_together
from ste_plugin.judging.verdict import letter_of
from ste_plugin.lm_eval_tasks.judged_file import read_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.lm_eval_tasks.metrics import pos_bias
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.text.numbers import between, decimals, percent

LAST, NEW = "the last judge", "the new judge"
DECIDING = ("dev", "run_dev")
"""Sets that decide whether the new judge is taken: it is better on them by luck, too."""
WORDS = {
    "run_test": "the run's own test pairs",
    "test": "held-out pairs of the policy's answers",
    "run_dev": "the run's own dev pairs, which decide",
    "dev": "dev pairs of the policy's answers, which decide",
}
"""Name of a set → what it is; others are those of the run's config."""
_VERDICTS = ("better", "worse", "neither")
_CHANGED = share_of(0, 1)
_POSITION = Held("share of A", LETTER_A, 0.0, "", "")
"""With its sign, in place of how far it is off one half."""


def measure_drift(folder: RunLayout, best: int, broken: Sequence[str], keep: str) -> dict[str, Any]:
    """Return what moved between the judge that a round began with and the one that it trained.

    `broken`: the gates that the new one breaks; `keep`: as in the config.
    Raises: DataError where neither was measured on anything.
    """
    first, second = folder.iteration(0), folder.iteration(1)
    found, refused = compare(first, second)
    reported = correct_together({n: c for n, c in found.items() if n not in DECIDING})
    sets = {}
    for name in sorted(found, key=_place):
        comparison = reported.get(name, found[name])
        paths = [each / "eval" / name for each in (first, second)]
        sets[name] = _describe(comparison) | verdicts_moved(*map(_read, paths))
    return {
        "taken": bool(best),
        "broken": [words.replace("the seed", LAST) for words in broken],
        "by_dev": keep == "best" and "dev" in sets,
        "model": read_json(folder.iteration(best) / "done.json")["model"],
        "sets": sets,
        "refused": refused,
    }


def _place(name: str) -> tuple[int, str]:
    names = list(WORDS)
    return (names.index(name) if name in names else len(names), name)


def _describe(comparison: Comparison) -> dict[str, Any]:
    told = comparison.to_dict() | {"sentence": comparison.sentence(LAST, NEW)}
    return {"comparison": told}


def _read(evaluation: Path) -> list[JudgedPair]:
    """Return the judged pairs of an evaluation; none where it is of best-of-four rows."""
    judged = read_judged(evaluation)
    return [] if isinstance(judged, dict) else judged


def verdicts_moved(first: Sequence[JudgedPair], second: Sequence[JudgedPair]) -> dict[str, Any]:
    """Return how often the verdict on a pair changed and how, and how the share of A moved.

    Pairs with a better response that both were shown. Empty where there is none.
    """
    both = list(_in_both(first, second))
    if not both:
        return {}
    changed, moves = GroupedSums(2), Counter[str]()
    letters = GroupedSums(2), GroupedSums(2)
    for a, b in both:
        verdicts = verdict_on(a), verdict_on(b)
        moves["→".join(verdicts)] += verdicts[0] != verdicts[1]
        changed.add(a.prompt, [float(verdicts[0] != verdicts[1]), 1.0])
        for sums, pair in zip(letters, (a, b), strict=True):
            sums.add(pair.prompt, pos_bias(pair))
    verdicts_changed = _estimate(changed.share(_CHANGED))
    towards = {to: sum(n for m, n in moves.items() if m.endswith(f"→{to}")) for to in _VERDICTS}
    position = {
        "first": _estimate(letters[0].share(LETTER_A)),
        "second": _estimate(letters[1].share(LETTER_A)),
        "change": _estimate(_POSITION.change(*letters)),
    }
    return {
        "verdicts": {
            "pairs": len(both),
            "changed": moves.total(),
            "share": verdicts_changed,
            "to": towards,
            "moves": {move: n for move, n in sorted(moves.items()) if n},
        },
        "position": position,
    }


def _in_both(
    first: Sequence[JudgedPair], second: Sequence[JudgedPair]
) -> Iterator[tuple[JudgedPair, JudgedPair]]:
    others = {pair.id: pair for pair in second if pair.fits}
    for pair in first:
        if pair.fits and pair.decided and pair.id in others:
            yield pair, others[pair.id]


def verdict_on(pair: JudgedPair) -> str:
    """Return which response is preferred in every order shown: better, worse, or neither.

    Neither: the orders do not agree, there is a tie, or no verdict.
    """
    preferred = {_preferred(order) for order in pair.orders}
    return preferred.pop() if len(preferred) == 1 else "neither"


def _preferred(order: OrderVerdict) -> str:
    if not letter_of(order.final):
        return "neither"
    return "better" if order.final == order.gold else "worse"


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"figure": estimate.figure, "interval": estimate.interval}


def sentences(drift: Mapping[str, Any], number: int, last: str) -> Iterator[str]:
    """Yield what moved in plain sentences; `last`: which judge was refreshed, in words."""
    for name, found in drift["sets"].items():
        comparison = found["comparison"]
        what = WORDS.get(name, "pairs of the config")
        yield f"{name} ({what}): {comparison['n']} labelled pairs"
        right = "right in both orders" if comparison["both_orders"] else "right"
        yield f"  {'accuracy':<21} {_difference(comparison['acc'])}"
        yield f"  {right:<21} {_difference(comparison['acc_pc'])}"
        yield f"  {comparison['sentence']}"
        if found.get("verdicts"):
            yield f"  {_verdicts_in_words(found['verdicts'])}"
            yield f"  {_position_in_words(found['position'])}"
    for name, why in drift["refused"].items():
        yield f"{name}: not compared, {why.removesuffix('.')}."
    yield _taken_in_words(drift, number, last)


def _difference(told: Mapping[str, Any]) -> str:
    d = Difference(**told)
    interval = between(d.interval, signed=True)
    return (
        f"{decimals(d.first)} → {decimals(d.second)}  {decimals(d.difference, signed=True)}"
        f"{f' (95% interval {interval})' if interval else ''}"
    )


def _verdicts_in_words(verdicts: Mapping[str, Any]) -> str:
    changed, pairs, to = verdicts["changed"], verdicts["pairs"], verdicts["to"]
    if not changed:
        return f"The verdict changed on none of {pairs} pairs{_within(verdicts['share'])}."
    return (
        f"The verdict changed on {changed} of {pairs} pairs, "
        f"{percent(verdicts['share']['figure'])}{_within(verdicts['share'])}: {to['better']} to "
        f"the better answer, {to['worse']} to the worse one, {to['neither']} to neither (the "
        "orders do not agree, or there is no verdict)."
    )


def _within(told: Mapping[str, Any]) -> str:
    if told["interval"] is None:
        return " (too few prompts for an interval)"
    low, high = told["interval"]
    return f" (95% interval {percent(low)} to {percent(high)})"


def _position_in_words(position: Mapping[str, Any]) -> str:
    first, second, change = (position[n] for n in ("first", "second", "change"))
    if change["figure"] is None:
        return "Position preference is not known: a judge gave no letter, or rates answers alone."
    points = f"{100 * change['figure']:+.1f} points".replace("-", "−")
    if change["interval"]:
        low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in change["interval"])
        points += f" (95% interval {low} to {high})"
    else:
        points += " (too few prompts for an interval)"
    return (
        f"Position: {LAST} gave A {percent(first['figure'])} of its verdicts, {NEW} "
        f"{percent(second['figure'])}: {points}."
    )


def _taken_in_words(drift: Mapping[str, Any], number: int, last: str) -> str:
    if drift["taken"]:
        better = " and is right more often on the policy's dev pairs" if drift["by_dev"] else ""
        return f"Taken: {NEW} breaks no gate{better}. The next round goes on from round {number}."
    stays = f"The judge stays that of {last}."
    if drift["broken"]:
        gates = "\n".join(f"  {words}" for words in drift["broken"])
        return f"Not taken, as it breaks gates:\n{gates}\n{stays}"
    return (
        f"Not taken, as it is not right more often than {LAST} on the policy's dev pairs. {stays}"
    )
