"""A server that the run starts: how it is found, monitored and ended; a script stands for vLLM."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from ste_plugin.config import ModelConfig, ServeConfig
from ste_plugin.engines import Place
from ste_plugin.engines.vllm import server
from ste_plugin.engines.vllm.options import visible_gpus
from ste_plugin.engines.vllm.server import ServeOptions, server_command
from ste_plugin.errors import ConfigError, EngineError
from tests.helpers import environment
from tests.helpers.chat_templates import family_tokenizer
from tests.helpers.hub_cache import downloaded
from tests.helpers.started_server import asked, served

OUT_OF_MEMORY = """\
(APIServer pid=1) WARNING 11-21 11:00:30 [a.py:2] Found ulimit of 20000: OSError: too many open \
files
(Worker pid=3) ERROR 11-21 11:01:22 [worker.py:95] Traceback (most recent call last):
(Worker pid=3) ERROR 11-21 11:01:22 [worker.py:95] torch.OutOfMemoryError: CUDA out of memory. \
Tried to allocate 2.00 GiB
(EngineCore pid=2) ERROR 11-21 11:01:24 [core.py:15] Exception: WorkerProc initialization failed \
due to an exception in a background process. See stack trace for root cause.
Traceback (most recent call last):
  File "core.py", line 1, in run
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
nanobind: leaked 514 functions!"""


def gone(pid: int) -> bool:
    """Wait until a process has ended; a zombie that nobody has taken leave of yet has."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(600):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def written(path: Path) -> list[int]:
    for _ in range(600):
        if path.exists():
            return [int(pid) for pid in path.read_text().split()]
        time.sleep(0.05)
    raise AssertionError(f"{path} was never written")


def test_a_server_is_started_asked_and_ended_with_all_its_children(tmp_path):
    requests = asked(5)
    with served(tmp_path, pids=str(tmp_path / "pids")) as engine:
        answered = {c.key for c in engine.complete(requests)}
        pids = written(tmp_path / "pids")
        alive = [Path(f"/proc/{pid}").exists() for pid in pids]
        engine.close()
        engine.close()
        assert [gone(pid) for pid in pids] == [True, True]
    assert alive == [True, True]
    assert answered == {r.key for r in requests}


@pytest.mark.parametrize(
    ("command", "told"), [(None, {"skip_special_tokens": False}), (("serve",), None)]
)
def test_a_hub_models_template_is_known_where_our_own_server_loads_it(
    tmp_path, monkeypatch, command, told
):
    family_tokenizer("Magistral").save_pretrained(tmp_path / "judge")
    (tmp_path / "judge/config.json").write_text('{"model_type": "mistral"}')
    downloaded(tmp_path / "hub", monkeypatch, "org/judge", main=tmp_path / "judge")
    model = ModelConfig(model="org/judge", engine="serve")
    place = Place(tmp_path, tmp_path, ServeConfig(command=command) if command else ServeConfig())
    client = server.client_of(model, place, "http://127.0.0.1:1/v1", 1)
    assert client.options.get("extra_body") == told


def test_a_closed_server_is_started_again_by_the_next_request(tmp_path):
    requests = asked(2)
    with served(tmp_path) as engine:
        before = {c.key: c.text for c in engine.complete(requests)}
        engine.close()
        after = {c.key: c.text for c in engine.complete(requests)}
    assert before == after
    assert (tmp_path / "logs" / "serve.log").read_text().count("told ") == 2


def test_nothing_is_started_where_nothing_is_asked(tmp_path):
    with served(tmp_path) as engine:
        assert list(engine.complete([])) == []
    assert not (tmp_path / "logs").exists()


def test_a_server_that_dies_while_loading_shows_the_root_of_its_failure(tmp_path):
    with (
        served(tmp_path, words=OUT_OF_MEMORY) as engine,
        pytest.raises(EngineError, match="ended before it was ready") as raised,
    ):
        list(engine.complete(asked(1)))
    told = str(raised.value)
    assert "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB" in told
    assert "root cause" not in told
    assert "nanobind" not in told
    assert str(tmp_path / "logs" / "serve.log") in told


def test_too_little_memory_says_what_would_fit(tmp_path):
    model = tmp_path / "judge"
    model.mkdir()
    with (model / "model.safetensors").open("wb") as file:
        file.truncate(16_100_000_000)  # sparse: nothing is written
    with (
        served(tmp_path, words=OUT_OF_MEMORY) as engine,
        pytest.raises(EngineError) as raised,
    ):
        list(engine.complete(asked(1)))
    told = str(raised.value)
    assert "The weights alone take 16.1 GB" in told
    for remedy in ("tensor_parallel_size", "max_model_len", "quantization"):
        assert f"options.{remedy}" in told


def test_without_vllm_in_its_environment_the_cure_names_the_setting(tmp_path):
    words = (
        f"{sys.executable}: Error while finding module specification for "
        "'vllm.entrypoints.openai.api_server' (ModuleNotFoundError: No module named 'vllm')"
    )
    with (
        served(tmp_path, words=words) as engine,
        pytest.raises(EngineError, match="Set hosts.serve.python"),
    ):
        list(engine.complete(asked(1)))


def test_a_server_that_dies_in_the_middle_keeps_what_it_has_said(tmp_path):
    requests = asked(6)
    got = []
    with (
        served(tmp_path, options={"concurrency": 1}, calls=3) as engine,
        pytest.raises(EngineError, match="ended during a call") as raised,
    ):
        for completion in engine.complete(requests):
            got.append(completion.key)
    assert got == [r.key for r in requests[:3]]
    assert "RuntimeError: the device is lost" in str(raised.value)
    assert "exit code 3" in str(raised.value)


