"""Which judge of a run is meant, and which one the run ships, in words."""

from pathlib import Path

from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout


def judge_in_words(path: Path) -> str:
    """Return which judge of its run a folder stands for, and whether the run ships that one.

    `path` is a run, for the judge that it ships, or an iteration's folder; empty for anything else.
    """
    if (path / "report.json").is_file():
        return number_in_words(path, None)
    name = path.name.removeprefix("iter-")
    if path.name != name and name.isdecimal() and (path.parent / "run.yaml").is_file():
        return number_in_words(path.parent, int(name))
    return ""


def number_in_words(run: Path, number: int | None) -> str:
    """Return the same of the judge of an iteration, 0 being the seed; None is the one shipped."""
    report = RunLayout(run).report
    if not report.is_file():
        return "" if number is None else f"{judge_name(number)} (the run is not finished)"
    told = read_json(report)
    best = told["best"]
    if number not in (None, best):
        return f"{judge_name(number)} (the run ships {judge_name(best)})"
    if best:
        return f"{judge_name(best)}, which the run ships"
    trained = [each for each in told.get("iterations", ()) if each.get("number")]
    if trained and all(each.get("broken") for each in trained):
        return f"{judge_name(0)}, which the run ships, as no iteration passed its gates"
    return f"{judge_name(0)}, which the run ships, as no iteration was better"


def judge_name(number: int | None) -> str:
    """Return what sentences call the judge of an iteration; 0 is the seed."""
    return f"iteration {number}" if number else "the seed"


def judge_label(number: int) -> str:
    """Return what tables and keys call it: without the article."""
    return judge_name(number).removeprefix("the ")


def folder_name(model: str) -> str:
    """Return what the folder of a judge's figures is called: what tells it from other judges.

    >>> folder_name("runs/mine/iter-02/model/merged")
    'mine-iter-02'
    """
    parts = [part for part in Path(model).parts if part not in ("model", "merged", "/", "..")]
    first = max(len(parts) - 1, 0)
    while first and parts[first].startswith(("iter-", "stage-")):
        first -= 1
    return "-".join(parts[first:]) or "judge"
