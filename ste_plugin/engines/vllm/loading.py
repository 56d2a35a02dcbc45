"""Loading a model in vLLM: its output goes to a log, its failures are explained."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

from transformers import AutoTokenizer
from vllm import LLM
from vllm.platforms import current_platform
from vllm.v1.engine.exceptions import EngineDeadError

from ste_plugin.engines.model_folder import EXPECTED_MODEL
from ste_plugin.engines.vllm.errors import suggest_fix, summarize_vllm_failure
from ste_plugin.engines.vllm.reaper import Reaper
from ste_plugin.errors import EngineError
from ste_plugin.screen import redirect_output


def load_llm(
    path: str, arguments: dict[str, Any], env: dict[str, str], log: Path, reaper: Reaper
) -> Any:
    """Return vLLM with the model loaded, `env` added to its processes' environment.

    It logs to `log`, and `reaper` ends its processes.

    Raises: EngineError with vLLM's reason and what would help.
    """
    # Forking a process that has threads (progress bars, other engines) can hang.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    log.parent.mkdir(parents=True, exist_ok=True)
    start = log.stat().st_size if log.exists() else 0
    if current_platform.is_cpu():
        # there it cannot draw with seeds while a prompt is read in pieces (0.32)
        arguments = {"enable_chunked_prefill": False} | arguments
    try:
        with _redirect_output(log), reaper.marked(env):
            llm = LLM(**arguments)
    except Exception as error:  # vLLM and the libraries below it raise every kind
        message = " ".join(str(error).split())
        reason = summarize_vllm_failure(log, start) if "root cause" in message else message[:500]
        raise EngineError(
            f"{path}: vLLM cannot load it.\n{reason}\n{suggest_fix(reason, path)}\nLog: {log}"
        ) from error
    _wake_on_exit(llm.llm_engine.engine_core)
    return llm


def _wake_on_exit(core: Any) -> None:
    """Report the death of vLLM's process to those that wait for an answer, or they wait forever.

    Source: vLLM 0.32, `SyncMPClient`: its reading thread then ends silently.
    """

    def wake() -> None:
        core.output_queue_thread.join()
        core.outputs_queue.put_nowait(EngineDeadError())

    if hasattr(core, "output_queue_thread"):
        Thread(target=wake, daemon=True).start()


def load_tokenizer(path: str, revision: str, *, trust: bool) -> Any:
    """Return the tokenizer, as transformers loads it; `trust` lets its own code run.

    Raises: EngineError where there is none.
    """
    try:
        return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=trust)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{path}: its tokenizer cannot be loaded: {str(error).splitlines()[0]}\n"
            f"{EXPECTED_MODEL}"
        ) from error


@contextmanager
def _redirect_output(log: Path) -> Iterator[None]:
    """Send what vLLM prints to its log: its processes' for good, our own until the block ends."""
    file = log.open("a", encoding="utf-8")
    _redirect_logging(file)
    try:
        with redirect_output(file):
            yield
    finally:
        _redirect_logging(file)  # loading sets up vLLM's logging again


def _redirect_logging(file: TextIO) -> None:
    for handler in logging.getLogger("vllm").handlers:
        if type(handler) is logging.StreamHandler:  # vLLM's own, not one that a test laid on top
            handler.setStream(file)
