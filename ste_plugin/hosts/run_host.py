"""Running another program's command: its own process group, a log, a time limit, honest errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from ste_plugin.config import HostConfig, ServeConfig
from ste_plugin.errors import HostError
from ste_plugin.hosts import subprocess_guard
from ste_plugin.storage.durable import make_folder
from ste_plugin.text.log_summary import summarize_failure
from ste_plugin.text.redaction import copy_redacted, redact

_BLOCK = 1 << 16
_BEGIN = """
import json, sys
sys.path[:] = [p for p in sys.path if p]  # a folder of a host's name in the cwd is not the host
"""
_ASK_VERSION = """
import importlib.metadata, importlib.util
name, found = sys.argv[1], None
if importlib.util.find_spec(name):
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "unknown"
print(json.dumps(found))
"""


def python_of(host: HostConfig | ServeConfig) -> str:
    """Return the Python of a host's environment: the configured one, or the one running now."""
    return str(Path(host.python).expanduser()) if host.python else sys.executable


def require_module(python: str, module: str, install: str) -> str:
    """Return the version of `module` in the environment of `python`, without importing it.

    Raises: HostError with `install`, the command that cures it, where interpreter or module is
    missing.
    """
    cure = f"Install it there with `{install}`, or set hosts.*.python to an environment that has it"
    if shutil.which(python) is None:
        raise HostError(f"{python}: no such Python interpreter, so {module} cannot run. {cure}.")
    asked = run_python(python, _ASK_VERSION, module)
    try:
        version = json.loads(asked.stdout)
    except ValueError as error:
        told = redact((asked.stderr or asked.stdout).strip())[-300:]
        raise HostError(
            f"{python}: does not answer as Python 3.8 or newer (exit code {asked.returncode}): "
            f"{told or 'nothing printed'}. {cure}."
        ) from error
    if version is None:
        raise HostError(f"{python}: {module} is not installed in its environment. {cure}.")
    return str(version)


def run_python(python: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what some short code prints in the environment of `python`; it has `json` and `sys`."""
    return subprocess.run(
        [python, "-c", _BEGIN + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run_host(
    command: list[str], *, env: Mapping[str, str], log: Path, timeout_minutes: int | None, what: str
) -> None:
    """Run a command to its end, stdout and stderr appended to `log`, without the secrets among them.

    `env` is laid over this process's environment, which hosts need whole: HF_TOKEN opens the hub. The
    command and its children end when time is up, when this process is interrupted, and when it is
    killed.

    Raises: HostError with `what`, the exit code, the reason the command gave, and the log's path.
    """
    if shutil.which(command[0]) is None:
        raise HostError(f"{what}: cannot start {command[0]} (no such program).")
    make_folder(log.parent)
    start = log.stat().st_size if log.exists() else 0
    try:
        code = _finish(command, {**os.environ, **env}, log, timeout_minutes)
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"{what}: stopped after {timeout_minutes} minutes, the hosts.*.timeout_minutes of "
            f"the config. Raise it, or give less work.\n{summarize_failure(log, start)}\nLog: {log}"
        ) from error
    if code != 0:
        ended = f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"
        if code == 128 + signal.SIGKILL:
            ended += " (often the machine ran out of memory)"
        raise HostError(f"{what}: failed, {ended}.\n{summarize_failure(log, start)}\nLog: {log}")


def _finish(
    command: list[str], env: Mapping[str, str], log: Path, timeout_minutes: int | None
) -> int:
    guarded = subprocess_guard.start(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    )
    with log.open("ab") as file:
        copying = threading.Thread(target=_copy, args=(guarded.stdout, file, env), daemon=True)
        copying.start()
        try:
            return guarded.wait(None if timeout_minutes is None else timeout_minutes * 60)
        finally:
            subprocess_guard.end(guarded)
            copying.join(
                subprocess_guard.GRACE_S
            )  # a child in a session of its own may hold the output open


def _copy(source: BinaryIO, log: BinaryIO, env: Mapping[str, str]) -> None:
    """Copy a command's output; one that cannot be written is read all the same, or the command would wait."""
    try:
        copy_redacted(source, log, env)
    except (OSError, ValueError):  # the disk is full; the log was closed
        while os.read(source.fileno(), _BLOCK):
            pass
