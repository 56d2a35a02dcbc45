"""What ships beside the package: recipes, lm-eval tasks with their benchmarks, and figures."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docs.generate.markdown import code, sentence, table
from ste_plugin.fitting.catalogue import list_recipes
from ste_plugin.lm_eval_tasks import metrics
from ste_plugin.lm_eval_tasks.authors import AUTHORS
from ste_plugin.lm_eval_tasks.benchmarks import BENCHMARKS
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2
from ste_plugin.lm_eval_tasks.calibration_figure import ECE, CalibrationFigure
from ste_plugin.lm_eval_tasks.odds_metrics import OF_ODDS
from ste_plugin.storage.resources import shipped_folder

_HEAD = re.compile(r"^# (\w+): (.+)$", re.MULTILINE)
_GPUS = re.compile(r"\((\d+(?:x\d+)+)\)")
_GB = re.compile(r"calculated by `ste recipes fit`: ([\d.]+) GB")


def recipes() -> str:
    """Return a table of the recipes by name."""
    rows = []
    for name, purpose, path in list_recipes([shipped_folder("recipes")]):
        needs = head_of(path)["needs"]
        gpus, gb = _GPUS.findall(needs), _GB.findall(needs)
        rows.append((f"[{code(name)}](#{name})", purpose, *(gpus or ["none"]), *(gb or [""])))
    return table(("recipe", "trains", "GPUs", "GB per GPU, calculated"), rows)


def recipe_sections() -> str:
    """Return a section for each recipe: what it trains, its command, its needs, its sources."""
    return "\n\n".join(
        _section(name, path) for name, _, path in list_recipes([shipped_folder("recipes")])
    )


def _section(name: str, path: Path) -> str:
    head = head_of(path)
    command = re.sub(r"axolotl train.*", lambda found: code(found[0]), head["command"])
    told = (f"Command: {command}", f"Needs: {head['needs']}", f"Source: {head['source']}")
    return f"### {name}\n\nTrains {head['purpose']}.\n\n" + "\n".join(f"- {t}" for t in told)


def head_of(path: Path) -> dict[str, str]:
    """Return what the comments at the top of a recipe say: purpose, command, needs, source."""
    comments = path.read_text(encoding="utf-8").split("\nbase_model:")[0]
    return dict(_HEAD.findall(comments))


def tasks() -> str:
    """Return a table of the tasks by name, with the groups that run several of them."""
    return table(("task", "what is judged", "in the group"), _tasks())


def _tasks() -> Iterator[tuple[str, str, str]]:
    for path in sorted(shipped_folder("tasks").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        said = re.match(r"(?:# .+\n)+", text)
        group = re.search(r"^tag: \[(\w+)\]$", text, re.MULTILINE)
        told = re.sub(r"^# ", "", said[0], flags=re.MULTILINE) if said else ""
        yield code(path.stem), told, code(group[1]) if group else ""


def benchmarks() -> str:
    """Return a table of the public benchmarks: where they are, their columns and sections."""
    rows = [
        (
            code(b.name),
            code(b.hub),
            f"{b.rows:,}" if b.rows else "",
            ", ".join(map(code, b.columns)),
            ", ".join(b.sections),
        )
        for b in (*BENCHMARKS.values(), REWARDBENCH2)
        if b.hub
    ]
    return table(("benchmark", "on the hub", "rows", "columns of a local file", "sections"), rows)


def figures() -> str:
    """Return a table of the figures of pair tasks, by the tasks that report them."""
    votes = metrics.of_votes(2)
    means = metrics.of_votes(2, pointwise=True)
    by_votes = {"vote_entropy": votes["vote_entropy"], "maj@j": votes["maj@2"]}
    groups = (
        ("every pair task", metrics.METRICS),
        ("pairs that people voted on", metrics.OF_PEOPLE),
        (
            "letters' likelihoods: mode `likelier`, or `STE_JUDGE_FORCE`",
            {**OF_ODDS, ECE: CalibrationFigure},
        ),
        ("votes: `STE_JUDGE_VOTES` above 1", by_votes),
        ("votes in a format that rates each answer", {"mean@j": means["mean@2"]}),
    )
    rows = [
        (code(name), sentence(_doc(metric)), _direction(name), where)
        for where, found in groups
        for name, metric in found.items()
    ]
    return table(("figure", "meaning", "better", "reported for"), rows)


def authors() -> str:
    """Return a table of the figures that benchmarks' authors compute otherwise."""
    rows = []
    for benchmark, found in AUTHORS.items():
        names = ", ".join(map(code, found.figures))
        rows.append((code(benchmark), names, f"{found.told} Source: {found.source}."))
    return table(("benchmark", "figures `authors/…`", "as its authors compute them"), rows)


def _doc(metric: Callable[..., object]) -> str:
    return getattr(metric, "func", metric).__doc__ or ""  # `maj@j` is a partial


def _direction(name: str) -> str:
    return "higher" if metrics.higher_is_better(name) else ""


BLOCKS: dict[str, Callable[[], str]] = {
    "recipes": recipes,
    "recipe-sections": recipe_sections,
    "tasks": tasks,
    "benchmarks": benchmarks,
    "figures": figures,
    "authors": authors,
}
