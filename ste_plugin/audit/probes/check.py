"""The check `probes`: what moves a run's judge that should not, before training and after."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.probes.asking import JudgeAsker, ask_judge
from ste_plugin.audit.probes.examine import Row, examine, since, worst
from ste_plugin.audit.probes.probe import Arm, BiasProbe
from ste_plugin.audit.significance import LEVEL
from ste_plugin.context import RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.evaluation.trained_judges import find_judge
from ste_plugin.pairs.constructed import CONSTRUCTED
from ste_plugin.pairs.pool_files import read_pool
from ste_plugin.plugins.manager import contributions
from ste_plugin.records import ResponsePair, content_key
from ste_plugin.storage.jsonl import replace_json

CHECK = "probes"
MOST_PAIRS = 200
"""Of the held-out pairs, drawn by the run's seed: with so many, a judge that is moved in one of ten
pairs is found nine times in ten, and each judge is asked some 7,000 short questions."""
_SELF_PREFERENCE = (
    "Not applicable: both answers of this run's pairs are its generator's, so that none is of "
    "another model."
)

_USED_UP = (
    " The run's budget is used up: raise budget.max_tokens_total or budget.max_minutes, and audit "
    "again; what was answered is kept."
)


def check_probes(context: RunContext, iteration: int) -> Iterator[Finding]:
    """Yield the findings on the judge of an iteration; each earlier judge is asked, too.

    The table of all is `audit/probes.json`.
    Raises: DataError where there are no pairs held out, or a judge that is not trained.
    """
    probes = find_probes(context)
    split, pairs = draw_pairs(context)
    by_judge = {n: _ask(context, n, probes, pairs) for n in range(iteration + 1)}
    context.models.close()
    table = _table(probes, by_judge)
    replace_json(
        context.folder.audit / "probes.json",
        {"split": split, "pairs": len(pairs), "level": LEVEL, "probes": table},
    )
    yield from _findings(context, probes, by_judge)


def find_probes(context: RunContext) -> dict[str, BiasProbe]:
    """Return all probes by name, plugins' included, with the threshold that is set for all."""
    probes = {n: probe for n, (_, probe) in contributions(context.plugins, "ste_probes").items()}
    threshold = context.config.audit.probes
    if threshold is None:
        return probes
    return {name: replace(probe, threshold=threshold) for name, probe in probes.items()}


def draw_pairs(context: RunContext) -> tuple[str, list[ResponsePair]]:
    """Return the split that judges are asked about, and its pairs, as many as are asked.

    Pairs whose worse answer was put together for training are left out: they are what a probe makes
    of others.
    Raises: DataError where no pair is held out.
    """
    pool = context.folder.pool
    if not (pool / "done.json").exists():
        raise DataError(f"{pool}: no pool of pairs there yet. `ste run` makes one.")
    pairs = read_pool(pool, context.config).pairs
    for split in ("test", "dev"):
        found = [p for p in pairs[split] if p.strategy not in CONSTRUCTED]
        if found:
            seed = context.config.seed
            drawn = sorted(found, key=lambda p: content_key("probes", seed, p.key))
            return split, drawn[:MOST_PAIRS]
    raise DataError(
        f"{pool}: no pairs are held out to probe a judge with. Set dataset.test_fraction above 0 "
        "and redo the run (--from pool)."
    )


def _ask(
    context: RunContext,
    number: int,
    probes: Mapping[str, BiasProbe],
    pairs: Sequence[ResponsePair],
) -> list[Row]:
    judge = find_judge(context, number)
    path = context.folder.audit / f"probes-{number:02d}.completions.jsonl"
    title = f"probing {judge_label(number)}"
    asker = JudgeAsker(context.judge_format, "", context.config.judging)

    def ask(arms: Sequence[Arm]) -> Any:
        return ask_judge(context, judge, path, title, arms)

    return examine(probes, pairs, ask, context.config.seed, asker.can_ask)


