"""Matching by length: the better answer is longer as often as shorter, by as much."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import log

from ste_plugin.config import RunConfig
from ste_plugin.dataset.filters import balance_letters
from ste_plugin.pairs.constructed import CONSTRUCTED
from ste_plugin.records import Drop, ResponsePair, Split, content_key
from ste_plugin.sampling.judge_task import JudgeTask

Balance = Callable[[Sequence[JudgeTask]], tuple[list[JudgeTask], list[Drop]]]
"""Tasks → those that are trained on, and a Drop for each other."""

_NEAR = log(1.25)
"""How far apart two ratios of lengths may be, to be counterparts."""


def balance_of(config: RunConfig, split: Split) -> Balance:
    """Return how the tasks of a split are balanced: letters, and what `dataset.match` says."""
    if split == "train" and "length" in config.dataset.match:
        return partial(balance_letters_and_lengths, seed=config.seed)
    return balance_letters


def balance_letters_and_lengths(
    tasks: Sequence[JudgeTask], seed: int
) -> tuple[list[JudgeTask], list[Drop]]:
    """Keep as many tasks whose better answer is A as B, and of either lengths as `match_lengths`.

    What one of them drops may leave the other uneven, so both go on until nothing is dropped.
    """
    kept, drops = list(tasks), list[Drop]()
    ratios = {task.pair_key: log_ratio(task.pair) for task in tasks}
    while True:
        kept, unmatched = match_lengths(kept, ratios, seed)
        kept, surplus = balance_letters(kept)
        drops += [*unmatched, *surplus]
        if not surplus:
            return kept, drops


def match_lengths(
    tasks: Sequence[JudgeTask], ratios: Mapping[str, float], seed: int
) -> tuple[list[JudgeTask], list[Drop]]:
    """Keep tasks whose better answers are longer as often as shorter, within each strategy.

    `ratios`: pair key → `log_ratio`. Pairs kept in both orders are counterparts of such pairs, so
    that it holds for rows as it does for pairs, and both orders stay together. Pairs whose worse
    answers are dressed up on purpose lean one way in order to outweigh others: all are kept.
    """
    orders: dict[str, list[JudgeTask]] = defaultdict(list)
    for task in tasks:
        orders[task.pair_key].append(task)
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for key, own in orders.items():
        strata[own[0].strategy, len(own)].append(key)
    matched = {
        key
        for (strategy, _), keys in strata.items()
        for key in _kept_of(strategy, {key: ratios[key] for key in keys}, seed)
    }
    drops = [_drop(task, ratios) for task in tasks if task.pair_key not in matched]
    return [task for task in tasks if task.pair_key in matched], drops


def _kept_of(strategy: str, ratios: Mapping[str, float], seed: int) -> Iterable[str]:
    return ratios if strategy in CONSTRUCTED else counterparts(ratios, seed)


def _drop(task: JudgeTask, ratios: Mapping[str, float]) -> Drop:
    kind = "longer" if ratios[task.pair_key] > 0 else "shorter"
    return Drop("dataset", task.key, f"surplus of {kind} better answers")


def log_ratio(pair: ResponsePair) -> float:
    """Return the logarithm of a pair's better answer's length over the worse one's."""
    return log((1 + len(pair.better)) / (1 + len(pair.worse)))


def counterparts(ratios: Mapping[str, float], seed: int) -> Iterable[str]:
    """Return the keys that are kept: each longer one with a shorter one of nearly that ratio.

    `ratios`: key → `log_ratio`. From the most equal lengths to the least, a pair takes the nearest
    one before it that is left and leans the other way. Answers of one length lean neither way and
    are kept. Of equal ratios the seed decides.
    """
    kept = [key for key, ratio in ratios.items() if not ratio]
    open_keys: list[str] = []
    for key in sorted(
        (key for key, ratio in ratios.items() if ratio),
        key=lambda key: (abs(ratios[key]), content_key("match", seed, key)),
    ):
        if open_keys and _are_counterparts(ratios[open_keys[-1]], ratios[key]):
            kept += [open_keys.pop(), key]
        else:
            open_keys.append(key)
    return kept


def _are_counterparts(first: float, second: float) -> bool:
    return first * second < 0 and abs(first + second) <= _NEAR
