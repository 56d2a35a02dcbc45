"""Killing runs until so many kills have fallen, and saying where they fell and what they broke."""

import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ste_plugin.run.status import read_status

from .outcome import asked, differences, faults_in_asking, outputs
from .processes import Started
from .scene import Scene

KINDS = {"group": 4, "machine": 2, "host": 1, "SIGTERM": 1, "SIGINT": 1}
"""Kind of end → weight: the run's process group with SIGKILL, everything at once, a host alone, and
the signals that ask."""
SOON_S = 5.0
_NUMBER = re.compile(r"iteration \d+(, \S+:)? ?")


@dataclass
class Tally:
    """What happened."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind of end, stage in which it fell) → how often."""
    runs: int = 0
    """Runs that were finished, each killed on the way."""
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    """From SIGTERM or SIGINT to the end of `ste`."""

    @property
    def kills(self) -> int:
        """How often a run was ended."""
        return sum(self.ends.values())


class Soak:
    """Kills runs of one scene and compares each, when it is done, with one that nobody killed."""

    def __init__(
        self, scene: Scene, seed: int, a_run: float, say: Callable[[str], None] = print
    ) -> None:
        """`a_run`: how many kills a run gets on average."""
        self.scene, self.chance, self.say = scene, random.Random(seed), say
        self.tally = Tally()
        whole_s = self._unharmed()
        self.expected, self.asked = outputs(scene.run), asked(scene)
        self.idle_s = self._unharmed()  # all is done: this is what starting takes
        self.mean_s = max(whole_s - self.idle_s, 0.1) / a_run
        self.clear()

    def _unharmed(self) -> float:
        """Return the seconds that a start takes which nobody kills."""
        started = Started(self.scene)
        started.wait()
        if started.process.returncode:
            raise RuntimeError(f"the run fails even if nobody kills it:\n{started.said}")
        return time.monotonic() - started.began

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.scene.run)
        self.scene.asked.unlink()

    def go(self, kills: int, until: float = float("inf")) -> Tally:
        """Return the tally after at least so many kills, or after the first run that ends past
        `until`."""
        while self.tally.kills < kills and time.monotonic() < until:
            self.one_run()
            self.clear()
        return self.tally

    def one_run(self) -> None:
        """Bring one run to its end, killing it on the way, and check what came of it."""
        before, self.tally.runs = self.tally.kills, self.tally.runs + 1
        while not self.one_start():
            pass
        kills = self.tally.kills - before
        wrong = differences(outputs(self.scene.run), self.expected)
        wrong += faults_in_asking(self.scene, self.asked)
        self.say(f"run {self.tally.runs}: {kills} kills, {self.tally.kills} in all")
        for what in wrong:
            self._fault(what)

    def one_start(self) -> bool:
        """Start or resume the run, and end it at a random moment; return whether it was done
        before."""
        started = Started(self.scene)
        # exponential: long enough now and then for the longest stage, wherever the last kill fell
        starting_s = self.idle_s * self.chance.choice((0, 0.6, 0.8, 1))
        if started.wait(starting_s + self.chance.expovariate(1 / self.mean_s)):
            return self._ended(started)
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        stage = stage_of(self.scene)
        if kind == "host" and not started.hosts:
            kind = "group"
        if self._end(started, kind):
            self.tally.ends[kind, stage] += 1
        return False

    def _ended(self, started: Started) -> bool:
        if started.process.returncode == 0:
            return True
        self._fault(
            f"ended by itself, exit code {started.process.returncode}:\n{started.said[-2000:]}"
        )
        raise RuntimeError(self.tally.faults[-1])

    def _end(self, started: Started, kind: str) -> bool:
        """End a start in one of the ways, and check how it ended; return whether it was still
        there."""
        if kind.startswith("SIG"):
            return self._ask(started, signal.Signals[kind])
        if kind == "host":
            return self._kill_host(started)
        if kind == "group":
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            if not started.gone():
                self._fault(f"a host outlived its run: {len(started.alive)} processes")
        started.kill_all()
        return started.process.returncode == -signal.SIGKILL

    def _kill_host(self, started: Started) -> bool:
        """Kill axolotl or lm-eval alone: the run must end by itself, with an error that says so."""
        pid = self.chance.choice(started.hosts or [0])
        with suppress(ProcessLookupError):
            os.kill(pid or started.pid, signal.SIGKILL)
        started.wait(60)
        if "Traceback" in started.said:
            self._fault(f"a traceback where a host was killed:\n{started.said[-2000:]}")
        started.kill_all()
        return started.process.returncode != 0

    def _ask(self, started: Started, number: signal.Signals) -> bool:
        """Send SIGTERM or SIGINT: it must end soon, in its own words, and leave nothing running."""
        listens, began = started.listens, time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(started.pid, number)
        started.wait(60)
        took, code = time.monotonic() - began, started.process.returncode
        if listens and code != 0:
            self.tally.slowest_s = max(self.tally.slowest_s, took)
            if took > SOON_S or code != 128 + number:
                self._fault(f"{number.name}: exit code {code} after {took:.1f} s")
            if "Run the same command again" not in started.said or "Traceback" in started.said:
                self._fault(f"{number.name}: it said:\n{started.said[-2000:]}")
        if not started.gone():
            self._fault(f"{number.name}: {len(started.alive)} processes outlived the run")
        started.kill_all()
        return code != 0

    def _fault(self, told: str) -> None:
        self.tally.faults.append(f"fault in run {self.tally.runs}: {told}")
        self.say(self.tally.faults[-1])


def stage_of(scene: Scene) -> str:
    """Return what the run was doing, as `ste status` would say, without numbers."""
    if not (scene.run / "run.yaml").exists():
        return "start"
    coming = str(read_status(scene.run)["next"]).split(" (run")[0]
    return _NUMBER.sub("", coming).replace("nothing: the run is complete", "report")