def test_a_server_that_is_never_ready_is_ended_when_its_time_is_up(tmp_path):
    with (
        served(
            tmp_path, options={"start_timeout_s": 4}, never=True, pids=str(tmp_path / "pids")
        ) as engine,
        pytest.raises(EngineError, match=r"not ready after 4 s. Raise options\.start_timeout_s"),
    ):
        list(engine.complete(asked(1)))
    assert [gone(pid) for pid in written(tmp_path / "pids")] == [True, True]


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            served(tmp_path, options={"port": port}) as engine,
            pytest.raises(EngineError, match=f"port {port} cannot be used"),
        ):
            list(engine.complete(asked(1)))


def test_a_program_that_is_not_there_is_named(tmp_path):
    place = Place(tmp_path, tmp_path, ServeConfig(python="/no/such/python"))
    with (
        closing(server.create(ModelConfig(model="judge", engine="serve"), place)) as engine,
        pytest.raises(EngineError, match="/no/such/python: no such program"),
    ):
        list(engine.complete(asked(1)))


ASKS = """
import json, select, sys
from pathlib import Path
from tests.helpers.started_server import asked, served

if __name__ == "__main__":
    then = json.loads(sys.argv[2])
    with served(Path(sys.argv[1]), **then) as engine:
        print(len(list(engine.complete(asked(1)))), flush=True)
        # a read that begins just as a signal has come would not be interrupted by it
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            pass
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("then", [{}, {"never": True}], ids=["serving", "loading"])
def test_a_server_does_not_outlive_whoever_started_it(tmp_path, number, then):
    pids = tmp_path / "pids"
    script = tmp_path / "asks.py"
    script.write_text(ASKS)
    asker = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), json.dumps(then | {"pids": str(pids)})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    started = written(pids)
    if not then:
        assert asker.stdout.readline() == b"1\n"
    os.kill(asker.pid, number)
    asker.wait(timeout=60)
    assert [gone(pid) for pid in started] == [True, True]


def test_vllm_is_told_model_name_port_and_every_option():
    options = ServeOptions(
        tensor_parallel_size=4,
        data_parallel_size=2,
        max_model_len=8192,
        dtype="bfloat16",
        gpu_memory_utilization=0.8,
        enforce_eager=True,
        enable_prefix_caching=False,
        arguments=("--kv-cache-dtype", "fp8"),
    )
    command = server_command(ServeConfig(python="/venv/bin/python"), "judge", "/m", 8123, options)
    assert command[:3] == ["/venv/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    told = " ".join(command)
    for words in (
        "--model /m",
        "--served-model-name judge",
        "--host 127.0.0.1",
        "--port 8123",
        "--tensor-parallel-size 4",
        "--data-parallel-size 2",
        "--max-model-len 8192",
        "--dtype bfloat16",
        "--gpu-memory-utilization 0.8",
        "--enforce-eager",
        "--no-enable-prefix-caching",
        "--generation-config vllm",
    ):
        assert f" {words} " in told
    assert command[-2:] == ["--kv-cache-dtype", "fp8"]


def test_a_command_with_a_port_in_it_is_taken_as_it_stands():
    other = ServeConfig(command=("sglang", "--at", "{model}", "--port={port}", "--as", "{name}"))
    options = ServeOptions(arguments=("--tp", "2"))
    assert server_command(other, "judge", "/m", 81, options) == [
        "sglang",
        "--at",
        "/m",
        "--port=81",
        "--as",
        "judge",
        "--tp",
        "2",
    ]


def test_an_adapter_is_served_on_its_base_under_the_requests_name(tmp_path):
    adapter = {"base_model_name_or_path": "some/base", "r": 24}
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter))
    command = server_command(ServeConfig(), "judge", str(tmp_path), 81, ServeOptions())
    after = dict(pairwise(command))
    assert after["--model"] == "some/base"
    assert json.loads(after["--lora-modules"]) == {"name": "judge", "path": str(tmp_path)}
    assert after["--max-lora-rank"] == "32"
    assert "--enable-lora" in command
    assert after["--served-model-name"] != "judge"


def test_chosen_gpus_are_counted_among_those_that_are_shown(monkeypatch):
    options = ServeOptions(gpus=(1, 2), tensor_parallel_size=2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(options) == {"CUDA_VISIBLE_DEVICES": "1,2"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    assert visible_gpus(options) == {"CUDA_VISIBLE_DEVICES": "5,6"}
    assert visible_gpus(ServeOptions()) == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES=4,5 shows 2"):
        visible_gpus(options)


def test_a_server_sees_the_chosen_gpus_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    with served(tmp_path, options={"gpus": [2]}) as engine:
        assert len(list(engine.complete(asked(1)))) == 1
    assert "sees GPUs 6\n" in (tmp_path / "logs" / "serve.log").read_text()


def test_fewer_gpus_than_the_parallel_sizes_need_are_refused(tmp_path):
    options = {"gpus": [0, 1], "tensor_parallel_size": 2, "data_parallel_size": 2}
    model = ModelConfig(model="judge", engine="serve", options=options)
    with pytest.raises(ConfigError, match="4 are needed"):
        server.create(model, Place(tmp_path, tmp_path))


def test_a_wrong_option_is_refused_when_the_engine_is_made(tmp_path):
    model = ModelConfig(model="judge", engine="serve", options={"max_model_length": 5})
    with pytest.raises(
        ConfigError,
        match=r"serve:(.|\n)*max_model_length: unknown key; did you mean 'max_model_len'",
    ):
        server.create(model, Place(tmp_path, tmp_path))
