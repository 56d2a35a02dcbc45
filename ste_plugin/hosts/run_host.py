"""Running another program's command: its own process group, a log, a time limit, honest errors."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ste_plugin.config import HostConfig
from ste_plugin.errors import HostError

_LAST_LINES = 15
_GRACE_S = 5.0
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PROGRESS = re.compile(r"\d+%\|.*\||\d+(\.\d+)?(it/s|s/it|examples/s)")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt)\b")
_ASK_VERSION = """
import importlib.metadata, importlib.util, json, sys
sys.path[:] = [p for p in sys.path if p]  # a folder of that name in the cwd is not the host
name, found = sys.argv[1], None
if importlib.util.find_spec(name):
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "unknown"
print(json.dumps(found))
"""


def interpreter(host: HostConfig) -> str:
    """Return the Python of a host's environment: the configured one, or the one running now."""
    return str(Path(host.python).expanduser()) if host.python else sys.executable


def require(python: str, module: str, install: str) -> str:
    """Return the version of `module` in the environment of `python`, without importing it.

    Raises: HostError with `install`, the command that cures it, where interpreter or module is
    missing.
    """
    cure = f"Install it there with `{install}`, or set hosts.*.python to an environment that has it"
    if shutil.which(python) is None:
        raise HostError(f"{python}: no such Python interpreter, so {module} cannot run. {cure}.")
    asked = subprocess.run(
        [python, "-c", _ASK_VERSION, module],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    try:
        version = json.loads(asked.stdout)
    except ValueError as error:
        told = (asked.stderr or asked.stdout).strip()[-300:]
        raise HostError(
            f"{python}: does not answer as Python 3.8 or newer (exit code {asked.returncode}): "
            f"{told or 'nothing printed'}. {cure}."
        ) from error
    if version is None:
        raise HostError(f"{python}: {module} is not installed in its environment. {cure}.")
    return str(version)


def run_host(
    command: list[str], *, env: Mapping[str, str], log: Path, timeout_minutes: int | None, what: str
) -> None:
    """Run a command to its end, stdout and stderr appended to `log`.

    `env` is laid over this process's environment. The command gets its own process group, which
    dies as a whole when time is up or when this process is interrupted.

    Raises: HostError with `what`, the exit code, the reason the command gave, and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        start = file.tell()
        try:
            code = _finish(command, {**os.environ, **env}, file.fileno(), timeout_minutes)
        except subprocess.TimeoutExpired as error:
            raise HostError(
                f"{what}: stopped after {timeout_minutes} minutes, the hosts.*.timeout_minutes of "
                f"the config. Raise it, or give less work.\n{last_words(log, start)}\nLog: {log}"
            ) from error
        except OSError as error:
            raise HostError(f"{what}: cannot start {command[0]} ({error.strerror}).") from error
    if code != 0:
        ended = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            ended += " (often the machine ran out of memory)"
        raise HostError(f"{what}: failed, {ended}.\n{last_words(log, start)}\nLog: {log}")


def _finish(
    command: list[str], env: Mapping[str, str], output: int, timeout_minutes: int | None
) -> int:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        env=env, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(None if timeout_minutes is None else timeout_minutes * 60)
    finally:
        if process.returncode is None:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all its children; those that ignore SIGTERM are killed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_words(log: Path, start: int = 0) -> str:
    """Return why a command failed, as its log from byte `start` tells: the exception, or the end."""
    with log.open("rb") as file:
        file.seek(start)
        lines = meaningful(file.read().decode("utf-8", "replace"))
    raised = [i for i, line in enumerate(lines) if _EXCEPTION.match(line)]
    if raised:
        # chained exceptions and exit wrappers follow the first: the last raised is what ended it
        lines = lines[raised[-1] :]
        return "\n".join(lines[:_LAST_LINES])
    return "\n".join(lines[-_LAST_LINES:]) or "It printed nothing."


def meaningful(text: str) -> list[str]:
    """Return the lines a person would read: no progress bars, colours or blanks.

    >>> meaningful("a\\r 50%|█████     | 1/2\\rb\\n\\nc")
    ['a', 'b', 'c']
    """
    lines = (_ANSI.sub("", line).rstrip() for line in re.split(r"[\r\n]+", text))
    return [line for line in lines if line.strip() and not _PROGRESS.search(line)]
