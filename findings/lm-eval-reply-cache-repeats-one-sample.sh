#!/usr/bin/env bash
# lm-eval 0.4.13, option --use_cache with a task that has `repeats` and `temperature: 1.0`.
# Expected: the cache holds what was answered, so a second run over it sees the same eight samples as the first.
# It does: all samples of a prompt share one entry, and the last one written stays. A second run, or one that goes on after an interruption,
# counts that single sample eight times: other majorities than before, and no spread. Only `do_sample: true` (which an API backend takes out
# of the request again) keeps such a task from the cache.
#
# Seen: lm_eval 0.4.13
#       1st run: 8 samples, 8 different, 8 asked of the server
#       2nd run: 8 samples, 1 different, 0 asked of the server
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "lm_eval[api]==0.4.13" "datasets==5.2.0"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 OPENAI_API_KEY=unused

mkdir tasks
echo '{"question": "Name a river."}' > tasks/data.jsonl
cat > tasks/samples.yaml <<YAML
task: samples
dataset_path: json
dataset_kwargs: {data_files: {test: $work/tasks/data.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
repeats: 8
generation_kwargs: {until: [], max_gen_toks: 8, temperature: 1.0, seed: null}
filter_list: [{name: all, filter: [{function: take_first_k, k: 8}]}]
metric_list: [{metric: bypass}]
YAML

cat > twice.py <<'PY'
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import lm_eval
from lm_eval.tasks import TaskManager

asked = itertools.count(1)
calls = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        calls.append(f"river {next(asked)}")
        reply = {"choices": [{"index": 0, "message": {"role": "assistant", "content": calls[-1]}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()


def run(name):
    calls.clear()
    results = lm_eval.simple_evaluate(
        model="local-chat-completions",
        model_args={"model": "any", "base_url": f"http://127.0.0.1:{server.server_port}/v1/chat/completions"},
        tasks=["samples"],
        task_manager=TaskManager(include_path="tasks", include_defaults=False),
        apply_chat_template=True,
        use_cache="replies",
        bootstrap_iters=0,
    )
    (samples,) = results["samples"]["samples"][0]["resps"]
    print(f"{name} run: {len(samples)} samples, {len(set(samples))} different, {len(calls)} asked of the server")
    return len(samples), len(set(samples)), len(calls)


print("lm_eval", version("lm_eval"))
assert run("1st") == (8, 8, 8), "changed: the first run no longer asks for eight samples"
assert run("2nd") == (8, 1, 0), "changed: the cache no longer gives one sample eight times"
PY
venv/bin/python twice.py 2> stderr.txt || { tail -20 stderr.txt; exit 1; }
