"""lm-eval as a subprocess that keeps its model: it measures one set of pairs after another."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ste_plugin.hosts import subprocess_guard
from ste_plugin.hosts.run_host import copy_output, ended_badly, require_program, timed_out
from ste_plugin.lm_eval_tasks.measure_sets import DONE
from ste_plugin.storage.durable import make_folder, write_error

_BLOCK_BYTES = 1 << 16
_COMMAND = ("-m", "ste_plugin.lm_eval_tasks.measure_sets")


class MeasuringProcess:
    """Measures one model on sets of pairs, which it loads once, at the first of them.

    To be used in a `with` statement: at its end the process ends with all its children. It does
    also where this process is interrupted or killed.
    """

    def __init__(self, python: str, timeout_minutes: int | None) -> None:
        """`timeout_minutes` is what each set may take; None for no limit."""
        self.python, self.timeout_minutes = python, timeout_minutes
        self.guard: subprocess.Popen[bytes] | None = None
        self.connection: socket.socket | None = None
        self.copiers: list[_Copier] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; another one is started where there is a further set."""
        if self.connection:
            self.connection.close()
        if self.guard:
            subprocess_guard.end(self.guard)
        self.connection = self.guard = None
        self._finish_copying()

    def measure(self, order: Mapping[str, Any], log: Path, what: str) -> None:
        """Carry out an order (`measure_sets`); its output is appended to `log` without secrets.

        Raises: HostError with `what`, the exit code, the reason that was given, and the log's path;
        DataError where it failed and there was no room for the reason.
        """
        make_folder(log.parent)
        start = log.stat().st_size if log.exists() else 0
        try:
            done = self._send(order, log, what)
        except TimeoutError as error:
            self.close()
            raise timed_out(what, self.timeout_minutes, log, start) from error
        except BaseException:
            self.close()
            raise
        if not done:
            code, copiers = self.guard.wait() if self.guard else 0, self.copiers
            self.close()
            if unwritten := next((copier.error for copier in copiers if copier.error), None):
                raise write_error(log, unwritten)
            raise ended_badly(what, code, log, start)
        self._finish_copying()

    def _send(self, order: Mapping[str, Any], log: Path, what: str) -> bool:
        """Return whether the order was carried out, rather than the process ended.

        Raises: TimeoutError.
        """
        if self.connection is None:
            self._start(log, what)
        assert self.connection is not None
        output = self._copy_to(log)
        try:
            line = json.dumps(order).encode() + b"\n"
            socket.send_fds(self.connection, [line], [output])
            return self.connection.recv(len(DONE), socket.MSG_WAITALL) == DONE
        except (BrokenPipeError, ConnectionResetError):
            return False
        finally:
            os.close(output)

    def _start(self, log: Path, what: str) -> None:
        """Start the process; what it says beside its orders goes into the log of the first."""
        command = [self.python, *_COMMAND]
        require_program(self.python, what)
        self.connection, theirs = socket.socketpair()
        self.connection.settimeout(self.timeout_minutes and self.timeout_minutes * 60)
        output = self._copy_to(log)
        self.guard = subprocess_guard.start(
            [*command, str(theirs.fileno())],
            stdout=output,
            stderr=output,
            pass_fds=(theirs.fileno(),),
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        os.close(output)
        theirs.close()

    def _copy_to(self, log: Path) -> int:
        """Return a file whose content is copied to a log from now on."""
        source, target = os.pipe()
        copier = _Copier(source, log)
        copier.start()
        self.copiers.append(copier)
        return target

    def _finish_copying(self) -> None:
        """Wait until all that was said is written; what lives on may hold its output open."""
        done = self.copiers if self.guard is None else self.copiers[1:]
        for copier in done:
            copier.join(subprocess_guard.GRACE_S)
        self.copiers = [copier for copier in self.copiers if copier.is_alive()]


class _Copier(threading.Thread):
    """Copies what a process says to a log, or else reads it all the same, or it would wait."""

    def __init__(self, source: int, log: Path) -> None:
        super().__init__(daemon=True)
        self.source, self.log = source, log
        self.error: OSError | None = None
        """Why the log, or its last bytes, could not be written."""

    def run(self) -> None:
        """Copy until the process closes its output."""
        with os.fdopen(self.source, "rb") as stream:
            try:
                with self.log.open("ab") as file:
                    copy_output(stream, file, os.environ)
            except OSError as error:
                self.error = error
                while stream.read(_BLOCK_BYTES):
                    pass
