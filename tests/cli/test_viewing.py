"""The command `ste view`."""

import re
import signal
import socket
import subprocess
import sys

import httpx

from tests.helpers import environment
from tests.helpers import viewed_runs as runs
from tests.helpers.command import ste


def test_it_prints_a_link_to_the_pages_and_ends_by_ctrl_c(tmp_path):
    runs.write_run(tmp_path / "run")
    command = [sys.executable, "-m", "ste_plugin", "view", "run", "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    ) as process:
        assert process.stdout.readline() == "run: making the index, once …\n"
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        with httpx.Client(follow_redirects=True) as client:
            assert "40 judged pairs" in client.get(url).text
            assert client.get(url.partition("?")[0] + "static/view.js").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        *(".view", "iter-00", "iter-01", "iter-02", "pool", "run.yaml")
    ]


def test_a_port_in_use_is_told(tmp_path):
    runs.write_run(tmp_path / "run")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = ste("view", "run", "--no-browser", "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert f"--port {port}: the port is in use." in done.stderr


def test_logs_for_inspect_are_written_folder_by_folder(tmp_path):
    pairs = runs.write_run(tmp_path / "run")
    runs.write_evaluation(tmp_path / "evals/big/test", dict.fromkeys(pairs[8:], "AB"))
    done = ste("view", "run", "evals", "--export-inspect", "logs", cwd=tmp_path)
    assert done.returncode == 0
    written = sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "logs").rglob("*.eval"))
    assert written[:1] == ["logs/1-run/iter-00-test.eval"]
    assert written[-1:] == ["logs/2-evals/big-test.eval"]
    assert "Wrote logs/2-evals/big-test.eval" in done.stdout
