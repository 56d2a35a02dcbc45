"""vLLM itself, in this process and served: what the engine contract does not ask of it."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Engine, Place
from ste_plugin.engines.local import engine as local
from ste_plugin.engines.vllm import engine as vllm
from ste_plugin.engines.vllm.errors import summarize_vllm_failure
from ste_plugin.errors import ConfigError, EngineError
from tests.helpers import environment
from tests.helpers.builders import HERE
from tests.helpers.local_vllm import ON_A_CPU, asked, vllm_in_process, vllm_served

CREATED = {"vllm": vllm_in_process, "serve": vllm_served}


def texts(engine: Engine, requests: list[ChatRequest]) -> list[str]:
    said = {c.key: c.text for c in engine.complete(requests)}
    return [said[r.key] for r in requests]


def of_local(model: Path, requests: list[ChatRequest]) -> list[str]:
    with closing(local.create(ModelConfig(model=str(model), engine="local"), HERE)) as engine:
        return texts(engine, requests)


def whole(said: list[str]) -> list[str]:
    """Return texts without half a character at their end, which a server keeps to itself."""
    return [text.rstrip("\ufffd") for text in said]


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""


def descendants(pid: int) -> set[int]:
    """Return the processes below one that are alive."""
    stats = [text for p in Path("/proc").glob("[0-9]*/stat") if (text := read(p))]
    parents = {
        int(s.split(" ", 1)[0]): int(s.rpartition(")")[2].split()[1])
        for s in stats
        if s.rpartition(")")[2].split()[0] != "Z"
    }
    below: set[int] = set()
    level = {pid}
    while level:
        level = {p for p, parent in parents.items() if parent in level} - below
        below |= level
    return below


def vllm_runs() -> bool:
    below = [Path(f"/proc/{pid}/cmdline") for pid in descendants(os.getpid())]
    return any("VLLM::" in read(path) for path in below)


def adapter_of(model: Path, folder: Path) -> tuple[Path, Path]:
    """Return a folder with a LoRA adapter of the model, and one with the two merged."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(model)
    torch.manual_seed(1)
    weights, rank = {}, 4
    for index, layer in enumerate(base.model.layers):
        plain = layer.self_attn.q_proj.weight
        down, up = torch.randn(rank, plain.shape[1]), torch.randn(plain.shape[0], rank)
        with torch.no_grad():
            plain += up @ down
        name = f"base_model.model.model.layers.{index}.self_attn.q_proj"
        weights |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    adapter, merged = folder / "adapter", folder / "merged"
    base.save_pretrained(merged)
    AutoTokenizer.from_pretrained(model).save_pretrained(merged)
    adapter.mkdir()
    save_file(weights, adapter / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(model),
        "r": rank,
        "lora_alpha": rank,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    return adapter, merged


@pytest.mark.slow
def test_vllm_says_what_transformers_says_and_draws_the_same_letters(tiny_vllm_model, tmp_path):
    free = asked()
    forced = asked(20, samples=5, temperature=1.0, prefix="Verdict: [[", choices=("A", "B"))
    with closing(vllm_in_process(tiny_vllm_model, tmp_path)) as engine:
        assert texts(engine, free) == of_local(tiny_vllm_model, free)
        drawn = texts(engine, forced)
        with closing(engine.complete(forced)) as coming:
            assert next(coming).text == drawn[0]
        assert texts(engine, free) == of_local(tiny_vllm_model, free)
    assert drawn == of_local(tiny_vllm_model, forced)
    assert set(drawn) == {"A", "B"}


@pytest.mark.slow
def test_a_closed_vllm_leaves_no_process_and_can_be_opened_again(tiny_vllm_model, tmp_path):
    requests = asked(2)
    engine = vllm_in_process(tiny_vllm_model, tmp_path)
    before = texts(engine, requests)
    assert vllm_runs()
    engine.close()
    engine.close()
    assert not vllm_runs()
    with closing(engine):
        assert texts(engine, requests) == before


ASKS = """
import sys
from pathlib import Path
from tests.helpers.local_vllm import asked, vllm_in_process

if __name__ == "__main__":
    engine = vllm_in_process(Path({model!r}), Path({logs!r}))
    list(engine.complete(asked(1)))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_no_process_of_vllm_outlives_whoever_is_killed(tiny_vllm_model, tmp_path):
    vllm_in_process(tiny_vllm_model, tmp_path).close()  # skips where there is none
    script = tmp_path / "asks.py"
    script.write_text(ASKS.format(model=str(tiny_vllm_model), logs=str(tmp_path)))
    asker = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    for line in asker.stdout:
        if line == b"ready\n":
            break
    below = [
        pid for pid in descendants(asker.pid) if "VLLM::" in read(Path(f"/proc/{pid}/cmdline"))
    ]
    asker.kill()
    asker.wait()
    for _ in range(600):
        left = [pid for pid in below if "VLLM::" in read(Path(f"/proc/{pid}/cmdline"))]
        if not left:
            break
        time.sleep(0.05)
    assert below != []
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", CREATED)
def test_an_adapter_answers_as_its_merged_model_does(tiny_vllm_model, tmp_path, kind):
    adapter, merged = adapter_of(tiny_vllm_model, tmp_path)
    requests = asked()
    with closing(CREATED[kind](adapter, tmp_path)) as engine:
        said = texts(engine, requests)
    assert whole(said) == whole(of_local(merged, requests))
    assert whole(said) != whole(of_local(tiny_vllm_model, requests))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CREATED)
def test_weights_that_cannot_be_read_are_told_with_their_reason(tiny_vllm_model, tmp_path, kind):
    torn = tmp_path / "torn"
    shutil.copytree(tiny_vllm_model, torn)
    weights = torn / "model.safetensors"  # whole, but of numbers that there are not
    weights.write_bytes(weights.read_bytes().replace(b'"dtype":"F32"', b'"dtype":"F33"'))
    engine = CREATED[kind](torn, tmp_path)
    with closing(engine), pytest.raises(EngineError, match="SafetensorError") as raised:
        texts(engine, asked(1))
    assert str(torn) in str(raised.value)
    assert "root cause" not in str(raised.value)
    assert str(tmp_path / f"{kind}.log") in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CREATED)
def test_a_vllm_that_is_killed_keeps_what_it_has_said(tiny_vllm_model, tmp_path, kind):
    requests = asked(200, temperature=1.0, most=200)
    got = []
    engine = CREATED[kind](tiny_vllm_model, tmp_path)
    ended = {"vllm": "ended while it was generating", "serve": "ended during a call"}[kind]
    with closing(engine), pytest.raises(EngineError, match=ended):
        for completion in engine.complete(requests):
            if not got:
                for pid in descendants(os.getpid()):
                    if "EngineCore" in read(Path(f"/proc/{pid}/cmdline")):
                        os.kill(pid, signal.SIGKILL)
            got.append(completion)
    assert 0 < len(got) < len(requests)


def test_several_copies_in_one_process_are_refused_with_what_can_have_them():
    model = ModelConfig(model="m", engine="vllm", options={"data_parallel_size": 2})
    with pytest.raises(ConfigError, match="Set engine: serve for several copies"):
        vllm.create(model, HERE)


def test_without_vllm_the_cure_is_named(tmp_path):
    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed beside these tests")
    engine = vllm.create(ModelConfig(model="m", engine="vllm"), Place(tmp_path, tmp_path))
    with pytest.raises(EngineError, match="hosts.serve.python"):
        texts(engine, asked(1))


def test_last_words_keep_a_message_of_several_lines_together(tmp_path):
    log = tmp_path / "vllm.log"
    log.write_text(
        "(Worker pid=3) INFO 11-21 11:01:22 [x.py:9] reading\n"
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n"
        "  Value error, max_model_len (8192) is greater than the derived 2048\n"
        "(Worker pid=3) ERROR 11-21 11:01:22 [y.py:9] Dumping input\n"
    )
    assert summarize_vllm_failure(log).splitlines() == [
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig",
        "  Value error, max_model_len (8192) is greater than the derived 2048",
    ]


def test_last_words_without_an_exception_are_the_end_of_the_log(tmp_path):
    log = tmp_path / "vllm.log"
    log.write_text("".join(f"line {i}\n" for i in range(50)))
    assert summarize_vllm_failure(log).splitlines()[-1] == "line 49"
    assert len(summarize_vllm_failure(log).splitlines()) < 10


@pytest.mark.slow
def test_a_server_takes_every_field_and_refuses_what_leaves_its_context(
    tiny_vllm_model, tmp_path, caplog
):
    long, short = asked(prefix="")[0], asked(2, samples=3, temperature=1.0)
    turns = (replace(long.messages[0], content="word " * 3000),)
    with closing(vllm_served(tiny_vllm_model, tmp_path)) as engine:
        found = {c.key: c for c in engine.complete([*short, replace(long, messages=turns)])}
        assert [found[r.key].finish_reason for r in short] != []
        assert found[replace(long, messages=turns).key].finish_reason == "too_long"
        with pytest.raises(EngineError, match="and 513 new tokens are more than the server's"):
            list(engine.complete(asked(1, most=513)))
    assert [r for r in caplog.records if r.name.startswith("ste_plugin")] == []


@pytest.mark.slow
def test_sampling_that_a_model_brings_along_does_not_fill_what_requests_leave_off(
    tiny_vllm_model, tmp_path
):
    narrow = tmp_path / "narrow"
    shutil.copytree(tiny_vllm_model, narrow)
    sampling = {"top_k": 1, "min_p": 0.9, "repetition_penalty": 1.9}
    (narrow / "generation_config.json").write_text(json.dumps(sampling))
    requests = asked(4, samples=4, temperature=1.0)
    own = {"arguments": [*ON_A_CPU, "--generation-config", "auto"]}
    with closing(vllm_served(tiny_vllm_model, tmp_path)) as engine:
        plain = texts(engine, requests)
    with closing(vllm_served(narrow, tmp_path, **own)) as engine:
        assert texts(engine, requests) == plain
    assert len(set(plain)) > 4
