"""Where tests find vLLM, and how they run it small; without it they say that they are skipped."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from ste_plugin.config import ModelConfig, ServeConfig
from ste_plugin.engines import ChatRequest, Engine, Message, Place, Sampling
from ste_plugin.engines.vllm import engine as vllm
from ste_plugin.engines.vllm import server

SMALL = {"dtype": "float32", "max_model_len": 512, "enforce_eager": True, "max_num_seqs": 16}
ON_A_CPU = ["--no-enable-chunked-prefill"]
"""On a CPU vLLM 0.32 cannot draw with seeds while it reads prompts in pieces."""

for name, value in {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}.items():
    os.environ.setdefault(name, value)


def vllm_in_process(model: Path, logs: Path, **options) -> Engine:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed beside the tests: `make test-vllm` has it")
    config = ModelConfig(model=str(model), engine="vllm", options=SMALL | options)
    return vllm.create(config, Place(Path(), logs))


def vllm_python() -> str:
    python = os.environ.get("STE_VLLM_PYTHON")
    if not python and importlib.util.find_spec("vllm"):
        python = sys.executable
    if not python:
        pytest.skip("STE_VLLM_PYTHON names no interpreter with vLLM: `make test-vllm` does")
    return python


def vllm_served(model: Path, logs: Path, **options) -> Engine:
    python = vllm_python()
    config = ModelConfig(
        model=str(model), engine="serve", options=SMALL | {"arguments": ON_A_CPU} | options
    )
    return server.create(config, Place(Path(), logs, ServeConfig(python=python)))


def asked(
    count: int = 4, samples: int = 1, temperature: float = 0.0, most: int = 12, **more
) -> list[ChatRequest]:
    how = Sampling(temperature, top_p=1.0, max_new_tokens=most)
    return [
        ChatRequest("m", (Message("user", f"Name fruit {i}."),), how, sample, **more)
        for i in range(count)
        for sample in range(samples)
    ]
