"""`options:` of an `engine: local`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from ste_plugin.config import Positive, Strict


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu|npu)(:\d+)?", value):
        raise ValueError(f"found {value!r}; expected auto, cpu, cuda, cuda:1, mps, xpu or npu")
    return value


class LocalOptions(Strict):
    """`options:` of an `engine: local`."""

    revision: str = "main"
    """Branch, tag or commit on the hub."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: float32 on a CPU, else what the weights are stored in."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto` is the first GPU if there is one."""
    max_batch_tokens: Positive | Literal["auto"] = "auto"
    """Upper bound of samples x (prompt + new tokens) held at once; `auto`: by the free memory."""
    trust_remote_code: bool = False
    """Run Python code from the model's folder or hub page."""
    threads: Positive | None = None
    """Threads that compute on a CPU; by default OMP_NUM_THREADS, else all cores we may use."""
