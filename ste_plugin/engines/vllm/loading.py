"""Opening a model in vLLM: what it prints goes to its log, and its failures into words."""

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
from ste_plugin.engines.vllm.errors import cure, vllm_words
from ste_plugin.engines.vllm.reaper import Reaper
from ste_plugin.errors import EngineError
from ste_plugin.screen import redirect_output


def load_llm(
    path: str, arguments: dict[str, Any], env: dict[str, str], log: Path, leash: Reaper
) -> Any:
    """Return vLLM with the model loaded, `env` over its processes' environment.

    It logs to `log`, and its processes are on the leash.

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
        with _output_into(log), leash.marked(env):
            llm = LLM(**arguments)
    except Exception as error:  # vLLM and the libraries below it raise every kind
        said = " ".join(str(error).split())
        words = vllm_words(log, start) if "root cause" in said else said[:500]
        raise EngineError(
            f"{path}: vLLM cannot load it.\n{words}\n{cure(words, path)}\nLog: {log}"
        ) from error
    _wake_at_its_death(llm.llm_engine.engine_core)
    return llm


def _wake_at_its_death(core: Any) -> None:
    """Make whoever waits for an answer hear that vLLM's process was killed: it would wait forever.

    Source: vLLM 0.32, `SyncMPClient`: its reading thread then ends without a word.
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
            f"{path}: its tokenizer cannot be loaded: {str(error).splitlines()[0]}\n{EXPECTED_MODEL}"
        ) from error


@contextmanager
def _output_into(log: Path) -> Iterator[None]:
    """Send what vLLM prints to its log: its processes' output for good, our own until the block ends."""
    file = log.open("a", encoding="utf-8")
    _log_into(file)
    try:
        with redirect_output(file):
            yield
    finally:
        _log_into(file)  # loading sets vLLM's logging up anew


def _log_into(file: TextIO) -> None:
    for handler in logging.getLogger("vllm").handlers:
        if type(handler) is logging.StreamHandler:  # vLLM's own, not one that a test laid on top
            handler.setStream(file)
