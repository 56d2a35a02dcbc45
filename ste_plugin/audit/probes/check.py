"""The check `probes`: what moves a run's judge that should not, before training and after."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.probes import own_answers
from ste_plugin.audit.probes.asking import JudgeAsker, RunJudge
from ste_plugin.audit.probes.estimate import Pace, describe, size_of
from ste_plugin.audit.probes.examine import Row, examine, shown_arms, since, worst
from ste_plugin.audit.probes.probe import Arm, BiasProbe
from ste_plugin.audit.probes.telling import tell
from ste_plugin.audit.significance import LEVEL
from ste_plugin.context import RunContext
from ste_plugin.dataset.token_counts import load_template
from ste_plugin.engines.base import ChatRequest
from ste_plugin.errors import DataError, EngineError
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.evaluation.trained_judges import find_judge, require_own_weights
from ste_plugin.pairs.constructed import CONSTRUCTED
from ste_plugin.pairs.pool_files import read_pool
from ste_plugin.plugins.manager import contributions, find_contribution
from ste_plugin.records import ResponsePair, content_key
from ste_plugin.storage.jsonl import replace_json


def check_probes(context: RunContext, iteration: int) -> Iterator[Finding]:
    """Yield the findings on the judge of an iteration; each earlier judge is asked, too.

    The table of all is `audit/probes.json`.
    Raises: DataError where there are no pairs held out, or a judge that is not trained; EngineError
    for one that cannot be loaded; ConfigError for a probe that there is none of.
    """
    probes, seed = chosen_probes(context), context.config.seed
    split, pairs = draw_pairs(context)
    can_ask = JudgeAsker(context.judge_format, "", context.config.judging).can_ask
    arms = shown_arms(probes, pairs, seed, can_ask)
    judges = [_find(context, number) for number in range(iteration + 1)]
    pace = _announce(context, f"{len(pairs)} {split} pairs", pairs, probes, judges, arms)
    own = _own_answers(context, iteration)
    by_judge = {
        number: examine(
            probes, pairs, partial(judge.sides, pace=pace), seed, can_ask, _tests_of(own, number)
        )
        for number, judge in enumerate(judges)
    }
    context.models.close()
    replace_json(
        context.folder.audit / "probes.json",
        {
            "split": split,
            "pairs": len(pairs),
            "level": LEVEL,
            "probes": _table(probes, by_judge),
            "own_answers": {judge_label(n): own_answers.to_row(each) for n, each in own.items()},
        },
    )
    yield from _findings(context, probes, by_judge)
    if own:
        yield own_answers.tell(own[iteration], by_judge[iteration], judge_label(iteration))


def find_probes(context: RunContext) -> dict[str, BiasProbe]:
    """Return all probes by name, plugins' included, with the threshold that is set for all."""
    probes = {n: probe for n, (_, probe) in contributions(context.plugins, "ste_probes").items()}
    threshold = context.config.audit.probe_threshold
    if threshold is None:
        return probes
    return {name: replace(probe, threshold=threshold) for name, probe in probes.items()}


def chosen_probes(context: RunContext) -> dict[str, BiasProbe]:
    """Return the probes that the config asks for, by default all, in the order of all.

    Where each answer is rated alone, without those of judges that see both.

    Raises: ConfigError for one that there is none of.
    """
    chosen, pointwise = context.config.audit.probes, context.judge_format.pointwise
    for name in chosen or ():
        find_contribution(context.plugins, "ste_probes", name, "audit.probes")
    return {
        name: probe
        for name, probe in find_probes(context).items()
        if (chosen is None or name in chosen) and not (pointwise and probe.of_both)
    }


def draw_pairs(context: RunContext) -> tuple[str, list[ResponsePair]]:
    """Return the split that judges are asked about, and its pairs, as many as are asked.

    A larger number has all pairs of a smaller one, so that only the others are asked about.
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
            return split, drawn[: context.config.audit.pairs]
    raise DataError(
        f"{pool}: no pairs are held out to probe a judge with. Set dataset.test_fraction above 0 "
        "and redo the run (--from pool)."
    )


def _find(context: RunContext, number: int) -> RunJudge:
    path = context.folder.audit / f"probes-{number:02d}.completions.jsonl"
    judge = find_judge(context, number)
    require_own_weights(judge, number)
    return RunJudge(context, judge_label(number), judge, path)


def _announce(
    context: RunContext,
    asked: str,
    pairs: Sequence[ResponsePair],
    probes: Mapping[str, BiasProbe],
    judges: Sequence[RunJudge],
    arms: Sequence[Arm],
) -> Pace:
    """Say what will be asked; return what says how long is left."""
    owed = {judge.name: judge.owed(arms) for judge in judges}
    prompts = len({pair.instruction_key for pair in pairs})
    asked = f"{asked} of {prompts} instructions, {len(probes)} probe{'s' * (len(probes) > 1)}"
    samples = [request for each in owed.values() for request in each.samples]
    tokens = _tokens_per_character(judges[0], samples) if samples else None
    context.progress.say(describe(asked, prompts, owed, tokens))
    return Pace(owed, context.progress.say)


def _tokens_per_character(judge: RunJudge, samples: Sequence[ChatRequest]) -> float | None:
    """Return the tokens of a character of prompts, what the chat template adds among them.

    None where the judge's tokenizer is not here.
    """
    try:
        template = load_template(judge.model, judge.context.base)
    except EngineError:
        return None
    texts = [template.prompt(request.messages) + request.prefix for request in samples]
    encoded = template.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return sum(map(len, encoded)) / sum(map(size_of, samples))


def _own_answers(context: RunContext, iteration: int) -> dict[int, own_answers.Outcome]:
    """Return what is known of each judge's preference for its own answers.

    Nothing where the config names probes: it is none of them.
    """
    if context.config.audit.probes is not None:
        return {}
    return {n: own_answers.measure(context, n) for n in range(iteration + 1)}


def _tests_of(own: Mapping[int, own_answers.Outcome], number: int) -> int:
    """Return how many tests of a judge's own answers are made."""
    return int(number in own and own[number].measured is not None)


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
            "hidden": row.hidden,
            "letters": row.letters,
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
        yield tell(context, name, probes[name], row, seed, judge_label(last))
