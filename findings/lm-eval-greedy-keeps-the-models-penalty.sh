#!/usr/bin/env bash
# lm-eval 0.4.13 with transformers 5.16.1, model type hf.
# Expected: a task with `do_sample: false` takes the likeliest token at each step, so a model's figures follow from its weights.
# It does: whatever the task leaves open comes from the generation_config.json beside the weights, without a word.
# Several published chat models ship a repetition_penalty there; it bends "greedy" decoding, and copies of the same weights without
# that file score differently. `repetition_penalty: 1.0` in the task's generation_kwargs takes it away.
#
# Seen: lm_eval 0.4.13, transformers 5.16.1, the same weights three times, do_sample: false
#       no penalty in generation_config:             w3 w36 w25 w1 w36 w36 w36 w36 w25 w24 w20 w21
#       repetition_penalty 1.3 there:                w3 w36 w25 w20 w17 w33 w25 w22 w33 w29 w25 w20
#       that, and repetition_penalty: 1.0 asked for: w3 w36 w25 w1 w36 w36 w36 w36 w25 w24 w20 w21
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "lm_eval[hf]==0.4.13" "datasets==5.2.0" "torch==2.13.0" "transformers==5.16.1"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1

mkdir tasks
echo '{"question": "w1 w2 w3"}' > tasks/data.jsonl
task() {  # NAME MORE_SETTINGS
    cat > "tasks/$1.yaml" <<YAML
task: $1
dataset_path: json
dataset_kwargs: {data_files: {test: $work/tasks/data.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
generation_kwargs: {until: [], max_gen_toks: 12, do_sample: false$2}
metric_list: [{metric: bypass}]
YAML
}
task greedy ""
task greedy_stated ", repetition_penalty: 1.0"

cat > greedy.py <<'PY'
import shutil

import lm_eval
import torch
import transformers
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, models, pre_tokenizers

words = {"<eos>": 0, **{f"w{number}": number for number in range(1, 40)}}
by_word = Tokenizer(models.WordLevel(words, unk_token="<eos>"))
by_word.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=by_word, eos_token="<eos>", pad_token="<eos>")
torch.manual_seed(8)
shape = transformers.LlamaConfig(
    vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    initializer_range=0.5, bos_token_id=0, eos_token_id=0, pad_token_id=0,
)
tokenizer.save_pretrained("plain")
transformers.LlamaForCausalLM(shape).save_pretrained("plain")
shutil.copytree("plain", "penalised")
transformers.GenerationConfig(repetition_penalty=1.3, eos_token_id=0, pad_token_id=0).save_pretrained("penalised")


def reply(model, task):
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": model, "device": "cpu", "dtype": "float32"},
        tasks=[task],
        task_manager=TaskManager(include_path="tasks", include_defaults=False),
        bootstrap_iters=0,
    )
    return results["samples"][task][0]["resps"][0][0]


print(f"lm_eval {lm_eval.__version__}, transformers {transformers.__version__}, the same weights three times, do_sample: false")
plain, penalised, stated = reply("plain", "greedy"), reply("penalised", "greedy"), reply("penalised", "greedy_stated")
print("no penalty in generation_config:            ", plain)
print("repetition_penalty 1.3 there:               ", penalised)
print("that, and repetition_penalty: 1.0 asked for:", stated)
assert plain != penalised, "changed: the model's repetition_penalty no longer bends greedy decoding"
assert plain == stated, "changed: the task's repetition_penalty no longer takes the model's away"
PY
venv/bin/python greedy.py 2> stderr.txt || { tail -20 stderr.txt; exit 1; }
if grep -i "penalty" stderr.txt; then echo "changed: the penalty is told of"; exit 1; fi
