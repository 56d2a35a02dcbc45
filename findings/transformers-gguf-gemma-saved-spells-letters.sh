#!/usr/bin/env bash
# transformers 5.16.1, a Gemma 3 tokenizer read out of a GGUF file (`from_pretrained(..., gguf_file=...)`), saved and loaded again.
# Expected: a folder that `save_pretrained` wrote gives the tokenizer that was saved.
# It does: what was read is a unigram model, which has no merges. The class that is named beside it, GemmaTokenizer, loads as byte pair
# encoding with the merges it finds: none. So every word is spelled letter by letter, without a word about it. A Gemma 3 270M converted so
# is as good as untrained: on a sentence of English, 8.8 nats per character instead of 0.5.
#
# Seen: transformers 5.16.1, gguf 0.19.0
#       read from the GGUF file:  ['the', '▁quick']
#       saved and loaded again:   ['t', 'h', 'e', '▁', 'q', 'u', 'i', 'c', 'k']
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "torch==2.13.0" "transformers==5.16.1" "gguf==0.19.0" "sentencepiece==0.2.1"
cd "$work"
cat > tokenizer.py <<'PY'
import gguf
import numpy
import transformers

special = ["<pad>", "<eos>", "<bos>", "<unk>"]
raw = [f"<0x{number:02X}>" for number in range(256)]
# in the order of their merges; a token's score is its rank, as in the files of Gemma itself
words = ["th", "he", "the", "▁the", "▁q", "qu", "ui", "ck", "ick", "quick", "▁quick", *"▁thequick"]
words = list(dict.fromkeys(words))

file = gguf.GGUFWriter("model.gguf", "gemma3")
file.add_context_length(128)
file.add_embedding_length(8)
file.add_block_count(1)
file.add_feed_forward_length(16)
file.add_head_count(1)
file.add_head_count_kv(1)
file.add_key_length(8)
file.add_value_length(8)
file.add_layer_norm_rms_eps(1e-6)
file.add_sliding_window(64)
file.add_rope_freq_base(10000.0)
file.add_tokenizer_model("llama")
file.add_tokenizer_pre("default")
file.add_token_list(special + raw + words)
file.add_token_scores([-1000.0] * len(special) + [0.0] * len(raw) + [-float(rank) for rank in range(len(words))])
file.add_token_types([3, 3, 3, 2] + [6] * len(raw) + [1] * len(words))
file.add_pad_token_id(0)
file.add_eos_token_id(1)
file.add_bos_token_id(2)
file.add_unk_token_id(3)
file.add_add_space_prefix(False)
file.add_tensor("token_embd.weight", numpy.zeros((len(special + raw + words), 8), dtype=numpy.float32))
file.write_header_to_file()
file.write_kv_data_to_file()
file.write_tensors_to_file()
file.close()

read = transformers.AutoTokenizer.from_pretrained(".", gguf_file="model.gguf")
read.save_pretrained("saved")
loaded = transformers.AutoTokenizer.from_pretrained("saved")
before, after = read.tokenize("the quick"), loaded.tokenize("the quick")
print(f"transformers {transformers.__version__}")
print(f"read from the GGUF file:  {before}")
print(f"saved and loaded again:   {after}")
assert before == ["the", "▁quick"], "changed: what is read from the file"
assert after == list("the▁quick"), "changed: what was saved is no longer spelled letter by letter"
PY
HF_HUB_OFFLINE=1 venv/bin/python tokenizer.py
