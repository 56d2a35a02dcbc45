"""`ste eval` with the backend `decisions`: likelihoods of letters from a server, and no text."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command import ste
from tests.helpers.decision_server import decision_server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_hosts")]


def by_fruit(text: str) -> tuple[float, float]:
    """Prefer fruit, first or second."""
    first = text.partition("[Answer A]")[2].partition("[Answer B]")[0]
    return (0.9 if "apple" in first else 0.2), 1.0


def pairs(path: Path, count: int = 4) -> Path:
    texts = {"subset": "s", "prompt": "Name a fruit.", "chosen": "An apple."}
    rows = [texts | {"id": f"p{i}", "rejected": f"Spade {i}."} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def measured(folder: Path, base_url: str, form: str) -> subprocess.CompletedProcess[str]:
    options = {
        "--model": "tiny",
        "--backend": "decisions",
        "--model-args": f"base_url={base_url}",
        "--data": str(pairs(folder / "pairs.jsonl")),
        "--format": form,
        "--out": "out",
    }
    return ste("eval", *(part for option in options.items() for part in option), cwd=folder)


def test_a_judge_is_measured_by_two_requests_a_pair(tmp_path):
    with decision_server(prefers=by_fruit) as server:
        done = measured(tmp_path, server.base_url, "decision")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.bodies) == 8
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["overall"]["acc_pc"] == 1.0
    assert results["settings"]["mode"] == "likelier"


def test_a_format_that_reasons_is_refused_with_the_one_to_use(tmp_path):
    with decision_server() as server:
        done = measured(tmp_path, server.base_url, "brief")
    assert done.returncode != 0
    assert "writes no text" in done.stderr
    assert "decision (STE_JUDGE_FORMAT" in done.stderr
    assert server.bodies == []
