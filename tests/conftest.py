"""What holds for all tests: their environment, their order, and the tiny models that they share."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers import warm_python
from tests.helpers.browser import browser as browser
from tests.helpers.tiny_model import save_tiny_model
from tests.helpers.warm_python import program

# A busy machine stands still for longer than any deadline, and a commit answers for its own
# failures: the same inputs
# every time. New ones: `pytest --hypothesis-profile default`, and `make fuzz`.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("steady")

for name, value in {
    "HF_HUB_OFFLINE": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "AXOLOTL_DATASET_NUM_PROC": "0",  # else a few rows are saved by a Python that imports it anew
}.items():
    os.environ.setdefault(name, value)
if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several torches wait for each other, spinning
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# TRL imports it where it is installed, and gradio with it: 8 s of a processor in every worker
sys.modules.setdefault("trackio", None)
# in the background of a script the tests would start ignoring interrupts, which some are about
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begin with the files of slow tests: of two workers none should wait for the other at the
    end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -min(slow[item.path], 1))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Folder of a random two-layer Llama."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_vllm_model(tmp_path_factory) -> Path:
    """Folder of a random two-layer Llama with heads of 32, the least that vLLM runs on a CPU."""
    folder = tmp_path_factory.mktemp("models") / "tiny-vllm"
    # untied, or a greedy answer would be its last word over and over
    return save_tiny_model(folder, head_dim=32, tie_word_embeddings=False, initializer_range=0.2)


@pytest.fixture(scope="session")
def _warm_python(tmp_path_factory):
    imported_with = program.read_when_imported(os.environ)
    if sys.platform != "linux":
        yield Path(sys.executable), imported_with
        return
    with warm_python.started(tmp_path_factory.mktemp("warm")) as python:
        yield python, imported_with


@pytest.fixture(scope="module")
def warm_hosts(_warm_python):
    """Have hosts that this process starts, and theirs, run in forks of one that imported them."""
    python, imported_with = _warm_python
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(python))
        # what other tests' imports left there, as that of ray, would keep hosts from being forks
        for name in program.read_when_imported(os.environ).keys() - imported_with.keys():
            patch.delenv(name)
        for name, value in imported_with.items():
            patch.setenv(name, value)
        yield
