#!/usr/bin/env bash
# transformers 5.16.1, `generate` of a model whose generation_config names no top_k.
# Expected: `do_sample=True, temperature=1.0` draws from the model's whole distribution, all the more as
# `model.generation_config.top_k` is None.
# It does: a default of 50 is filled in while generating. Only the 50 likeliest tokens can come, so samples are neither those that
# log-probabilities describe nor those of a server with other defaults. `top_k=0` gives the whole distribution.
#
# Seen: transformers 5.16.1, model.generation_config.top_k = None
#       5,000 draws of one of 1,000 tokens, nearly equally likely:  50 different ones
#       the same with top_k=0:                                     992 different ones
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "transformers==5.16.1"
cd "$work"
cat > draws.py <<'PY'
import torch
import transformers

torch.manual_seed(0)
shape = transformers.LlamaConfig(
    vocab_size=1000, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    initializer_range=0.001, bos_token_id=0, eos_token_id=None,
)
model = transformers.LlamaForCausalLM(shape)
prompt = torch.tensor([[1, 2, 3]])
likeliest = model(prompt).logits[0, -1].softmax(-1).max()
assert likeliest < 0.0011, "the model is not as even as meant"


def different(**settings):
    drawn = model.generate(
        prompt, do_sample=True, temperature=1.0, max_new_tokens=1, num_return_sequences=5000, pad_token_id=0, **settings
    )
    return len(set(drawn[:, -1].tolist()))


print(f"transformers {transformers.__version__}, model.generation_config.top_k = {model.generation_config.top_k}")
by_default, whole = different(), different(top_k=0)
print(f"5,000 draws of one of 1,000 tokens, nearly equally likely:  {by_default} different ones")
print(f"the same with top_k=0:                                     {whole} different ones")
assert model.generation_config.top_k is None, "changed: the default is now shown"
assert by_default == 50, "changed: sampling is no longer cut to the 50 likeliest tokens"
assert whole > 900, "changed: top_k=0 no longer draws from all tokens"
PY
venv/bin/python draws.py
