"""The figures of a run, read from its folder alone; nothing is opened or written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import read_findings
from ste_plugin.config import RunConfig
from ste_plugin.context import IterationReport
from ste_plugin.errors import DataError
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.pairs.given import GIVEN
from ste_plugin.pairs.pool_files import SPLITS, split_of
from ste_plugin.records import ResponsePair
from ste_plugin.report.compared import Compared, Measured, compare_rounds
from ste_plugin.review.results import Results
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.followed import Followed, read_followed
from ste_plugin.storage.jsonl import iter_records, read_derived_json, read_rows
from ste_plugin.storage.run_layout import RunLayout

HELD_OUT = ("test", "dev")
"""The run's own pairs, in the order in which a reader wants them: dev has chosen the judge."""


@dataclass(frozen=True, slots=True)
class Round:
    """One judge of a run."""

    number: int
    """0 is the seed."""
    folder: Path
    results: Mapping[str, Mapping[str, Any]]
    """Name of the pairs or benchmark → its results.json; test and dev first."""
    report: IterationReport | None
    """What its done.json says; None until the round is done."""
    manifests: tuple[Mapping[str, Any], ...]
    """Of its data sets, one per stage."""
    gates: Mapping[str, Any]
    """Its gates.json; empty where no gate was decided."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return judge_label(self.number)


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What a run has come to so far; what `ste_report_sections` is given."""

    folder: RunLayout
    config: RunConfig
    """As the run was started."""
    pool: Mapping[str, Any]
    """The pool's done.json; empty until there is one."""
    rounds: tuple[Round, ...]
    """Those that were begun, the seed first."""
    best: int | None
    """Which round is shipped; None until the run is finished."""
    keep: str
    """How it was chosen: `best` or `last`."""
    seconds: Mapping[tuple[int | None, str], float]
    """(round, stage) → how long it took, all starts together; the pool's round is None."""
    compared: tuple[Compared, ...]
    """Every round with the one before, and `held_against_seed` with the seed."""
    findings: Mapping[int, Mapping[str, list[Finding]]]
    """Iteration → check → what an audit found."""
    collapse: Mapping[str, Any]
    """The audit's collapse.json; empty until it looked."""
    people: Results | None
    """What people said of its pairs and judgments; None where nobody has looked."""
    followed: tuple[Followed, ...] = ()
    """Rounds in which its judge was refreshed on a policy's answers."""
    given: Mapping[str, int] = field(default_factory=dict)
    """Split → how many of its pairs came with a label, in the files of `pairs.given`."""

    @property
    def name(self) -> str:
        """The name of its folder and of the one around it."""
        return "/".join(self.folder.root.resolve().parts[-2:])

    @property
    def seed_name(self) -> str:
        """The seed's model, without the folders above it."""
        return self.config.judge.model.rstrip("/").rpartition("/")[2]

    @property
    def measured(self) -> tuple[Round, ...]:
        """The rounds with figures."""
        return tuple(r for r in self.rounds if r.results)

    def seed_results(self, name: str) -> Mapping[str, Any]:
        """Return what the seed was measured to be on some pairs; nothing where it was not."""
        return next((r.results.get(name, {}) for r in self.measured if r.number == 0), {})

    @property
    def names(self) -> tuple[str, ...]:
        """The pairs and benchmarks that any round was measured on; test and dev first."""
        return tuple(sort_names({name for r in self.rounds for name in r.results}))

    @property
    def shown(self) -> Round | None:
        """The round that the report is about: the shipped one, else the last with figures."""
        by_number = {r.number: r for r in self.measured}
        latest = max(by_number, default=None)
        number = self.best if self.best in by_number else latest
        return None if number is None else by_number[number]

    @property
    def held_against_seed(self) -> Round | None:
        """The round that is compared with the seed: the one shown, or where that is the seed, the
        last one."""
        shown = self.shown
        return self.measured[-1] if shown and shown.number == 0 else shown

    def comparison(self, first: int, second: int) -> Compared | None:
        """Return how two rounds compare, where they were compared."""
        found = [c for c in self.compared if (c.first, c.second) == (first, second)]
        return found[0] if found else None


def sort_names(names: set[str]) -> list[str]:
    """Return names of pairs with test and dev first, others by name."""
    return [n for n in HELD_OUT if n in names] + sorted(names - set(HELD_OUT))


