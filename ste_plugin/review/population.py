"""What of a run can be reviewed: its pairs, and its judge's judgments, by what the judge did."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging.verdict import without_verdicts
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, read_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.pairs.pool_files import HELD_OUT, SPLITS, split_of
from ste_plugin.records import Judgment, ResponsePair, Split, content_key
from ste_plugin.review.labels import Kind
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.config_file import read_config, read_run_yaml
from ste_plugin.storage.jsonl import iter_record_starts, iter_records
from ste_plugin.storage.run_layout import RunLayout

Splits = Literal["train", "dev", "test", "held-out", "all"]


class Stratum(NamedTuple):
    """What the judge made of some pairs of one strategy."""

    strategy: str
    right: bool | None
    """Whether it preferred the better answer more often than not; None where it was not asked."""
    sure: bool | None
    """Whether it said the same every time, in both orders."""


class Candidate(NamedTuple):
    """A pair or judgment that may be drawn."""

    key: str
    """Of the pair, or of the judgment."""
    pair_key: str
    stratum: Stratum
    path: Path
    start: int
    """Where its line starts in that file, in bytes."""


class Outcome(NamedTuple):
    """What a judge made of one pair."""

    right: bool
    sure: bool


def find_run(path: Path) -> tuple[RunLayout, RunConfig]:
    """Return the run that a folder holds, or a config describes.

    Raises: ConfigError where there is none; DataError where it has no pairs yet.
    """
    if path.is_dir() and (path / "run.yaml").is_file():
        folder = RunLayout(path)
    elif path.is_file():
        folder = RunLayout(path.resolve().parent / read_config(path).run)
    else:
        raise ConfigError(
            f"{path}: neither a run's folder (no run.yaml in it) nor a config. Give one of them."
        )
    if not (folder.pool / "done.json").is_file() or not folder.config.is_file():
        raise DataError(
            f"{folder.root}: no pairs to look at yet. `ste run` makes them: its pool must be done."
        )
    return folder, read_run_yaml(folder.config)


def chosen_splits(folder: RunLayout, name: Splits | None) -> tuple[Split, ...]:
    """Return the splits of a name; without one those held out, or train where none is."""
    if name is None:
        held_out = any(list(folder.pool.glob(f"{split}-*.jsonl")) for split in HELD_OUT)
        return HELD_OUT if held_out else ("train",)
    return {"held-out": HELD_OUT, "all": SPLITS}.get(name) or tuple(s for s in SPLITS if s == name)


def candidates(
    folder: RunLayout, config: RunConfig, kind: Kind, splits: tuple[Split, ...]
) -> list[Candidate]:
    """Return what can be drawn, of the newest iteration that has judged it.

    Of judgments it is one a pair, chosen by hash among those with reasoning; splits do not matter.
    """
    if kind == "pair":
        return list(_pairs(folder, config, splits))
    return list(_judgments(folder, config))


def _pairs(folder: RunLayout, config: RunConfig, splits: tuple[Split, ...]) -> Iterator[Candidate]:
    path = folder.pool / "pairs.jsonl"
    outcomes = read_outcomes(folder, splits)
    strata: dict[Stratum, Stratum] = {}  # each is kept once
    for pair, start in iter_record_starts(path, ResponsePair):
        if split_of(pair.split_key, config) in splits:
            stratum = Stratum(pair.strategy, *(outcomes.get(pair.key) or (None, None)))
            yield Candidate(pair.key, pair.key, strata.setdefault(stratum, stratum), path, start)


def read_outcomes(folder: RunLayout, splits: Collection[Split]) -> dict[str, Outcome]:
    """Return pair key → what the newest judge made of it, of the pairs that it was asked about.

    Held-out pairs are those that the iteration's own judge was measured on, training pairs those
    that the judge before it made its data set of.
    """
    outcomes: dict[str, Outcome] = {}
    for split in splits:
        if split != "train":
            outcomes |= _newest(folder, f"eval/{split}/{JUDGED}", _measured)
    if "train" not in splits and outcomes:
        return outcomes
    # pairs of dev are judged for the data set, too; being measured comes first
    return _newest(folder, "pass_rates.jsonl", _sampled) | outcomes


def _newest(
    folder: RunLayout, name: str, read: Callable[[Path], dict[str, Outcome]]
) -> dict[str, Outcome]:
    """Return what the files of that name in the newest iteration say, of all its stages."""
    for iteration in iterations(folder):
        stages = [iteration, *sorted(iteration.glob("stage-*"))]
        if paths := [stage / name for stage in stages if (stage / name).is_file()]:
            found: dict[str, Outcome] = {}
            for path in paths:
                found |= read(path)
            return found
    return {}


def iterations(folder: RunLayout) -> list[Path]:
    """Return the folders of a run's iterations, the newest first."""
    numbered = [p for p in folder.root.glob("iter-*") if p.name.removeprefix("iter-").isdigit()]
    return sorted(numbered, key=lambda p: int(p.name.removeprefix("iter-")), reverse=True)


