"""A tiny real model that transformers, axolotl and lm-eval load: random weights, real tokenizer."""

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SENTENCES = (
    "Which answer fits the instruction? Reply [[A]] or [[B]].",
    "[Instruction] Name a fruit. [Answer A] An apple. [Answer B] A spade.",
    "Say why in two sentences, then end with `Final verdict: [[A]]` or `Final verdict: [[B]]`.",
    "Two assistants answered the same instruction; decide which serves the person better.",
    "The quick brown fox jumps over the lazy dog, 0123456789 times.",
)


def tiny_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        chat_template=TEMPLATE,
        model_max_length=4096,
    )


def save_tiny_model(folder: Path, **changes) -> Path:
    """Save a random two-layer Llama (float32) with a byte-level BPE and a ChatML template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
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
    LlamaForCausalLM(LlamaConfig(**settings | changes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
