"""A run that is killed, stopped or started twice goes on to the same bytes, and nothing is paid for
twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ste_plugin.hosts import subprocess_guard
from tests.survival.soak.killing import SOON_S, Soak
from tests.survival.soak.outcome import asked, differences, faults_in_asking, outputs
from tests.survival.soak.processes import ORPHANS_S, Started
from tests.survival.soak.scene import Scene, fake_seed

STUBBORN = """\
import signal, subprocess, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "-c" in sys.argv:
    print("STE []" if "STE" in " ".join(sys.argv) else '"1.0"')
else:
    Path("training").write_text("")
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    time.sleep(600)
"""
BUSY = """
import hashlib
from pathlib import Path
from ste_plugin.hookspecs import hookimpl

class Engine:
    def complete(self, requests):
        Path("training").write_text("")
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # no Python runs meanwhile, so no handler
        does
        yield from ()

    def close(self):
        return

def create(model, place):
    return Engine()

@hookimpl
def ste_engines():
    return {"steady": "hooks:create"}
"""

IN_A_SESSION_OF_ITS_OWN = """
import subprocess, sys
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(child.pid, flush=True)
"""

KILLED_AT_THE_END = """
import os, signal
from pathlib import Path
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_iteration_finished(report):
    begun = Path(f"begun-{report.number}")
    if not begun.exists():
        begun.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path(f"heard-{report.number}").touch()
"""


@pytest.fixture
def scene(tmp_path):
    return Scene(
        tmp_path / "scene", fake_seed(tmp_path / "seed"), stubs=True, iterations=1, small=True
    )


def finished(scene: Scene) -> dict[str, str]:
    """Bring a run to its end, and return what it made."""
    started = Started(scene)
    started.wait()
    assert started.process.returncode == 0, started.said[-2000:]
    return outputs(scene.run)


def appeared(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert path.exists()


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(scene):
    """Trainings and evaluations are programs of the tests here, which take no time."""
    tally = Soak(scene, seed=11, a_run=3).go(kills=3)
    assert tally.faults == []
    assert tally.kills >= 3


@pytest.mark.slow
def test_a_run_killed_while_it_asks_pays_again_for_what_was_in_flight_alone(scene):
    for answers in (40, 120):
        started = Started(scene)
        while not scene.asked.exists() or len(scene.asked.read_bytes().splitlines()) < answers:
            assert not started.wait(0.01), started.said
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    finished(scene)
    assert len({line.split()[1] for line in scene.asked.read_text().splitlines()}) == 3
    assert faults_in_asking(scene, asked(scene)) == []


def test_whoever_waits_for_an_iteration_hears_of_it_though_the_run_was_killed_at_its_end(scene):
    hooks = scene.folder / "hooks.py"
    hooks.write_text(hooks.read_text() + KILLED_AT_THE_END)
    for _ in range(2):
        started = Started(scene)
        started.wait()
        assert started.process.returncode == -signal.SIGKILL, started.said
    finished(scene)
    assert sorted(path.name for path in scene.folder.glob("heard-*")) == ["heard-0", "heard-1"]


def stubborn_host(scene: Scene) -> None:
    """Let training be a program, with a child, that does not end when asked."""
    python = scene.folder / "stubborn-python"
    python.write_text(f"#!{sys.executable}\n{STUBBORN}")
    python.chmod(0o755)
    scene.config["hosts"] = {"train": {"python": str(python)}}
    scene.write()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "number"),
    [("asking", signal.SIGINT), ("training", signal.SIGTERM), ("asking", signal.SIGHUP)],
)
def test_a_signal_ends_a_run_soon_with_nothing_left_running_and_says_how_to_go_on(
    scene, number, where
):
    if where == "training":
        stubborn_host(scene)
    else:
        scene.config["generator"]["options"]["pause_s"] = 600
        scene.write()
    started = Started(scene)
    appeared(scene.folder / "training" if where == "training" else scene.asked)
    os.kill(started.pid, number)
    assert started.wait(SOON_S)
    assert started.process.returncode == 128 + number
    assert started.said.splitlines()[-1] == (
        "ste: stopped. Run the same command again to resume: what is done is kept."
    )
    assert "Traceback" not in started.said
    assert started.gone()


def test_a_signal_ends_even_a_run_that_is_deep_in_a_long_call(scene):
    (scene.folder / "hooks.py").write_text(BUSY)
    started = Started(scene)
    appeared(scene.folder / "training")
    os.kill(started.pid, signal.SIGTERM)
    assert started.wait(SOON_S)
    assert started.process.returncode == 143
    assert "Run the same command again" in started.said
    assert started.gone()


def test_a_run_started_with_nohup_goes_on_when_the_terminal_closes(scene):
    scene.hears_hanging_up = False
    started = Started(scene)
    appeared(scene.asked)
    os.kill(started.pid, signal.SIGHUP)
    assert started.wait(120)
    assert started.process.returncode == 0, started.said


def test_a_training_does_not_outlive_a_run_that_is_killed(scene):
    stubborn_host(scene)
    started = Started(scene)
    appeared(scene.folder / "training")
    assert started.hosts
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert started.gone()


def test_a_command_does_not_outlive_a_guard_that_is_killed_alone():
    guarded = subprocess_guard.start(["sleep", "600"])
    children = Path(f"/proc/{guarded.pid}/task/{guarded.pid}/children")
    while not (command := children.read_text().strip()):
        time.sleep(0.01)
    is_sleep = Path(f"/proc/{command}/comm")
    while is_sleep.read_text() != "sleep\n":
        time.sleep(0.01)
    os.kill(guarded.pid, signal.SIGKILL)
    guarded.wait()
    until = time.monotonic() + ORPHANS_S
    while is_alive(command) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(command)


def guarded_orphan(then: str) -> tuple["subprocess.Popen[bytes]", str]:
    """A guard whose command has started a process outside its group, and that process's id."""
    command = [sys.executable, "-c", IN_A_SESSION_OF_ITS_OWN + then]
    guarded = subprocess_guard.start(command, stdout=subprocess.PIPE)
    return guarded, guarded.stdout.readline().decode().strip()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who gets orphans")
