"""What a model is called in request keys: a name that two sets of weights never share."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.config import ModelConfig
from ste_plugin.engines.model_folder import ADAPTER_CONFIG, adapter_base
from ste_plugin.engines.nested import answering_model, revision_of
from ste_plugin.records import content_key

_PROBES, _PROBE_BYTES = 64, 4096
ANSWER_OPTIONS: dict[str, Any] = {
    "dtype": "auto",
    "extra_body": {},
    "omit": [],
    "quantization": None,
    "arguments": [],
}
"""Option that changes what is answered → its default: how weights are rounded, what a server is
asked, and what it is started with."""
_FLAG = re.compile(r"--?[a-z]", re.IGNORECASE)
_DEPLOYMENT = (
    *("-tp", "-pp", "-dp", "--tensor-parallel-size", "--pipeline-parallel-size"),
    *("--data-parallel-", "-dcp", "--decode-context-parallel-size", "--enable-expert-parallel"),
    *("-ep", "--master-", "--nnodes", "--node-rank", "--headless"),
    *("--distributed-executor-backend", "--max-parallel-loading-workers", "--block-size"),
    *("--gpu-memory-utilization", "--kv-cache-memory-bytes", "--swap-space", "--cpu-offload-gb"),
    *("--max-model-len", "--max-num-", "--enforce-eager"),
    *("--enable-prefix-caching", "--enable-chunked-prefill", "--async-scheduling"),
    *("--host", "--port", "--root-path", "--ssl-", "--api-key", "--download-dir"),
    *("--disable-log-", "--enable-log-", "--uvicorn-log-level", "--disable-uvicorn-"),
)
"""How flags of vLLM begin that say where and how fast a model runs. An argument that is not known
counts as one that changes answers: asking again costs time, mixed answers are not noticed."""


def model_path(model: ModelConfig, base: Path) -> str:
    """Return the model's folder if there is one beside the config, else its name as given."""
    folder = base / model.model
    return str(folder) if folder.is_dir() else model.model


def model_identity(model: ModelConfig, base: Path) -> str:
    """Return a name that changes with the weights: a folder's fingerprint, else name@revision.

    It changes with what the chat template is given, too: the same turns are another prompt then. So
    it does with the options that change what is answered, and with the marks by which thoughts are
    told from answers.
    """
    folder = Path(model_path(model, base))
    name = f"{model.model}@{revision_of(model)}"
    model = answering_model(model)
    if folder.is_dir():
        name = f"folder:{fingerprint(folder)}"
    if model.chat_template_kwargs:
        name += f"+{content_key('chat_template_kwargs', model.chat_template_kwargs)}"
    if model.thinking:
        name += f"+{content_key('thinking', model.thinking.model_dump())}"
    if told := answer_options(model.options):
        name += f"+{content_key('options', told)}"
    return name


def answer_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of an engine's options that change what is answered, without defaults.

    >>> answer_options({"dtype": "auto", "arguments": ["-q", "fp8", "--port", "80"]})
    {'arguments': ['-q', 'fp8']}
    """
    found = {name: options[name] for name in ANSWER_OPTIONS if options.get(name)}
    if isinstance(arguments := found.get("arguments"), list | tuple):
        found["arguments"] = _answer_arguments([str(word) for word in arguments])
    return {k: value for k, value in found.items() if value and value != ANSWER_OPTIONS[k]}


def _answer_arguments(words: Sequence[str]) -> list[str]:
    """Return a server's arguments without flags of its deployment and the values of these."""
    kept, counts = [], True
    for word in words:
        if _FLAG.match(word):
            flag = word.replace("_", "-").replace("--no-", "--")
            counts = not flag.startswith(_DEPLOYMENT)
        if counts:
            kept.append(word)
    return kept


def fingerprint(folder: Path) -> str:
    """Return 16 hex digits of a model folder's configuration and of probes spread over its weights.

    64 probes of 4 KiB per file tell two trainings apart without reading 140 GB. The fingerprint of
    a LoRA adapter's folder depends on the weights of its base, not on where the base's folder lies.
    """
    digest = hashlib.sha256()
    base = adapter_base(folder)
    files = sorted(p for p in folder.iterdir() if p.is_file())
    weights = {p for p in files if p.suffix == ".safetensors"}
    weights = weights or {p for p in files if p.suffix == ".bin"}
    for path in files:
        if path in weights:
            digest.update(f"{path.name}:{path.stat().st_size}".encode() + _read_probes(path))
        elif path.name == ADAPTER_CONFIG and base is not None:
            digest.update(path.name.encode() + _read_adapter_config(path, base))
        elif path.suffix in (".json", ".jinja"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _read_probes(path: Path) -> bytes:
    last = max(0, path.stat().st_size - _PROBE_BYTES)
    probes = []
    with path.open("rb") as file:
        for number in range(_PROBES):
            file.seek(last * number // (_PROBES - 1))
            probes.append(file.read(_PROBE_BYTES))
    return b"".join(probes)


def _read_adapter_config(path: Path, base: str) -> bytes:
    """Return the adapter's settings with its base's fingerprint in place of the base's path."""
    settings = json.loads(path.read_bytes())
    if Path(base).is_dir():
        settings["base_model_name_or_path"] = f"folder:{fingerprint(Path(base))}"
    return json.dumps(settings, sort_keys=True).encode()
