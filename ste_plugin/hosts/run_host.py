"""Running another program's command: its own process group, a log, a time limit, clear errors."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ste_plugin.config import ProgramConfig, ServeConfig
from ste_plugin.errors import HostError
from ste_plugin.hosts import subprocess_guard
from ste_plugin.storage.durable import make_folder
from ste_plugin.text.log_summary import summarize_failure
from ste_plugin.text.redaction import copy_redacted, redact

_BLOCK_BYTES = 1 << 16
_ANSWER_TIMEOUT_S = 600
"""How long an interpreter may take to answer: importing a host took minutes on a busy machine."""
_MAX_OUTPUT = 300
_UNKNOWN = "unknown"
"""The version of a module that lies on the path without having been installed."""
_PRELUDE = """
import json, sys
sys.path[:] = [p for p in sys.path if p]  # a folder of a host's name in the cwd is not the host
"""
_PRINT_VERSION = """
import importlib.metadata, importlib.util
name, version = sys.argv[1], None
if importlib.util.find_spec(name):
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = sys.argv[2]
print(json.dumps(version))
"""


def python_of(host: ProgramConfig | ServeConfig) -> str:
    """Return the Python of a host's environment: the configured one, or the one running now."""
    return host.python or sys.executable


class Versions(NamedTuple):
    """The versions of a program that it was tried with."""

    least: str
    below: str

    def __str__(self) -> str:
        return f">={self.least},<{self.below}"


def is_older(version: str, than: str) -> bool:
    """Return whether a version is older than another, by its leading numbers; one without any is
    taken to be."""
    return _leading_numbers(version) < _leading_numbers(than)


def _leading_numbers(version: str) -> list[int]:
    numbers = re.match(r"[\d.]*", version)
    return [int(part) for part in numbers.group().split(".") if part] if numbers else []


def require_module(python: str, module: str, install: str, versions: Versions | None = None) -> str:
    """Return the version of `module` in the environment of `python`, without importing it.

    Raises: HostError with the command `install` where the interpreter or the module is missing, or
    the module older than the `versions` that it was tried with.
    """
    hint = f"Install it there with `{install}`, or set hosts.*.python to an environment that has it"
    if shutil.which(python) is None:
        raise HostError(f"{python}: no such Python interpreter, so {module} cannot run. {hint}.")
    done = run_python(python, _PRINT_VERSION, module, _UNKNOWN)
    try:
        version = json.loads(done.stdout)
    except ValueError as error:
        output = redact((done.stderr or done.stdout).strip())[-_MAX_OUTPUT:]
        raise HostError(
            f"{python}: does not answer as Python 3.8 or newer (exit code {done.returncode}): "
            f"{output or 'nothing printed'}. {hint}."
        ) from error
    if version is None:
        raise HostError(f"{python}: {module} is not installed in its environment. {hint}.")
    if versions and version != _UNKNOWN and is_older(version, versions.least):
        raise HostError(
            f"{python}: found {module} {version}; expected {versions.least} or newer. {hint}."
        )
    return str(version)


def run_python(python: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what code printed in the environment of `python`; it has `json` and `sys` imported.

    Raises: HostError where it does not answer in time.
    """
    try:
        return subprocess.run(
            [python, "-c", _PRELUDE + code, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"{python}: did not answer within {_ANSWER_TIMEOUT_S} seconds. The machine is busy, or "
            "the environment lies on a slow disk: wait, and run the same command again."
        ) from error


def run_host(
    command: list[str], *, env: Mapping[str, str], log: Path, timeout_minutes: int | None, what: str
) -> None:
    """Run a command to its end, its output appended to `log` with the secrets in it redacted.

    `env` is added to this process's environment, which hosts need whole: HF_TOKEN opens the hub.
    The command and its children end on timeout, and when this process is interrupted or killed.

    Raises: HostError with `what`, the exit code, the reason the command gave, and the log's path.
    """
    require_program(command[0], what)
    make_folder(log.parent)
    start = log.stat().st_size if log.exists() else 0
    try:
        code = _run_guarded(command, {**os.environ, **env}, log, timeout_minutes)
    except subprocess.TimeoutExpired as error:
        raise timed_out(what, timeout_minutes, log, start) from error
    if code != 0:
        raise ended_badly(what, code, log, start)


def require_program(program: str, what: str) -> None:
    """Raise HostError where there is no program of that name."""
    if shutil.which(program) is None:
        raise HostError(f"{what}: cannot start {program} (no such program).")


def timed_out(what: str, timeout_minutes: int | None, log: Path, start: int) -> HostError:
    """Return the error of a command that took too long; its output is in `log` from `start` on."""
    return HostError(
        f"{what}: stopped after {timeout_minutes} minutes, the hosts.*.timeout_minutes of "
        f"the config. Raise it, or give less work.\n{summarize_failure(log, start)}\nLog: {log}"
    )


def ended_badly(what: str, code: int, log: Path, start: int) -> HostError:
    """Return the error of a command that failed; its output is in `log` from `start` on."""
    ended = f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"
    if code == 128 + signal.SIGKILL:
        ended += " (often the machine ran out of memory)"
    why = summarize_failure(log, start)
    if os.strerror(errno.ENOSPC) in why:
        why += (
            "\nThe disk is full: make room, then run the same command again: what is done is kept."
        )
    return HostError(f"{what}: failed, {ended}.\n{why}\nLog: {log}")


def _run_guarded(
    command: list[str], env: Mapping[str, str], log: Path, timeout_minutes: int | None
) -> int:
    guarded = subprocess_guard.start(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    )
    with log.open("ab") as file:
        copying = threading.Thread(
            target=copy_output, args=(guarded.stdout, file, env), daemon=True
        )
        copying.start()
        try:
            return guarded.wait(None if timeout_minutes is None else timeout_minutes * 60)
        finally:
            subprocess_guard.end(guarded)
            # a child in a session of its own may hold the output open
            copying.join(subprocess_guard.GRACE_S)


def copy_output(source: BinaryIO, log: BinaryIO, env: Mapping[str, str]) -> None:
    """Copy a command's output; what cannot be written is still read, or the command would block."""
    try:
        copy_redacted(source, log, env)
    except (OSError, ValueError):  # the disk is full; the log was closed
        while os.read(source.fileno(), _BLOCK_BYTES):
            pass
