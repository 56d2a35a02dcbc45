"""Replicas, machines and the driver are killed amid 10,000 requests: nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ste_plugin.engines import Place
from tests.helpers import ROOT
from tests.helpers.ray_cluster import SMALL, on_cluster, ray_cluster
from tests.helpers.ray_driver import AT_ONCE, COUNT, requests, waiting
from tests.helpers.waiting_engine import asked

pytestmark = pytest.mark.slow

MAX_IN_FLIGHT = 2 * AT_ONCE + 64
"""Requests that one replica may hold: those that it works on, those that wait, a group more."""


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster() as cluster:
        yield cluster


def wait_for(condition: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def times_asked(log: Path) -> Counter[str]:
    return Counter(key for keys in asked(log).values() for key in keys)


def asked_again(log: Path) -> int:
    """Return how often any request was asked beyond the first time."""
    times = times_asked(log)
    return sum(times.values()) - len(times)


def test_the_requests_of_a_killed_replica_are_asked_again_elsewhere(cluster, tmp_path):
    wanted, told = requests(), []
    place = Place(Path(), Path(), say=told.append)
    with closing(on_cluster(cluster, place=place, **waiting(tmp_path))) as engine:
        coming = engine.complete(wanted)
        got = [next(coming) for _ in range(1000)]
        # who reads nothing gives nothing to a replica that comes late, nor keeps one at work
        wait_for(lambda: next_and_count(coming, got) and len(asked(tmp_path)) == 2)
        undisturbed, killed = asked(tmp_path)
        os.kill(killed, signal.SIGKILL)
        got += coming
    assert Counter(c.key for c in got) == Counter(r.key for r in wanted)
    assert 0 < asked_again(tmp_path) <= MAX_IN_FLIGHT
    assert set(Counter(asked(tmp_path)[undisturbed]).values()) == {1}
    assert [line for line in told if "a replica was lost" in line]


def test_the_requests_of_a_lost_machine_are_asked_again_and_a_new_one_is_used(cluster, tmp_path):
    wanted = requests()
    machine = cluster.add_node(**SMALL)
    with closing(on_cluster(cluster, replicas=3, **waiting(tmp_path))) as engine:
        coming = engine.complete(wanted)
        got = [next(coming) for _ in range(1000)]
        wait_for(lambda: next_and_count(coming, got) and len(asked(tmp_path)) == 3)
        cluster.remove_node(machine, allow_graceful=False)
        added = cluster.add_node(**SMALL)
        wait_for(lambda: next_and_count(coming, got) and len(asked(tmp_path)) == 4)
        got += coming
    cluster.remove_node(added)
    assert Counter(c.key for c in got) == Counter(r.key for r in wanted)
    assert 0 < asked_again(tmp_path) <= MAX_IN_FLIGHT


def next_and_count(coming, got: list) -> bool:
    """Read one completion more; fail where there is none left."""
    got.append(next(coming))
    return True


def test_a_killed_driver_goes_on_where_it_was(cluster, tmp_path):
    log, file = tmp_path / "log", tmp_path / "completions.jsonl"
    log.mkdir()
    command = [sys.executable, "-m", "tests.helpers.ray_driver", cluster.address, file, log]
    first = subprocess.Popen([str(word) for word in command], cwd=ROOT)
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") > 2000)
    first.kill()
    first.wait()
    stored = keys(file)[:-1]  # the last line may be torn
    assert 2000 <= len(stored) < COUNT
    subprocess.run([str(word) for word in command], cwd=ROOT, check=True, timeout=300)
    assert Counter(keys(file)) == Counter(r.key for r in requests())
    assert {times_asked(log)[key] for key in stored} == {1}


def keys(file: Path) -> list[str]:
    """Return the keys of the completions in a file, in its order."""
    return [line.split(b'"', 4)[3].decode() for line in file.read_bytes().splitlines() if line]
