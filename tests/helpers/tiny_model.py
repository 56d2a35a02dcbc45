"""A tiny real model that transformers, axolotl and lm-eval load: random weights, real tokenizer."""

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN3_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if loop.last and message['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
"""What Qwen3's own template writes of a user turn and an answer without a thought."""
SENTENCES = (
    "Which answer fits the instruction? Reply [[A]] or [[B]].",
    "[Instruction] Name a fruit. [Answer A] An apple. [Answer B] A spade.",
    "Say why in two sentences, then end with `Final verdict: [[A]]` or `Final verdict: [[B]]`.",
    "Two assistants answered the same instruction; decide which serves the person better.",
    "The quick brown fox jumps over the lazy dog, 0123456789 times.",
)


def tiny_tokenizer(template=TEMPLATE, sentences=SENTENCES, added=()):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    lines = pre_tokenizers.Split(Regex(r"[\r\n]+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([lines, in_bytes]) if added else in_bytes
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.add_tokens(list(added))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        chat_template=template,
        model_max_length=4096,
    )


def save_without_weights(folder: Path) -> Path:
    """Save what a run reads of a model whose answers a function gives: its config and tokenizer."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama", "max_position_embeddings": 4096}')
    tiny_tokenizer().save_pretrained(folder)
    return folder


def save_tiny_model(folder: Path, **changes) -> Path:
    """Save a random two-layer Llama (float32) with a byte-level BPE and a ChatML template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return _save(folder, tiny_tokenizer(), LlamaConfig, LlamaForCausalLM, changes)


def save_tiny_qwen3(folder: Path, **changes) -> Path:
    """Save a random two-layer Qwen3 (float32), of which stock vLLM makes a decision model.

    Its tokenizer writes all letters, digits, `yes` and `no` as one token each, as vLLM demands,
    and line breaks that follow each other as one, too, as Qwen3's does. Heads of 32 are the
    smallest that vLLM runs on a CPU.
    """
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = tiny_tokenizer(
        QWEN3_TEMPLATE, (*SENTENCES, *["yes", "no", "\n\n"] * 9), ("<think>", "</think>")
    )
    return _save(folder, tokenizer, Qwen3Config, Qwen3ForCausalLM, {"head_dim": 32} | changes)


def _save(folder: Path, tokenizer, config, model, changes) -> Path:
    import torch

    torch.manual_seed(0)
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }
    model(config(**settings | changes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
