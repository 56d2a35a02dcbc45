#!/usr/bin/env bash
# axolotl 0.19.0 (TRL 1.9.0), `rl: dpo` with data of `type: chat_template.default`.
# Expected: a preference is trained on as the model will be asked later: the chat template's tokens, with one token that begins the text.
# It does: the prompt is rendered to text, which already holds the template's BOS, and that text is tokenized by a tokenizer that adds
# another. So it goes with Llama 3's tokenizer and template, and with any pair of that kind: every prompt begins twice, and no warning is given.
#
# Seen: axolotl 0.19.0
#       as the chat template tokenizes it: <s> <|im_start|> u s e r
#       as DPO trains on it:               <s> <s> <|im_start|> u s e r
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "axolotl==0.19.0" "torch==2.13.0"
cd "$work"
export HF_HOME="$work/hf" HF_HUB_OFFLINE=1 AXOLOTL_DO_NOT_TRACK=1 PYTHONPATH="$work"
venv/bin/pip list 2>/dev/null | grep '^axolotl ' | tr -s ' '

cat > make_model.py <<'PY'
"""A model of a few thousand weights; its tokenizer adds a BOS and its template begins with one, as Llama 3's do."""
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

marks = ["<s>", "<|im_end|>", "<|im_start|>"]
vocabulary = {text: number for number, text in enumerate([*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
of_bytes = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
of_bytes.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
of_bytes.decoder = decoders.ByteLevel()
of_bytes.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=of_bytes, bos_token=marks[0], eos_token=marks[1], pad_token=marks[1], additional_special_tokens=marks[2:]
)
tokenizer.chat_template = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
tokenizer.save_pretrained("model")
shape = LlamaConfig(
    vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    bos_token_id=0, eos_token_id=1, pad_token_id=1,
)
LlamaForCausalLM(shape).save_pretrained("model")
PY
venv/bin/python make_model.py 2> log.txt || { tail -20 log.txt; exit 1; }

cat > beginnings.py <<'PY'
"""An axolotl plugin that notes how a prompt of the first batch begins."""
import json
from pathlib import Path

from axolotl.integrations.base import BasePlugin


class Plugin(BasePlugin):
    def post_trainer_create(self, cfg, trainer):
        tokenizer = trainer.processing_class
        turns = json.loads(Path("data.jsonl").read_text())["messages"]
        asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
        trained = next(iter(trainer.get_train_dataloader()))["input_ids"][0].tolist()
        found = [tokenizer.convert_ids_to_tokens(tokens) for tokens in (asked[:6], trained[:7])]
        Path("beginnings.txt").write_text("\n".join(" ".join(tokens) for tokens in found) + "\n")
PY
cat > data.jsonl <<'JSON'
{"messages": [{"role": "user", "content": "Which is better?"}], "chosen": {"role": "assistant", "content": "The first."}, "rejected": {"role": "assistant", "content": "The second."}}
JSON
cat > config.yml <<'YAML'
base_model: model
rl: dpo
datasets: [{path: data.jsonl, split: train, type: chat_template.default}]
dataset_prepared_path: prepared
output_dir: out
plugins: [beginnings.Plugin]
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
venv/bin/axolotl train config.yml --launcher python > log.txt 2>&1 || { tail -20 log.txt; exit 1; }
{ read -r asked; read -r trained; } < beginnings.txt
echo "as the chat template tokenizes it: $asked"
echo "as DPO trains on it:               $trained"
[ "$asked" = "<s> <|im_start|> u s e r" ] || { echo "the template does not begin as meant"; exit 1; }
[ "$trained" = "<s> <s> <|im_start|> u s e r" ] || { echo "changed: DPO's prompts no longer begin twice"; exit 1; }
if grep -iE "bos|begin.*(twice|double)|double.*begin" log.txt | grep -i warn; then echo "changed: the second BOS is warned of"; exit 1; fi
