"""Our words are on the screen; what libraries print in this process is in a log."""

import os
import pty
import subprocess
import sys

import pytest

from tests.helpers import environment

BEGIN = """
import logging, os, subprocess, sys, warnings
from pathlib import Path
from ste_plugin import screen
from ste_plugin.progress import ProgressReporter

def noise():
    print("noise: print")
    warnings.warn("noise: warning")
    logging.getLogger("torchao").warning("noise: logged")
    os.write(2, b"noise: from C++\\n")
    subprocess.run(["sh", "-c", "echo noise: of a child"])

log = Path("libraries.log")
"""
KINDS = ("print", "warning", "logged", "from C++", "of a child")


@pytest.fixture
def ran(tmp_path):
    """Run code with `noise`, and return how it ended."""

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BEGIN + code]
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )

    return run


def test_what_libraries_print_is_in_the_log_whatever_way_they_print(ran, tmp_path):
    done = ran("with screen.log_libraries(log): noise()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = (tmp_path / "libraries.log").read_text()
    assert [kind for kind in KINDS if f"noise: {kind}" not in said] == []


def test_our_words_are_on_the_screen_meanwhile(ran):
    done = ran(
        "with screen.log_libraries(log):\n"
        "    noise()\n"
        "    print('result', file=screen.stdout())\n"
        "    ProgressReporter(Path('events.jsonl')).say('progress')\n"
        "    logging.getLogger('ste_plugin.engines').warning('our warning')\n"
    )
    assert (done.stdout, done.stderr) == ("result\n", "progress\nour warning\n")


def test_everything_is_on_the_screen_again_after_the_block(ran, tmp_path):
    done = ran("with screen.log_libraries(log): pass\nnoise()")
    assert [k for k in KINDS if f"noise: {k}" not in done.stdout + done.stderr] == []
    assert not (tmp_path / "libraries.log").exists()


def test_an_error_names_the_log_and_is_shown_itself(ran):
    done = ran("with screen.log_libraries(log):\n    noise()\n    raise ValueError('the cause')")
    assert done.returncode == 1
    assert done.stderr.startswith("What libraries printed is in libraries.log\nTraceback")
    assert done.stderr.endswith("ValueError: the cause\n")


def test_a_log_of_before_is_appended_to_and_not_named_for_what_it_held(ran, tmp_path):
    (tmp_path / "libraries.log").write_text("earlier\n")
    done = ran("with screen.log_libraries(log): raise ValueError('the cause')")
    assert "libraries.log" not in done.stderr
    assert (tmp_path / "libraries.log").read_text() == "earlier\n"


def test_a_crash_below_python_is_shown(ran):
    done = ran("with screen.log_libraries(log): os.abort()")
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in done.stderr


def test_a_progress_bar_on_a_terminal_does_not_lead_libraries_back_to_it(tmp_path):
    code = (
        "with screen.log_libraries(log):\n"
        "    with ProgressReporter(Path('events.jsonl')).bar('writing pairs', 2) as bar:\n"
        "        noise()\n"
        "        bar.step()\n"
    )
    here, terminal = pty.openpty()
    command = [sys.executable, "-c", BEGIN + code]
    subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdout=terminal,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    shown = os.read(here, 1 << 16).decode()
    assert "writing pairs" in shown
    assert "noise" not in shown


def test_a_command_that_a_signal_ends_says_so_on_the_screen(ran):
    done = ran(
        "import signal, time\n"
        "from ste_plugin.cli import stopping\n"
        "stopping.GRACE_S = 0.1\n"
        "stopping.handle_signals()\n"
        "with screen.log_libraries(log):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        time.sleep(60)  # what takes too long to clean up\n"
    )
    assert done.returncode == 128 + 15
    assert done.stderr.endswith("Run the same command again to resume: what is done is kept.\n")
