#!/usr/bin/env bash
# lm-eval 0.4.13, a chat model behind an API.
# Expected: `repeats: 8` with `temperature: 1.0` draws eight independent samples per prompt.
# It does: every request carries "seed": 1234 unless the task says otherwise, so a server that honours seeds gives the same
# sample eight times, and a majority of eight is one vote paid for eight times. `generation_kwargs: {seed: null}` restores the draw.
#
# Seen: seeds by default: [1234, 1234, 1234, 1234, 1234, 1234, 1234, 1234], different replies: 1
#       seeds with seed: null: [None, None, None, None, None, None, None, None], different replies: 8
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "lm_eval[api]==0.4.13" "datasets==5.2.0" "transformers==5.16.1"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 OPENAI_API_KEY=unused
venv/bin/pip list 2>/dev/null | grep -i '^lm_eval '

mkdir tasks
echo '{"question": "Name a river."}' > tasks/data.jsonl
task() {  # NAME SEED_LINE
    cat > "tasks/$1.yaml" <<YAML
task: $1
dataset_path: json
dataset_kwargs: {data_files: {test: $work/tasks/data.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
repeats: 8
generation_kwargs: {until: [], max_gen_toks: 8, do_sample: true, temperature: 1.0$2}
filter_list: [{name: all, filter: [{function: take_first_k, k: 8}]}]
metric_list: [{metric: bypass}]
YAML
}
task votes ""
task votes_unseeded ", seed: null"

cat > votes.py <<'PY'
"""Ask a server that samples as vLLM does: the same seed gives the same text, no seed gives a new one."""
import json
import logging
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lm_eval
from lm_eval.tasks import TaskManager

seen = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"river {random.Random(body.get('seed')).getrandbits(64):x}"
        seen.append((body.get("seed"), text))
        reply = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"


def asked(task):
    seen.clear()
    lm_eval.simple_evaluate(
        model="local-chat-completions",
        model_args={"model": "any", "base_url": url},
        tasks=[task],
        task_manager=TaskManager(include_path="tasks", include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    seeds, texts = zip(*seen, strict=True)
    return list(seeds), len(set(texts))


seeds, different = asked("votes")
print(f"seeds by default: {seeds}, different replies: {different}")
assert seeds == [1234] * 8 and different == 1, "changed: votes are no longer all asked for with seed 1234"
seeds, different = asked("votes_unseeded")
print(f"seeds with seed: null: {seeds}, different replies: {different}")
assert seeds == [None] * 8 and different == 8, "changed: `seed: null` no longer takes the seed away"
PY
venv/bin/python votes.py 2> stderr.txt || { tail -20 stderr.txt; exit 1; }
