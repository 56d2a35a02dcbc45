"""What a run's data sets were made of, what was left out of them, and by which settings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ste_plugin.report.cost_section import (
    cost_section,
    counts_of,
    total_of,
    value_at,
    without_empty,
)
from ste_plugin.report.origins import (
    NOT_MADE,
    constructed_stages,
    given_in_words,
    is_constructed,
    pool_in_words,
)
from ste_plugin.report.parts import (
    Bar,
    Cell,
    Column,
    Details,
    Estimate,
    Paragraph,
    Part,
    Section,
    Table,
)
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.text.numbers import DASH


def making_sections(run: RunFigures) -> list[Section]:
    """Return the sections about how the judges were made."""
    return [cost_section(run), _data(run), _drops(run), _how(run)]


def _data(run: RunFigures) -> Section:
    rounds = [r for r in run.rounds if r.manifests]
    parts: list[Part] = [Paragraph(pool_in_words(run))]
    if told := constructed_stages(run):
        parts.append(Paragraph(told))
    if rounds:
        parts += [_rows_table(rounds), *_strategies_table(rounds, given=bool(run.given))]
    else:
        parts.append(Paragraph("No data set is made yet.", "note"))
    return Section("Training data", "data", parts)


def _rows_table(rounds: Sequence[Round]) -> Table:
    paths = {
        "judgments": ("judgments",),
        "right": ("correct",),
        "no verdict": ("without_verdict",),
        "forced": ("forced",),
        "training rows": ("kept", "train"),
        "and of the letter alone": ("verdict_rows",),
    }
    if not any(map(_rates, rounds)):
        paths["better shown as A"] = ("letters", "train", "A")
        paths["as B"] = ("letters", "train", "B")
    rows = [
        [r.name, *(total_of(counts_of(r), *path) for path in paths.values()), _pass_rate(r)]
        for r in rounds
    ]
    columns = [Column("round"), *(Column(h, "number") for h in (*paths, "pass rate"))]
    caption = (
        "Judgments sampled and kept. Pass rate: the mean chance that a sampled judgment of a pair "
        "is right, ± 1.96 standard errors."
    )
    return without_empty(Table(columns, rows, caption))


def _rates(r: Round) -> bool:
    """Return whether its data sets are ratings of one answer each, so that there is no order."""
    return any(manifest.get("judge_format", {}).get("pointwise") for manifest in r.manifests)


def _pass_rate(r: Round) -> Estimate | None:
    rates = [value_at(count, ("pass_rate",)) for count in counts_of(r)]
    if len(rates) != 1 or not rates[0] or rates[0].get("mean") is None:
        return None
    mean, error = rates[0]["mean"], rates[0].get("se")
    return Estimate(mean, None if error is None else (mean - 1.96 * error, mean + 1.96 * error))


def _strategies_table(rounds: Sequence[Round], *, given: bool) -> Iterable[Table]:
    by_round = [_strategies(r) for r in rounds]
    names = list(dict.fromkeys(name for counts in by_round for name in counts))
    if not names:
        return
    columns = [Column("kind of pair"), *(Column(r.name, "number") for r in rounds)]
    rows: list[list[Cell]] = [[name, *(c.get(name) for c in by_round)] for name in names]
    caption = "Training rows by how the worse answer was made"
    yield Table(columns, rows, f"{caption}; `given` came with a label." if given else f"{caption}.")


def _strategies(r: Round) -> Counter[str]:
    counted: Counter[str] = Counter()
    for counts in counts_of(r):
        counted.update(value_at(counts, ("strategies", "train")) or {})
    return counted


def _drops(run: RunFigures) -> Section:
    pool = Counter(run.pool.get("drops", {}))
    by_round = {"pairs": pool} | {r.name: _own_drops(r, pool) for r in run.rounds if r.manifests}
    total: Counter[str] = sum(by_round.values(), Counter())
    title, anchor = "Left out", "left-out"
    if not total:
        return Section(title, anchor, [Paragraph("Nothing was left out.")])
    parts: list[Part] = [_drop_table(total)]
    if len(by_round) > 2:
        parts.append(Details("By round", [_drops_by_round(total, by_round)]))
    return Section(title, anchor, parts)


def _own_drops(r: Round, pool: Counter[str]) -> Counter[str]:
    """Return what a round's stages left out; their manifests count the pool's, too."""
    return sum((Counter(m.get("drops", {})) - pool for m in r.manifests), Counter[str]())


def _drop_table(total: Counter[str]) -> Table:
    columns = [
        Column("reason"),
        Column("stage"),
        Column("how many", "plot", (0.0, float(max(total.values())))),
        Column("", "number"),
    ]
    rows: list[list[Cell]] = [
        [*_reason_and_stage(name), Bar(total[name]), total[name]] for name in _commonest(total)
    ]
    caption = (
        f"{sum(total.values()):,} in all rounds, each with its reason; one by one they are in "
        "`drops.jsonl`."
    )
    return Table(columns, rows, caption)


def _commonest(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))


def _reason_and_stage(name: str) -> tuple[str, str]:
    stage, _, reason = name.partition(": ")
    return (reason, stage) if reason else (name, "")


def _drops_by_round(total: Counter[str], by_round: Mapping[str, Counter[str]]) -> Table:
    columns = [Column("reason"), Column("stage"), *(Column(name, "number") for name in by_round)]
    rows: list[list[Cell]] = [
        [*_reason_and_stage(name), *(counts[name] for counts in by_round.values())]
        for name in _commonest(total)
    ]
    return Table(columns, rows, "What each round left out.")


def _how(run: RunFigures) -> Section:
    config = run.config
    told: dict[str, Cell] = {
        "seed judge": config.judge.model,
        **_pairs_told(run),
        "judge format": config.judging.format,
        "samples per pair and order": _samples(run),
        "trained by": ", ".join(config.training.recipe),
        "starts from": config.training.start_from,
        "instructions of an iteration": config.training.instructions,
        "iterations": f"{config.iterations}, of which the {run.keep} is kept",
        "random seed": str(config.seed),
        "versions": _versions(run),
    }
    rows = [[name, value] for name, value in told.items()]
    table = Table([Column("setting"), Column("value")], rows, "As the run was started.", wordy=True)
    return Section("Settings", "settings", [table, *_measured_pairs(run)])


def _pairs_told(run: RunFigures) -> dict[str, Cell]:
    """Return who writes the answers of pairs, how, and which pairs were given."""
    generator, strategies = run.config.generator, run.config.pairs.strategies
    writer = generator.model if generator else "the seed judge itself"
    given: dict[str, Cell] = {"given": given_in_words(run)} if run.config.pairs.given else {}
    if not strategies:
        return {"writes the answers": NOT_MADE} | given
    return {"writes the answers": writer, "worse answers by": ", ".join(strategies)} | given


def _samples(run: RunFigures) -> str:
    kinds = {is_constructed(manifest) for r in run.rounds for manifest in r.manifests}
    drawn = f"at most {run.config.judging.samples}"
    if True not in kinds:
        return drawn
    one = "1, as the judgments that are learnt were constructed"
    return f"{one}; in other stages {drawn}" if False in kinds else one


def _versions(run: RunFigures) -> str:
    hosts = [results.get("host", {}) for r in run.measured for results in r.results.values()]
    known = {
        f"{label} {host[key]}"
        for host in hosts
        for key, label in (("ste_plugin", "ste-plugin"), ("lm_eval", "lm-eval"))
        if host.get(key)
    }
    return ", ".join(sorted(known)) or DASH


def _measured_pairs(run: RunFigures) -> list[Part]:
    """Return what identifies the pairs that were judged, and the judges."""
    hashes = {
        (name, str(results["pairs_sha256"])[:16])
        for r in run.measured
        for name, results in r.results.items()
        if results.get("pairs_sha256")
    }
    judges = {
        (r.name, str(results["model_fingerprint"]))
        for r in run.measured
        for results in r.results.values()
        if results.get("model_fingerprint")
    }
    rows = [[f"pairs of {name}", digest] for name, digest in sorted(hashes)]
    rows += [[f"weights of {name}", digest] for name, digest in sorted(judges)]
    columns = [Column("what"), Column("hash")]
    return [Table(columns, rows, "Who has these has measured the same.")] if rows else []
