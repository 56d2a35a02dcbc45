"""Public benchmarks of judges, and files of one's own, read into labelled pairs."""

from pathlib import Path
from typing import Any

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.labelled import AS_IT_IS, LabelledPair, Reading, read_labelled
from ste_plugin.labelled.read import LOCAL, Keep
from ste_plugin.labelled.sides import read_pair
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark
from ste_plugin.lm_eval_tasks.benchmarks.helpsteer2 import HELPSTEER2
from ste_plugin.lm_eval_tasks.benchmarks.judgebench import JUDGEBENCH
from ste_plugin.lm_eval_tasks.benchmarks.llmbar import LLMBAR
from ste_plugin.lm_eval_tasks.benchmarks.mtbench_human import MTBENCH_HUMAN
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench import REWARDBENCH
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2
from ste_plugin.lm_eval_tasks.benchmarks.rmbench import RMBENCH
from ste_plugin.lm_eval_tasks.pairs_file import kept, tell_unlabelled
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.lm_eval_tasks.shown_columns import columns_kept

__all__ = ["BENCHMARKS", "Benchmark", "benchmark_called", "benchmark_of", "files_of", "read_pairs"]

_LOCAL: Benchmark[LabelledPair] = Benchmark(
    name=LOCAL, hub="", splits=(), columns=(), convert=lambda rows: [read_pair(rows[0])]
)
BENCHMARKS: dict[str, Benchmark[LabelledPair]] = {
    benchmark.name: benchmark
    for benchmark in (
        _LOCAL,
        REWARDBENCH,
        JUDGEBENCH,
        LLMBAR,
        MTBENCH_HUMAN,
        HELPSTEER2,
        RMBENCH,
    )
}
"""Those made of pairs, by name. RewardBench 2 is not: see `best_of_four`."""


def read_pairs(settings: JudgeSettings, keep: Keep | None = None) -> list[LabelledPair]:
    """Return the pairs to judge in their order: of the section set, if any; the first `limit`.

    `keep` takes further columns along, by default those that the settings' format shows. All rows
    are checked, also beyond the limit.
    Raises: ConfigError for a benchmark or section that does not exist, DataError for rows that
    cannot be judged or fetched.
    """
    benchmark = benchmark_of(settings)
    every = _read(benchmark, settings, keep or columns_kept(settings))
    pairs = [p for p in every if settings.section in ("", p.section)]
    if not pairs:
        raise DataError(
            f"{settings.data or benchmark.hub}: no pair of the section {settings.section!r} in it; "
            f"found {', '.join(sorted({p.section for p in every}))}. Add its rows, or judge "
            "another section."
        )
    judged = kept(benchmark.name, pairs, settings.limit)
    tell_unlabelled(benchmark.name, judged)
    return judged


def _read(
    benchmark: Benchmark[LabelledPair], settings: JudgeSettings, keep: Keep | None
) -> list[LabelledPair]:
    """Return all pairs of a benchmark. Raises: ConfigError where one is told how rows are read."""
    reading = Reading(settings.columns, settings.labels, settings.lists, settings.bad_rows)
    if benchmark is _LOCAL and settings.data:
        return list(read_labelled(settings.data, reading, LOCAL, keep))
    if reading != AS_IT_IS:
        raise ConfigError(
            f"{PREFIX}COLUMNS, {PREFIX}LABELS, {PREFIX}LISTS and {PREFIX}BAD_ROWS are of files of "
            f"your own, and {benchmark.name} is read as it is published. Unset them, or judge the "
            "file by ste_local."
        )
    if keep is None:
        return benchmark.read(settings.data)
    convert = benchmark.convert
    return benchmark.read(settings.data, lambda rows: [keep(p, rows[0]) for p in convert(rows)])


def benchmark_called(name: str) -> Benchmark[Any] | None:
    """Return the benchmark of a name, RewardBench 2 included; None where there is none."""
    known: dict[str, Benchmark[Any]] = {**BENCHMARKS, REWARDBENCH2.name: REWARDBENCH2}
    return known.get(name)


def benchmark_of(settings: JudgeSettings) -> Benchmark[LabelledPair]:
    """Return the benchmark that the settings name. Raises: ConfigError, also for its section."""
    if settings.benchmark not in BENCHMARKS:
        raise ConfigError(
            f"{PREFIX}BENCHMARK: found {settings.benchmark!r}; expected one of "
            f"{', '.join(BENCHMARKS)}."
        )
    benchmark = BENCHMARKS[settings.benchmark]
    if settings.section and settings.section not in benchmark.sections:
        known = ", ".join(map(repr, benchmark.sections)) or "none, as it has no sections"
        raise ConfigError(
            f"{PREFIX}SECTION (section in --judge-args): found {settings.section!r}; expected one "
            f"that {benchmark.name} has: {known}."
        )
    return benchmark


def files_of(settings: JudgeSettings) -> list[Path]:
    """Return the files that `read_pairs` reads; none where it asks the hub."""
    benchmark = benchmark_called(settings.benchmark)
    return benchmark.paths(settings.data) if benchmark else []
