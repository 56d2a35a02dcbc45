"""vLLM's own `run-batch` answers the files that are exported, as its server would."""

import json
import os
import subprocess
from contextlib import closing

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Completion
from ste_plugin.engines.http import engine as http
from ste_plugin.engines.http.batch import BatchFormat, read_response
from ste_plugin.engines.registry import behind_server
from tests.helpers.builders import HERE
from tests.helpers.local_vllm import asked, vllm_python, vllm_served


@pytest.mark.slow
def test_run_batch_answers_what_is_exported_as_a_server_does(tiny_vllm_model, tmp_path):
    python = vllm_python()
    model = ModelConfig(model=str(tiny_vllm_model), engine="local")
    form = BatchFormat(http.create(behind_server(model, HERE), HERE))
    greedy = asked()
    drawn = asked(2, samples=3, temperature=1.0)
    forced = asked(9, samples=3, temperature=1.0, prefix="Verdict: [[", choices=("A", "B"))
    calls = list(form.plan([*greedy, *drawn, *forced]))
    lines, answers = tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    lines.write_bytes(b"".join(map(form.encode, calls)))
    command = [python, "-m", "vllm.entrypoints.openai.run_batch", "-i", lines, "-o", answers]
    command += ["--model", str(tiny_vllm_model), "--dtype", "float32", "--max-model-len", "512"]
    command += ["--enforce-eager", "--no-enable-chunked-prefill", "--generation-config", "vllm"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    rows = {r["custom_id"]: r for r in map(json.loads, answers.read_text().splitlines())}
    assert len(rows) == len(calls)
    read: dict[str, Completion] = {}
    for call in calls:
        row = rows[json.loads(form.encode(call))["custom_id"]]
        read |= {c.key: c for c in form.read(call, read_response(row))}
    with closing(vllm_served(tiny_vllm_model, tmp_path)) as engine:
        served = {c.key: c for c in engine.complete([*greedy, *drawn, *forced])}
    assert read == served
    assert len({read[r.key].text for r in drawn}) == len(drawn)
    assert {read[r.key].text for r in forced} == {"A", "B"}