def read_run(root: Path) -> RunFigures:
    """Return the figures of a run, finished or not.

    Raises: DataError where the folder holds no run, or a file of it is damaged.
    """
    folder = RunLayout(root)
    if not folder.config.exists():
        raise DataError(
            f"{root}: not a run's folder (no run.yaml). `ste run CONFIG.yaml` makes one."
        )
    report = _read_object(folder.report, "best") if folder.report.exists() else {}
    config = read_run_yaml(folder.config)
    rounds = tuple(_read_rounds(folder, len(config.training.recipe)))
    done = folder.pool / "done.json"
    best = report.get("best")
    collapse = folder.audit / "collapse.json"
    return RunFigures(
        folder=folder,
        config=config,
        pool=_read_object(done) if done.exists() else {},
        rounds=rounds,
        best=best,
        keep=report.get("keep", config.keep),
        seconds=_read_seconds(folder.events),
        compared=tuple(_compare_rounds([r for r in rounds if r.results], best)),
        findings=read_findings(folder),
        collapse=_read_object(collapse) if collapse.exists() else {},
        people=_read_people(folder.review / "agreement.json"),
        followed=tuple(read_followed(root)),
        given=_count_given(folder, config),
    )


def _count_given(folder: RunLayout, config: RunConfig) -> dict[str, int]:
    path = folder.pool / "pairs.jsonl"
    if not config.pairs.given or not path.exists():
        return {}
    pairs = (pair for pair in iter_records(path, ResponsePair) if pair.strategy == GIVEN)
    counts = Counter(split_of(pair.split_key, config) for pair in pairs)
    return {split: counts[split] for split in SPLITS if counts[split]}


def _read_rounds(folder: RunLayout, stages: int) -> list[Round]:
    numbers = sorted(
        int(path.name.removeprefix("iter-"))
        for path in folder.root.glob("iter-*")
        if path.name.removeprefix("iter-").isdecimal()
    )
    return [_read_round(folder, number, stages) for number in numbers]


def _read_round(folder: RunLayout, number: int, stages: int) -> Round:
    place = folder.iteration(number)
    results = {
        path.parent.name: _read_object(path, "overall", "n", "subsets")
        for path in place.glob("eval/*/results.json")
    }
    done = place / "done.json"
    manifests = [
        folder.iteration(number, s) / "dataset/manifest.json" for s in range(1, stages + 1)
    ]
    gates = place / "gates.json"
    return Round(
        number=number,
        folder=place,
        results={name: results[name] for name in sort_names(set(results))},
        report=read_derived_json(done, IterationReport.from_dict) if done.exists() else None,
        manifests=tuple(_read_object(path) for path in manifests if path.exists()),
        gates=_read_object(gates) if gates.exists() else {},
    )


def _read_people(path: Path) -> Results | None:
    def parse(content: Any) -> Results:
        return Results.from_dict({name: content[name] for name in Results.__struct_fields__})

    return read_derived_json(path, parse) if path.exists() else None


def _read_object(path: Path, *names: str) -> dict[str, Any]:
    """Return a JSON object. Raises: DataError where it is none, or lacks one of these names."""

    def parse(content: Any) -> dict[str, Any]:
        return {name: content[name] for name in (*names, *content.keys())}

    return read_derived_json(path, parse)


def _read_seconds(events: Path) -> dict[tuple[int | None, str], float]:
    seconds: dict[tuple[int | None, str], float] = {}
    for _, row in read_rows(events) if events.exists() else ():
        if "seconds" in row:
            key = (row.get("iteration"), str(row["stage"]))
            seconds[key] = seconds.get(key, 0.0) + float(row["seconds"])
    return seconds


def _compare_rounds(measured: list[Round], best: int | None) -> list[Compared]:
    """Hold every round against the one before, and the one that is shown against the seed."""
    if not measured or measured[0].number != 0:
        return []
    numbers = [r.number for r in measured]
    held = (best if best in numbers else None) or numbers[-1]
    wanted = dict.fromkeys([*([(0, held)] if held else []), *pairwise(numbers)])
    by_name: dict[str, list[Measured]] = {}
    for r in measured:
        for name, results in r.results.items():
            by_name.setdefault(name, []).append((r.number, r.folder / "eval" / name, results))
    return compare_rounds({name: by_name[name] for name in sort_names(set(by_name))}, wanted)
