"""A farm that answers files of requests, by the script of a chat server."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ste_plugin.run.export_requests import ExportedWave, FileLimits, export_requests
from ste_plugin.run.import_completions import ImportedAnswers, import_completions
from ste_plugin.run.open_run import open_run
from tests.helpers.chat_server import ChatServer, Script
from tests.helpers.said_runs import says

Row = dict[str, Any]


def requests_in(folder: Path) -> list[Row]:
    """Return the lines of a wave's files, in order."""
    files = sorted(folder.glob("requests-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def answer(request: Row, script: Script, **server: Any) -> Row:
    """Return the line that answers a request."""
    body = ChatServer(script, **server).reply(request["body"])
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def refusal(request: Row, status: int, message: str) -> Row:
    """Return the line that says that a request has failed."""
    body = {"error": {"message": message}}
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


def write(path: Path, rows: list[Row]) -> Path:
    """Write lines to a file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answered_in_parts(
    folder: Path, script: Script, parts: int = 3, fails: Callable[[Row], bool] = lambda _: False
) -> list[Path]:
    """Answer a wave's files in parts and in no order; some fail."""
    rows = [
        refusal(r, 500, "out of memory") if fails(r) else answer(r, script)
        for r in requests_in(folder)
    ]
    random.Random(0).shuffle(rows)
    return [write(folder / f"answers-{n}.jsonl", rows[n::parts]) for n in range(parts)]


def exported(path: Path, folder: Path, **limits: int) -> ExportedWave:
    """Write a run's next wave."""
    with open_run(path, [], quiet=True) as context:
        return export_requests(context, folder, FileLimits(**limits))


def imported(path: Path, files: list[Path]) -> ImportedAnswers:
    """Take answers into a run."""
    with open_run(path, [], quiet=True) as context:
        return import_completions(context, files)


def by_files(
    path: Path, answered: Callable[[Path, Script], list[Path]] = answered_in_parts
) -> list[str]:
    """Make a data set by batch files alone; return the stages of its waves."""
    waves = []
    for number in range(60):
        folder = path.parent / f"wave-{number}"
        if not (wave := exported(path, folder)).files:
            return waves
        waves.append(wave.stage)
        imported(path, answered(folder, says))
    raise AssertionError("there is no end of waves")


def of_two_choices(folder: Path, script: Script) -> list[Path]:
    """The answers of a service that gives at most two samples a line."""
    rows = [answer(row, script, most_choices=2) for row in requests_in(folder)]
    return [write(folder / "answers.jsonl", rows)]
