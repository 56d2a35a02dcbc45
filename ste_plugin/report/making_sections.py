"""What a run cost, what its data sets were made of, and what was left out of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ste_plugin.evaluation.report import COSTS, PER_1000, judge_line
from ste_plugin.report.numbers import DASH, duration
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

STEPS = ("pairs", "judging", "training", "measuring")
_STEP_OF = {"pool": "pairs", "generate": "judging", "train": "training"}


def making_sections(run: RunFigures) -> list[Section]:
    """Return the sections about how the judges were made."""
    return [_costs(run), _data(run), _drops(run), _how(run)]


def _costs(run: RunFigures) -> Section:
    columns = [Column("")] + [
        Column(heading, "number") for heading in ("tokens read", "tokens written", "cost", *STEPS)
    ]
    rows = [_pool_costs(run), *(_round_costs(run, r) for r in run.rounds)]
    rows.append(["all", *(_sum_of(column) for column in list(zip(*rows, strict=True))[1:])])
    shown = [[*row[:4], *(_time(cell) for cell in row[4:])] for row in rows]
    caption = "Tokens that the data sets took, and the time of every step."
    parts: list[Part] = [_without_empty(Table(columns, shown, caption))]
    if rows[-1][3] is None:
        parts.append(Paragraph("No prices are set, so nothing is said of money.", "note"))
    return Section("Costs", "costs", [*parts, *_per_1000(run)])


def _pool_costs(run: RunFigures) -> list[Any]:
    cost = run.pool.get("cost", {})
    tokens = [cost.get("prompt_tokens"), cost.get("generated_tokens"), cost.get("cost")]
    return ["response pairs", *tokens, *_seconds(run, None)]


def _round_costs(run: RunFigures, r: Round) -> list[Any]:
    counts = _counts(r)
    tokens = [_total(counts, name) for name in ("prompt_tokens", "generated_tokens")]
    return [r.name, *tokens, r.report.cost if r.report else None, *_seconds(run, r.number)]


def _seconds(run: RunFigures, number: int | None) -> list[float | None]:
    """Return the time of each of STEPS in a round, or before all of them."""
    spent: Counter[str] = Counter()
    for (iteration, stage), seconds in run.seconds.items():
        if iteration == number:
            spent[_STEP_OF.get(stage, "measuring")] += seconds  # type: ignore[assignment]
    return [spent.get(step) for step in STEPS]


def _sum_of(column: Sequence[Any]) -> Any:
    known = [cell for cell in column if cell is not None]
    return sum(known) if known else None


def _time(seconds: Any) -> str:
    return DASH if seconds is None else duration(seconds)


def _without_empty(table: Table) -> Table:
    """Return a table without the columns that hold nothing but dashes."""
    kept = [
        index
        for index in range(len(table.columns))
        if index == 0 or any(row[index] not in (None, DASH) for row in table.rows)
    ]
    rows = [[row[index] for index in kept] for row in table.rows]
    return Table([table.columns[i] for i in kept], rows, table.caption, table.wordy)


def _per_1000(run: RunFigures) -> list[Part]:
    """Return what a judgment takes of each judge, as lm-eval asked it."""
    lines = [
        judge_line(r.name, name, results)
        for r in run.measured
        for name, results in r.results.items()
    ]
    headings = [name + PER_1000 for name in COSTS]
    rows: list[list[Cell]] = [
        [line["judge"], line["pairs"], *(_whole(line[heading]) for heading in headings)]
        for line in lines
        if any(line[heading] is not None for heading in headings)
    ]
    if not rows:
        return []
    columns = [Column("round"), Column("pairs"), *(Column(name, "number") for name in COSTS)]
    caption = "As measured; seconds of a first set include loading the judge."
    return [Details("Tokens and seconds per 1,000 judgments", [Table(columns, rows, caption)])]


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _counts(r: Round) -> list[Mapping[str, Any]]:
    return [manifest.get("counts", {}) for manifest in r.manifests]


def _total(counts: Sequence[Mapping[str, Any]], *path: str) -> int | None:
    """Return the sum of a count over the stages of a round; None where none has it."""
    found = [_at(count, path) for count in counts]
    known = [value for value in found if isinstance(value, int)]
    return sum(known) if known else None


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _data(run: RunFigures) -> Section:
    rounds = [r for r in run.rounds if r.manifests]
    parts: list[Part] = [Paragraph(_pool_in_words(run))]
    if rounds:
        parts += [_rows_table(rounds), *_strategies_table(rounds)]
    else:
        parts.append(Paragraph("No data set is made yet.", "note"))
    return Section("Training data", "data", parts)


def _pool_in_words(run: RunFigures) -> str:
    if not run.pool:
        return "No pairs are made yet."
    pairs = ", ".join(f"{n:,} {split}" for split, n in run.pool.get("pairs", {}).items())
    return (
        f"{run.pool.get('instructions', 0):,} instructions were chosen; better and worse answers "
        f"to them make these pairs: {pairs}. No two splits share an instruction."
    )


def _rows_table(rounds: Sequence[Round]) -> Table:
    paths = {
        "judgments": ("judgments",),
        "right": ("correct",),
        "no verdict": ("without_verdict",),
        "forced": ("forced",),
        "training rows": ("kept", "train"),
        "better shown as A": ("letters", "train", "A"),
        "as B": ("letters", "train", "B"),
    }
    rows = [
        [r.name, *(_total(_counts(r), *path) for path in paths.values()), _pass_rate(r)]
        for r in rounds
    ]
    columns = [Column("round"), *(Column(h, "number") for h in (*paths, "pass rate"))]
    caption = (
        "Judgments sampled and kept. Pass rate: the mean chance that a sampled judgment of a pair "
        "is right, ± 1.96 standard errors."
    )
    return _without_empty(Table(columns, rows, caption))


def _pass_rate(r: Round) -> Estimate | None:
    rates = [_at(count, ("pass_rate",)) for count in _counts(r)]
    if len(rates) != 1 or not rates[0] or rates[0].get("mean") is None:
        return None
    mean, error = rates[0]["mean"], rates[0].get("se")
    return Estimate(mean, None if error is None else (mean - 1.96 * error, mean + 1.96 * error))


def _strategies_table(rounds: Sequence[Round]) -> Iterable[Table]:
    by_round = [_strategies(r) for r in rounds]
    names = list(dict.fromkeys(name for counts in by_round for name in counts))
    if not names:
        return
    columns = [Column("kind of pair"), *(Column(r.name, "number") for r in rounds)]
    rows: list[list[Cell]] = [[name, *(c.get(name) for c in by_round)] for name in names]
    yield Table(columns, rows, "Training rows by how the worse answer was made.")


def _strategies(r: Round) -> Counter[str]:
    counted: Counter[str] = Counter()
    for counts in _counts(r):
        counted.update(_at(counts, ("strategies", "train")) or {})
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
    config, generator = run.config, run.config.generator
    told: dict[str, Cell] = {
        "seed judge": config.judge.model,
        "writes the answers": generator.model if generator else "the seed judge itself",
        "worse answers by": ", ".join(config.pairs.strategies),
        "judge format": config.judging.format,
        "samples per pair and order": f"at most {config.judging.samples}",
        "trained by": ", ".join(config.training.recipe),
        "starts from": config.training.start_from,
        "iterations": f"{config.iterations}, of which the {run.keep} is kept",
        "random seed": str(config.seed),
        "versions": _versions(run),
    }
    rows = [[name, value] for name, value in told.items()]
    table = Table([Column("setting"), Column("value")], rows, "As the run was started.", wordy=True)
    return Section("Settings", "settings", [table, *_measured_pairs(run)])


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
