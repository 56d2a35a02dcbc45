#!/usr/bin/env bash
# lm-eval 0.4.13, option --cache_requests.
# Expected: requests are kept for as long as they are what the task would build; a changed data file or prompt builds them anew.
# It does: the cache knows a task by its name, its number of shots and the tokenizer. After the data or the template changed, the old prompts
# are sent, and the replies to them are scored against the new rows.
#
# Seen: lm_eval 0.4.13
#       1st run: row asks "Which river is longest?", the model is sent "Question: Which river is longest?"
#       2nd run: row asks "Which hill is highest?",  the model is sent "Question: Which river is longest?"
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "lm_eval==0.4.13" "datasets==5.2.0"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 LM_HARNESS_CACHE_PATH="$work/cache"
venv/bin/pip list 2>/dev/null | grep '^lm_eval ' | tr -s ' '

mkdir tasks
run() {  # QUESTION TEMPLATE ORDINAL
    echo "{\"question\": \"$1\"}" > tasks/data.jsonl
    cat > tasks/asked.yaml <<YAML
task: asked
dataset_path: json
dataset_kwargs: {data_files: {test: $work/tasks/data.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "$2: {{question}}"
doc_to_target: ""
generation_kwargs: {until: []}
metric_list: [{metric: bypass}]
YAML
    rm -rf out
    venv/bin/lm_eval --model dummy --tasks asked --include_path tasks --cache_requests true --log_samples --output_path out \
        > log.txt 2>&1 || { tail -20 log.txt; exit 1; }
    venv/bin/python - "$3" > "$3.txt" <<'PY'
import json
import sys
from pathlib import Path

(samples,) = Path("out").rglob("samples_*.jsonl")
(sample,) = map(json.loads, samples.open())
row = json.dumps(sample["doc"]["question"]) + ","
print(f'{sys.argv[1]} run: row asks {row:26} the model is sent {json.dumps(sample["arguments"]["gen_args_0"]["arg_0"])}')
PY
    cat "$3.txt"
}
run "Which river is longest?" "Question" 1st
run "Which hill is highest?" "Please answer" 2nd
grep -q 'row asks "Which hill is highest?", .* sent "Question: Which river is longest?"' 2nd.txt \
    || { echo "changed: the second run no longer sends the prompt of the first"; exit 1; }
