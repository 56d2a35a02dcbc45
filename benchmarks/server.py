"""A vLLM server of a measurement's own: started, asked for its counters, and ended."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.inputs import Inputs

NAME = "judge"
"""What the server calls the model."""
_STARTS_WITHIN_S = 600
_COUNTER = re.compile(r"^vllm:(\w+)(?:\{(.*)\})? ([\d.e+]+)$", re.M)
_ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0"}
"""Without a GPU; whatever the caller's environment says comes first."""
_WHOLE_PROMPTS = ("--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192")
"""On a CPU vLLM 0.32 ends where the prompt of a seeded request is read in parts."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    root: str

    @property
    def base_url(self) -> str:
        """Where an OpenAI client is pointed."""
        return f"{self.root}/v1"

    def counters(self) -> dict[str, float]:
        """Return every counter so far, by name and labels but for the model's."""
        text = httpx.get(f"{self.root}/metrics", timeout=60).text
        return {
            f"{name}{_labels(labels)}": float(value)
            for name, labels, value in _COUNTER.findall(text)
        }

    def empty_cache(self) -> None:
        """Empty the prefix cache, so that the next measurement starts as the last one did."""
        httpx.post(f"{self.root}/reset_prefix_cache", timeout=60).raise_for_status()


@contextmanager
def serve_model(inputs: Inputs, *arguments: str) -> Iterator[Server]:
    """Serve the model as long as the block runs; `arguments` are further ones of vLLM's server.

    Raises: MissingInput without a model or vLLM; RuntimeError with the end of its log.
    """
    python, model = inputs.need("vllm"), inputs.need("model")
    port = _free_port()
    command = [
        str(python),
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(model),
        "--served-model-name",
        NAME,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        "float32",
        "--max-model-len",
        "2048",
        "--enforce-eager",
        *_WHOLE_PROMPTS,
        *arguments,
    ]
    # Only in this mode can its prefix cache be emptied between measurements.
    environment = _ON_CPU | {"VLLM_SERVER_DEV_MODE": "1", "HF_HUB_OFFLINE": "1"} | os.environ
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "vllm.log"
        with log.open("wb") as file:
            running = subprocess.Popen(
                command, env=environment, stdout=file, stderr=file, start_new_session=True
            )
        try:
            server = Server(f"http://127.0.0.1:{port}")
            _wait(running, server, log)
            yield server
        finally:
            if running.poll() is not None:
                sys.stderr.write(f"vLLM's server ended by itself:\n{log.read_text()[-12000:]}\n")
            running.terminate()
            running.wait()


def _wait(running: "subprocess.Popen[bytes]", server: Server, log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        if running.poll() is not None:
            break
        try:
            if httpx.get(f"{server.root}/health", timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _labels(labels: str) -> str:
    kept = [part for part in labels.split(",") if not part.startswith(("model_name", "engine="))]
    return "{" + ",".join(kept) + "}" if any(kept) else ""
