"""A server as a subprocess: started, polled until it answers, and ended with all its children."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx

from ste_plugin.engines.vllm.errors import suggest_fix, summarize_vllm_failure
from ste_plugin.errors import EngineError
from ste_plugin.hosts import subprocess_guard
from ste_plugin.text.redaction import copy_redacted

_HOST = "127.0.0.1"
_POLL_S = 0.2
_LOG_TIMEOUT_S = 5.0
_EXIT_TIMEOUT_S = 2.0


class ServerProcess:
    """A running server; nothing of it outlives this process, however that ends."""

    def __init__(
        self, command: list[str], env: dict[str, str], port: int, log: Path, model: str
    ) -> None:
        """Start the command, `env` added to our environment, its output appended to `log`.

        Raises: EngineError where there is no such program.
        """
        if shutil.which(command[0]) is None:
            raise EngineError(
                f"engine serve: {command[0]}: no such program. Set hosts.serve.python to the "
                "interpreter of an environment that has vLLM, or hosts.serve.command to what "
                "starts the server."
            )
        self.base_url = f"http://{_HOST}:{port}/v1"
        self._log, self._model = log, model
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self._start = file.tell()
        self._guard = subprocess_guard.start(
            command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._logging = threading.Thread(target=self._write_log, daemon=True)
        self._logging.start()

    def _write_log(self) -> None:
        with self._log.open("ab") as file:
            copy_redacted(self._guard.stdout, file, os.environ)  # type: ignore[arg-type]

    @property
    def ended(self) -> bool:
        """Whether the server has ended."""
        return self._guard.poll() is not None

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return once the server lists its models.

        Raises: EngineError with the end of its log where it ends first, or takes longer than that.
        """
        deadline = time.monotonic() + timeout_s
        # this machine is reached without the proxy that the environment names
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while not self._answers(client):
                if self.ended:
                    raise self.failure("ended before it was ready")
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"engine serve: {self._model}: not ready after {timeout_s:g} s. Raise "
                        f"options.start_timeout_s, or see what it is doing: {self._log}"
                    )
                time.sleep(_POLL_S)

    def _answers(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.base_url}/models").is_success
        except httpx.HTTPError:
            return False

    def failure(self, what: str) -> EngineError:
        """Return the error for a server that has ended, with the end of its log and what to do."""
        code = self._guard.wait()
        self._logging.join(_LOG_TIMEOUT_S)
        reason = summarize_vllm_failure(self._log, self._start)
        return EngineError(
            f"engine serve: {self._model}: the server {what} (exit code {code}).\n{reason}\n"
            f"{suggest_fix(reason, self._model)}\nLog: {self._log}"
        )

    def wait(self) -> None:
        """Return once the server has ended."""
        self._guard.wait()

    def ends_soon(self) -> bool:
        """Return whether the server has ended, after waiting a moment for a failing one."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(_EXIT_TIMEOUT_S)
        return self.ended

    def stop(self) -> None:
        """End the server with all its children; calling it twice is harmless."""
        subprocess_guard.end(self._guard)


def free_port(wanted: int | None) -> int:
    """Return the wanted port, or one that is free.

    Raises: EngineError naming the wanted port where it is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted or 0))
        except OSError as error:
            raise EngineError(
                f"engine serve: port {wanted} cannot be used ({os.strerror(error.errno or 0)}). "
                "Set options.port to another one, or leave it out for a free one."
            ) from error
        return int(probe.getsockname()[1])
