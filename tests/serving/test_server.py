"""The command that serves a judge: who may ask, and how it ends."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.serving import server
from tests.helpers import ROOT
from tests.helpers.served_judges import wait_until

PAIR = {"prompt": "Name a fruit.", "a": "An apple.", "b": "A spade."}


@contextmanager
def asked(folder):
    """The command, asked for a comparison that it works on; its answer comes to the list."""
    command = [sys.executable, "-m", "ste_plugin", "judge", "m", "--serve", "--port", "0"]
    command += ["--engine", "held", "--format", "brief"]
    command += ["--plugin", str(ROOT / "tests/helpers/held_engine.py")]
    env = os.environ | {"PYTHONPATH": str(ROOT), "STE_JUDGE_KEY": ""}
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    url = ""
    while not url:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        url = "".join(re.findall(r"Judging at (http://127.0.0.1:\d+) ", line))
    answers = []

    def ask():
        try:
            answers.append(httpx.post(f"{url}/v1/compare", json=PAIR, timeout=120))
        except httpx.HTTPError as error:
            answers.append(error)

    asking = Thread(target=ask)
    asking.start()
    wait_until((folder / "began").exists)
    try:
        yield process, url, answers
    finally:
        process.kill()
        process.communicate()
        asking.join(120)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_well_once_what_it_took_is_answered(tmp_path, number):
    with asked(tmp_path) as (process, url, answers):
        process.send_signal(number)
        wait_until(lambda: refuses(url))
        (tmp_path / "go on").touch()
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        wait_until(lambda: answers)
    assert [answer.json()["abstained"] for answer in answers] == ["orders differ"]


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(tmp_path):
    with asked(tmp_path) as (process, url, answers):
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(url))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        wait_until(lambda: answers)
    assert process.returncode == 1
    assert not any(isinstance(a, httpx.Response) and a.status_code == 200 for a in answers)


def refuses(url):
    try:
        return httpx.get(f"{url}/health").status_code == 503
    except httpx.ConnectError:
        return True


def test_others_than_this_machine_need_a_key(monkeypatch):
    monkeypatch.delenv(server.KEY, raising=False)
    with pytest.raises(ConfigError, match=r"--host 0\.0\.0\.0: other machines could ask without"):
        server.read_key("0.0.0.0")
    assert server.read_key("127.0.0.1") == ""
    monkeypatch.setenv(server.KEY, "a-key")
    assert server.read_key("0.0.0.0") == "a-key"
    monkeypatch.setenv(server.KEY, "two words")
    with pytest.raises(ConfigError, match="its value holds spaces") as error:
        server.read_key("127.0.0.1")
    assert "two words" not in str(error.value)


def test_a_host_that_is_none_of_this_machine_is_named():
    with pytest.raises(ConfigError, match=r"--host 203\.0\.113\.7: no address of this machine"):
        server.bind(0, "203.0.113.7")
