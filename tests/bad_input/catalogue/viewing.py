"""Folders that there is nothing to look at in."""

from tests.bad_input.catalogue.row import Row, run_with, started

ROWS = [
    Row(
        "to look at a folder that is not there",
        {},
        "ste view runs/first",
        3,
        "runs/first: no such folder. Expected a run, or what `ste eval` wrote.",
    ),
    Row(
        "to look at a folder that is no run",
        {"notes": None},
        "ste view notes",
        3,
        "notes: expected a run (run.yaml), or what `ste eval` wrote (judged.jsonl), and found "
        "neither. Name the folder that holds one of them.",
    ),
    Row(
        "to look at a run in which nothing was judged yet",
        run_with() | started(),
        "ste view ste.yaml",
        3,
        "{tmp}/run: nothing was judged there yet: no iteration has judgments.jsonl or an "
        "evaluation. Wait for `ste run`; `ste status` says how far it is.",
    ),
    Row(
        "to look at a file that is no YAML",
        {"judgments.jsonl": ""},
        "ste view judgments.jsonl",
        2,
        "judgments.jsonl: expected a run's folder or YAML, found another file.",
    ),
]