def _table(
    probes: Mapping[str, BiasProbe], by_judge: Mapping[int, Sequence[Row]]
) -> list[dict[str, Any]]:
    """Return a row per variant of a probe, with what every judge did."""
    seeds = by_judge[0]
    return [
        {
            "probe": seed.probe,
            "variant": seed.variant,
            "bias": probes[seed.probe].bias,
            "threshold": probes[seed.probe].threshold,
            "judges": {
                judge_label(n): _figures(rows[i], seed if n else None)
                for n, rows in by_judge.items()
            },
        }
        for i, seed in enumerate(seeds)
    ]


def _figures(row: Row, seed: Row | None) -> dict[str, Any]:
    told: dict[str, Any] = {"n": len(row.values), "figure": None}
    if row.measured:
        told |= {
            "prompts": row.measured.prompts,
            "figure": row.measured.figure,
            "interval": row.measured.interval,
            "p": row.measured.p,
            "corrected_p": row.corrected_p,
            "toward": row.toward,
            "away": row.away,
            "failed": row.failed,
        }
    if seed and (rise := since(row, seed)):
        told["since_seed"] = {"difference": rise[0], "interval": rise[1]}
    return told


def _findings(
    context: RunContext, probes: Mapping[str, BiasProbe], by_judge: Mapping[int, Sequence[Row]]
) -> Iterator[Finding]:
    """Yield a finding per probe, of its variant that tells most."""
    last = max(by_judge)
    seeds = {(row.probe, row.variant): row for row in by_judge[0]}
    for name, rows in groupby(by_judge[last], key=lambda row: row.probe):
        row = worst(list(rows))
        seed = seeds[row.probe, row.variant] if last else None
        yield _finding(context, name, probes[name], row, seed, judge_label(last))
    yield Finding(
        CHECK,
        "own answers preferred",
        judge_label(last),
        None,
        None,
        None,
        0,
        False,
        _SELF_PREFERENCE,
    )


def _finding(
    context: RunContext, name: str, probe: BiasProbe, row: Row, seed: Row | None, subject: str
) -> Finding:
    found = row.measured
    is_cut = found is None and context.budget.stopped
    return Finding(
        check=CHECK,
        name=name,
        subject=subject,
        figure=found.figure if found else None,
        interval=found.interval if found else None,
        threshold=probe.threshold,
        n=len(row.values),
        failed=row.failed,
        words=_words(probe, row, seed) + (_USED_UP if is_cut else ""),
        cure=_cure(context, probe) if row.failed else "",
        limit="size" if probe.test == "either" else "most",
    )


def _words(probe: BiasProbe, row: Row, seed: Row | None) -> str:
    if row.measured is None:
        return (
            f"{len(row.values)} pairs could be changed so and were judged: too few to tell whether "
            f"it {probe.bias}."
        )
    variant = f" ({row.variant!r})" if row.variant else ""
    start = f"It {probe.bias}" if row.failed else f"No sign that it {probe.bias}"
    p = f"p {row.corrected_p:.2g} corrected for all probes"
    return f"{start}{variant}: {_moves(probe, row)}{_before(row, seed)}; {p}."


def _moves(probe: BiasProbe, row: Row) -> str:
    """Return which share of pairs moved which way."""
    toward, away = probe.ways
    told = f"{row.toward:.0%} of {len(row.values)} pairs {toward}"
    return f"{told}, {row.away:.0%} {away}" if away else told


def _before(row: Row, seed: Row | None) -> str:
    """Return how that was with the seed, and the change since then."""
    if seed is None or seed.measured is None:
        return ""
    told = f"; the seed {seed.toward:.0%} and {seed.away:.0%}"
    if rise := since(row, seed):
        told += f", a change of {rise[0]:+.2f} [{rise[1][0]:+.2f}, {rise[1][1]:+.2f}]"
    return told


def _cure(context: RunContext, probe: BiasProbe) -> str:
    """Return what to do, with the line to put into the config."""
    strategies = context.config.pairs.strategies
    lacking = [name for name in probe.strategies if name not in strategies]
    if not probe.strategies:
        return probe.cure
    if not lacking:
        return (
            f"{', '.join(probe.strategies)} is among pairs.strategies already: give it more "
            "instructions or another iteration."
        )
    return (
        f"Train against it: `pairs: {{strategies: [{', '.join([*strategies, *lacking])}]}}` in the "
        "config, then `ste run CONFIG --from pool`; what was answered already is not asked again."
    )