@pytest.mark.parametrize(
    ("then", "end"),
    [
        ("child.wait()", subprocess_guard.end),
        ("child.wait()", lambda guarded: guarded.stdin.close()),  # as where its parent is killed
        ("sys.exit(1)", lambda _: None),
    ],
    ids=["asked to end", "left by its parent", "failed"],
)
def test_what_left_a_commands_group_ends_with_it_as_do_the_ranks_of_torchrun(then, end):
    guarded, orphan = guarded_orphan(then)
    end(guarded)
    guarded.wait()
    assert not is_alive(orphan)


def test_what_a_command_that_ended_well_leaves_in_a_session_of_its_own_goes_on():
    guarded, orphan = guarded_orphan("sys.exit(0)")
    assert guarded.wait() == 0
    assert is_alive(orphan)
    os.kill(int(orphan), signal.SIGKILL)


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_second_run_on_one_folder_is_refused_and_harms_nothing(scene):
    # to know what is left of it, completions are read
    scene.config["budget"] = {"max_tokens_total": 10**9}
    scene.config["generator"]["options"]["pause_s"] = 0.2
    scene.write()
    first = Started(scene)
    appeared(scene.asked)
    refused = 0
    while not first.ended and refused < 3:
        second = subprocess.run(
            scene.command, cwd=scene.folder, env=scene.environment(), capture_output=True, text=True
        )
        if second.returncode:
            refused += 1
            assert second.returncode == 2
            assert "another ste process works on this run" in second.stderr
            assert "Traceback" not in second.stderr
    assert refused
    first.wait()
    assert first.process.returncode == 0, first.said
    assert max(asked(scene).values()) == 1


@pytest.mark.slow
def test_a_clock_that_jumps_back_changes_nothing(scene):
    scene.config["budget"] = {"max_minutes": 30}
    scene.write()
    expected = finished(scene)
    first = asked(scene)
    in_a_year = time.time() + 365 * 86_400
    for path in scene.run.rglob("*"):
        os.utime(path, (in_a_year, in_a_year))
        if path.parent.name == "lm-eval":  # its files are named by the time
            path.rename(path.with_name(path.name.replace("_20", "_29", 1)))
    events = scene.run / "events.jsonl"
    events.write_text(events.read_text().replace('"at":"20', '"at":"29'))
    for name in (
        "report.json",
        "iter-00/done.json",
        "iter-00/eval/dev/results.json",
        "iter-01/done.json",
    ):
        (scene.run / name).unlink()
    assert differences(finished(scene), expected) == []
    assert asked(scene) == first
