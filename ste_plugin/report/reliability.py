"""Reliability diagrams: how often judges of letters are right, beside how sure they are."""

from collections.abc import Sequence
from pathlib import Path

from ste_plugin.judging.calibration import (
    BINS,
    Bin,
    Quality,
    quality,
    reliability,
    temperature_of,
)
from ste_plugin.lm_eval_tasks.bootstrap import prompt_key
from ste_plugin.lm_eval_tasks.judged_file import JUDGED, from_row
from ste_plugin.lm_eval_tasks.odds_metrics import brier, margins_of
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval
from ste_plugin.report.parts import (
    Cell,
    Column,
    Details,
    Estimate,
    Mark,
    Paragraph,
    Part,
    Strip,
    Table,
)
from ste_plugin.report.read_run import Round, RunFigures
from ste_plugin.storage.jsonl import read_rows
from ste_plugin.storage.training_manifest import read_training_manifest

_WHAT = (
    "Of judgments that are sure by 80% four in five should be right: both dots of a row are then "
    "one below the other. `brier` and `ece` are of probabilities as the model gives them."
)


def reliability_parts(run: RunFigures, shown: Round, name: str) -> list[Part]:
    """Return the diagram of a round's probabilities on these pairs; none where none were measured.

    Where the round's judge is calibrated there is a second one, after its temperature.
    Raises: DataError where a file of the run is damaged; ConfigError as `temperature_of`.
    """
    results = shown.results.get(name, {})
    if results.get("overall", {}).get(brier.__name__) is None:
        return []
    by_prompt = _margins(shown.folder / "eval" / name / JUDGED)
    margins = [margin for of_prompt in by_prompt for margin in of_prompt]
    if not margins:
        return []
    temperature = _temperature(run, shown, str(results.get("judge_format")))
    before = quality(margins)
    parts: list[Part] = [Paragraph(_WHAT), _diagram(f"{name}, as the model gives them", by_prompt)]
    if temperature != 1:
        after = quality(margins, temperature)
        scaled = [[m / temperature for m in of_prompt] for of_prompt in by_prompt]
        parts += [
            Paragraph(_calibrated(name, temperature, before, after)),
            _diagram(f"{name}, at the temperature {temperature:g}", scaled),
        ]
    return [Details(f"How sure {shown.name} is on {name}, and how often right", parts)]


def _margins(path: Path) -> list[list[float]]:
    """Return the log-odds of the right letter against the wrong one, by prompt."""
    pairs = (from_row(row) for _, row in read_rows(path)) if path.is_file() else ()
    by_prompt: dict[str, list[float]] = {}
    for pair in pairs:
        if pair.fits and (margins := margins_of(pair)):
            by_prompt.setdefault(prompt_key(pair.prompt), []).extend(margins)
    return list(by_prompt.values())


def _temperature(run: RunFigures, shown: Round, judge_format: str) -> float:
    """Return what the judge of a round was calibrated by in this format; 1 where it was not."""
    if shown.number == 0:
        return 1.0
    output = run.folder.iteration(shown.number, len(run.config.training.recipe)) / "model"
    manifest = read_training_manifest(output)
    return temperature_of(output / manifest["final"], judge_format) if manifest else 1.0


def _calibrated(name: str, temperature: float, before: Quality, after: Quality) -> str:
    fitted = ", on which it was fitted" if name == "dev" else ""
    return (
        f"`Judge` divides this judge's log-odds by the temperature {temperature:g}. On these "
        f"pairs{fitted} that takes the Brier score from {before.brier:.3f} to {after.brier:.3f}, "
        f"and the expected calibration error from {before.ece:.3f} to {after.ece:.3f}."
    )


def _diagram(caption: str, by_prompt: Sequence[Sequence[float]]) -> Table:
    """Return a row per bin that holds a judgment; intervals are over prompts."""
    bins = reliability([margin for margins in by_prompt for margin in margins])
    rows: list[list[Cell]] = [
        [
            f"{0.5 + at / (2 * BINS):.0%} to {0.5 + (at + 1) / (2 * BINS):.0%}",
            _strip(found, accuracy := _accuracy(at, found, by_prompt)),
            found.confidence,
            accuracy,
            found.judgments,
        ]
        for at, found in enumerate(bins)
        if found.judgments
    ]
    columns = [
        Column("how sure"),
        Column("right, and sure", "plot"),
        Column("mean sureness", "number"),
        Column("right", "number"),
        Column("judgments", "number"),
    ]
    return Table(columns, rows, f"{caption}.")


def _accuracy(at: int, found: Bin, by_prompt: Sequence[Sequence[float]]) -> Estimate:
    inside = (reliability(margins)[at] for margins in by_prompt)
    clusters = [(b.accuracy * b.judgments, float(b.judgments)) for b in inside if b.judgments]
    return Estimate(found.accuracy, clustered_interval(clusters))


def _strip(found: Bin, accuracy: Estimate) -> Strip:
    sure = Mark("sure", Estimate(found.confidence), faint=True)
    return Strip((sure, Mark("right", accuracy)))