def _measured(path: Path) -> dict[str, Outcome]:
    judged = read_judged(path.parent)
    if isinstance(judged, dict):
        return {}
    return {pair.id: _outcome([_share(o) for o in pair.orders]) for pair in judged if _asked(pair)}


def _asked(pair: JudgedPair) -> bool:
    return pair.fits and bool(pair.orders)


def _share(order: OrderVerdict) -> float:
    """Return how often the judge was right in one order."""
    said = order.samples if len(order.samples) > 1 else (order.final,)
    return sum(verdict == order.gold for verdict in said) / len(said)


def _sampled(path: Path) -> dict[str, Outcome]:
    outcomes = {}
    for key, orders in groupby(iter_records(path, PassRate), lambda rate: rate.pair_key):
        drawn = [order for order in orders if order.samples]
        if known := [order.rate for order in drawn if order.rate is not None]:
            always = all(order.correct == order.samples for order in drawn)
            never = not any(order.correct for order in drawn)
            right = sum(known) / len(known) > 0.5
            outcomes[key] = Outcome(right, always if right else never)
    return outcomes


def _outcome(shares: list[float]) -> Outcome:
    mean = sum(shares) / len(shares)
    return Outcome(mean > 0.5, mean in (0, 1))


def _judgments(folder: RunLayout, config: RunConfig) -> Iterator[Candidate]:
    strategies = {
        pair.key: pair.strategy for pair in iter_records(folder.pool / "pairs.jsonl", ResponsePair)
    }
    for iteration in iterations(folder):
        stages = [iteration, *sorted(iteration.glob("stage-*"))]
        paths = [p for stage in stages if (p := stage / "judgments.jsonl").is_file()]
        if paths:
            for path in paths:
                yield from _judgments_in(path, config, strategies)
            return


def _judgments_in(
    path: Path, config: RunConfig, strategies: Mapping[str, str]
) -> Iterator[Candidate]:
    """Yield one judgment a pair of those with reasoning, the one whose hash is the least."""
    rates_file = path.with_name("pass_rates.jsonl")
    outcomes = _sampled(rates_file) if rates_file.is_file() else {}
    chosen: dict[str, tuple[str, Candidate]] = {}
    for judgment, start in iter_record_starts(path, Judgment):
        key = judgment.pair_key
        if key in strategies and has_reasoning(judgment):
            rank = content_key("judgment", config.seed, judgment.key)
            if key not in chosen or rank < chosen[key][0]:
                sure = outcomes[key].sure if key in outcomes else None
                stratum = Stratum(strategies[key], judgment.correct, sure)
                chosen[key] = rank, Candidate(judgment.key, key, stratum, path, start)
    return (candidate for _, candidate in chosen.values())


def has_reasoning(judgment: Judgment) -> bool:
    """Return whether a judgment says anything but its verdict, in its own words."""
    said = judgment.thinking or without_verdicts(judgment.text)
    return not judgment.forced and judgment.verdict is not None and bool(said.strip())
