#!/usr/bin/env bash
# axolotl 0.19.0, `axolotl train` with dataset_prepared_path.
# Expected: a data file that was rewritten since the last training is read again.
# It does: prepared rows are kept under a hash of the config, in which a local file is its path. After the file changed, the old rows are
# trained on; the log says that a prepared data set was loaded, and the exit code is 0. A name per content (or per run) avoids it.
#
# Seen: axolotl 0.19.0
#       1st training: the file says "The first.",  trained on: The first.
#       2nd training: the file says "The second.", trained on: The first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "axolotl==0.19.0" "torch==2.13.0"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 AXOLOTL_DO_NOT_TRACK=1 PYTHONPATH="$work"
venv/bin/pip list 2>/dev/null | grep '^axolotl ' | tr -s ' '

cat > make_model.py <<'PY'
"""A model of a few thousand weights whose tokens are bytes."""
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

marks = ["<|im_end|>", "<|im_start|>"]
vocabulary = {text: number for number, text in enumerate([*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
of_bytes = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
of_bytes.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
of_bytes.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=of_bytes, eos_token=marks[0], pad_token=marks[0], additional_special_tokens=marks[1:]
)
tokenizer.chat_template = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
tokenizer.save_pretrained("model")
shape = LlamaConfig(
    vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    bos_token_id=0, eos_token_id=0, pad_token_id=0,
)
LlamaForCausalLM(shape).save_pretrained("model")
PY
venv/bin/python make_model.py 2> log.txt || { tail -20 log.txt; exit 1; }

cat > trained_on.py <<'PY'
"""An axolotl plugin that notes the text of what the trainer was given to learn."""
from pathlib import Path

from axolotl.integrations.base import BasePlugin


class Plugin(BasePlugin):
    def post_trainer_create(self, cfg, trainer):
        learnt = [token for token in trainer.train_dataset[0]["labels"] if token != -100]
        Path("trained_on.txt").write_text(trainer.processing_class.decode(learnt, skip_special_tokens=True))
PY
cat > config.yml <<'YAML'
base_model: model
datasets: [{path: data.jsonl, type: chat_template}]
dataset_prepared_path: prepared
output_dir: out
plugins: [trained_on.Plugin]
sequence_len: 256
micro_batch_size: 1
gradient_accumulation_steps: 1
max_steps: 1
learning_rate: 0.0001
optimizer: adamw_torch
lr_scheduler: constant
bf16: false
fp16: false
YAML

train() {  # ANSWER ORDINAL
    printf '{"messages": [{"role": "user", "content": "Which is better?"}, {"role": "assistant", "content": "%s"}]}\n' "$1" > data.jsonl
    venv/bin/axolotl train config.yml --launcher python > log.txt 2>&1 || { tail -20 log.txt; exit 1; }
    printf '%s training: the file says %-14s trained on: %s\n' "$2" "\"$1\"," "$(cat trained_on.txt)"
}
train "The first." 1st
[ "$(cat trained_on.txt)" = "The first." ] || { echo "the first training did not see its file"; exit 1; }
train "The second." 2nd
[ "$(cat trained_on.txt)" = "The first." ] || { echo "changed: the rewritten file is read again"; exit 1; }
