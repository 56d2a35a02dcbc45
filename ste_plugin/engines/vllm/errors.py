"""Why vLLM ended, by its log, and what to do about it."""

import re
from itertools import takewhile
from pathlib import Path

from ste_plugin.text.log_summary import EXCEPTION, read_log, readable_lines

_ORIGIN = re.compile(r"^\([\w-]+ pid=\d+\) (?:[A-Z]+ [\d-]+ [\d:]+ \[[^\]]*\] ?)?")
"""The process that logged it, and where: `(Worker pid=7) ERROR 11-21 11:01:22 [x.py:9] `."""
_ECHO = re.compile(r"root cause|EngineDeadError|CancelledError")
"""Errors that only report that another process failed."""
_NEXT = re.compile(r"^(Traceback|Process |During handling|The above exception|nanobind|\s*File )")
_MAX_LINES, _MAX_WIDTH = 6, 300
_MEMORY = re.compile(
    r"out of memory|No available memory|KV cache is needed|Free memory on|Failed to allocate",
    re.IGNORECASE,
)


def summarize_vllm_failure(log: Path, start: int = 0) -> str:
    """Return what ended vLLM, as its log from byte `start` tells it.

    Of several processes that fail one after another, it is the error that caused the others.
    """
    lines = [_split(line) for line in readable_lines(read_log(log, start))]
    raised = [
        i for i, (_, line) in enumerate(lines) if EXCEPTION.match(line) and not _ECHO.search(line)
    ]
    if not raised:
        return "\n".join(line for _, line in lines[-_MAX_LINES:]) or "It printed nothing."
    origin, first = lines[raised[-1]]
    continued = takewhile(
        lambda entry: entry[0] == origin and not _NEXT.match(entry[1]),
        lines[raised[-1] + 1 : raised[-1] + _MAX_LINES],
    )
    return "\n".join([first, *(line for _, line in continued)])


def _split(line: str) -> tuple[str, str]:
    """Return which process logged a line, and its message, cut to a readable length."""
    match = _ORIGIN.match(line)
    origin = match[0] if match else ""
    return origin, line[len(origin) :][:_MAX_WIDTH]


def suggest_fix(reason: str, path: str) -> str:
    """Return what to do where vLLM ends for that reason with the model at `path`."""
    if "No module named 'vllm'" in reason or "No module named vllm" in reason:
        return (
            "Set hosts.serve.python to the interpreter of an environment that has vLLM "
            "(`pip install vllm`)."
        )
    if _MEMORY.search(reason):
        return (
            f"{_weights(path)}Too little memory is free for the model. Share it among more GPUs "
            "(options.tensor_parallel_size), lower options.max_model_len, set "
            "options.quantization, raise options.gpu_memory_utilization, or end what else fills "
            "the GPU."
        )
    if "does not use offset" in reason:
        return (
            "On a CPU vLLM cannot draw with seeds while it reads prompts in pieces. Add "
            "--no-enable-chunked-prefill to options.arguments."
        )
    return (
        "Fix what it reports, or set another engine. Run the same command again to resume: what is "
        "answered already is kept."
    )


def _weights(path: str) -> str:
    folder = Path(path)
    size = sum(p.stat().st_size for p in folder.glob("*.safetensors")) if folder.is_dir() else 0
    if not size:
        return ""
    return (
        f"The weights alone take {size / 1e9:.1f} GB; with tensor_parallel_size: N each GPU holds "
        "an Nth of them. "
    )
