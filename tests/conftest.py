"""A tiny real model that transformers, axolotl and lm-eval load: random weights, real tokenizer."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine stands still for longer than any deadline, and a commit answers for its own failures: the same inputs
# every time. New ones: `pytest --hypothesis-profile default`, and `make fuzz`.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

for name, value in {"HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1"}.items():
    os.environ.setdefault(name, value)
if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several torches wait for each other, spinning
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# in the background of a script the tests would start ignoring interrupts, which some are about
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begin with the files of slow tests: of two workers none should wait for the other at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -min(slow[item.path], 1))


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


def _tokenizer():
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
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|pad|>",
        chat_template=TEMPLATE, model_max_length=4096,
    )  # fmt: skip


def save_tiny_model(folder: Path, **changes) -> Path:
    """Save a random two-layer Llama (float32) with a byte-level BPE and a ChatML template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    torch.manual_seed(0)
    settings = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 4096, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None,
        "tie_word_embeddings": True, "dtype": "float32",
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**settings | changes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Folder of a random two-layer Llama."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_vllm_model(tmp_path_factory) -> Path:
    """Folder of a random two-layer Llama with heads of 32, the least that vLLM runs on a CPU."""
    folder = tmp_path_factory.mktemp("models") / "tiny-vllm"
    # untied, or a greedy answer would be its last word over and over
    return save_tiny_model(folder, head_dim=32, tie_word_embeddings=False, initializer_range=0.2)
