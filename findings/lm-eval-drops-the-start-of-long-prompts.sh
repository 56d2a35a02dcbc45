#!/usr/bin/env bash
# lm-eval 0.4.13, model type local-completions.
# Expected: a prompt longer than the context length that lm-eval assumes is an error, or at least a warning; what a server can read is its own.
# It does: unless `max_length` is given, it assumes 2048 whatever the server can read, and cuts longer prompts from the left without a word
# (its warning is checked after the cut, so it never comes). Instructions and rubrics stand at the start, so they are what is lost.
#
# Seen: lm_eval 0.4.13
#       prompt of 3,001 tokens, beginning with RUBRIC: the server reads 1,791 of them, beginning with word1209
#       warnings about length: 0
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "lm_eval[api]==0.4.13" "datasets==5.2.0" "transformers==5.16.1"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 OPENAI_API_KEY=unused

mkdir tasks
cat > tasks/long.yaml <<YAML
task: long
dataset_path: json
dataset_kwargs: {data_files: {test: $work/tasks/data.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
generation_kwargs: {until: [], max_gen_toks: 256}
metric_list: [{metric: bypass}]
YAML

cat > long.py <<'PY'
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

words = ["RUBRIC", *(f"word{number}" for number in range(3000))]
Path("tasks/data.jsonl").write_text(json.dumps({"question": " ".join(words)}) + "\n")
by_word = Tokenizer(models.WordLevel({word: number for number, word in enumerate([*words, "<eos>"])}, unk_token="<eos>"))
by_word.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=by_word, eos_token="<eos>").save_pretrained("tokenizer")
prompts, warnings = [], []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompts.extend(body["prompt"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"index": 0, "text": "A"}]}).encode())

    def log_message(self, *_):
        pass


class Warnings(logging.Handler):
    def emit(self, record):
        text = record.getMessage()
        if record.levelno >= logging.WARNING and ("truncat" in text or "max length" in text):
            warnings.append(text)


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name in ["", "lm_eval", "lm_eval.models.api_models"]:
    logging.getLogger(name).addHandler(Warnings())
lm_eval.simple_evaluate(
    model="local-completions",
    model_args={
        "model": "any",
        "base_url": f"http://127.0.0.1:{server.server_port}/v1/completions",
        "tokenizer": "tokenizer",
        "tokenizer_backend": "huggingface",
    },
    tasks=["long"],
    task_manager=TaskManager(include_path="tasks", include_defaults=False),
    bootstrap_iters=0,
)
(read,) = prompts
print("lm_eval", version("lm_eval"))
print(f"prompt of {len(words):,} tokens, beginning with RUBRIC: the server reads {len(read):,} of them, beginning with {words[read[0]]}")
print("warnings about length:", len(warnings))
assert len(read) == 2047 - 256, "changed: the prompt is cut elsewhere, or not at all"
assert read == list(range(len(words)))[-len(read):], "changed: the prompt is no longer cut from the left"
assert not warnings, "changed: the cut is warned of"
PY
venv/bin/python long.py 2> stderr.txt || { tail -20 stderr.txt; exit 1; }
if grep -iE "truncat|exceed" stderr.txt; then echo "changed: the cut is warned of"; exit 1; fi
