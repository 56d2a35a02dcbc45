"""Runs in a process of its own: how likely a model's folder finds some tokens behind prompts.

`python -m ste_plugin.axolotl.measure_model` reads from standard input
`{"model": folder, "device": "auto" or "cpu", "trust_remote_code": …, "prompts": [[token, …], …],
"watched": [[token, …], …]}` and prints `STE [[log-probability, …], …]`. Code of the model's own
library is as it was installed here, where a training has patched it.
"""

import json
import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch

NO_MEMORY = 3
"""Exit code where the model does not fit."""


def main() -> int:
    """Answer one question; return the exit code."""
    asked = json.load(sys.stdin)
    try:
        model = load(asked["model"], asked["device"], trusted=asked["trust_remote_code"])
        found = measured(model, asked["prompts"], asked["watched"])
    except (MemoryError, torch.OutOfMemoryError):
        return NO_MEMORY
    sys.stdout.write(f"\nSTE {json.dumps(found)}\n")
    return 0


def load(folder: str, device: str, *, trusted: bool) -> Any:
    """Return a model, on all GPUs here or in memory.

    Raises: MemoryError where it does not fit into memory.
    """
    import transformers

    from ste_plugin.engines.local.memory import free_memory

    size = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    if device == "cpu" and size > free_memory(torch.device("cpu")):
        raise MemoryError(folder)
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trusted)
    has_text_class = type(config) in transformers.AutoModelForCausalLM._model_mapping
    if has_text_class or hasattr(config, "auto_map"):
        loader = transformers.AutoModelForCausalLM
    else:
        loader = transformers.AutoModelForImageTextToText
    model = loader.from_pretrained(
        folder,
        dtype="auto",
        device_map=device if device == "auto" else None,
        trust_remote_code=trusted,
        use_safetensors=True,
    )
    return model.eval()


def measured(
    model: Any, prompts: Sequence[Sequence[int]], watched: Sequence[Sequence[int]]
) -> list[list[float]]:
    """Return the log-probabilities of each prompt's watched tokens right behind it."""
    with torch.no_grad():
        return [
            last_log_probabilities(model, prompt)[list(tokens)].tolist()
            for prompt, tokens in zip(prompts, watched, strict=True)
        ]


def last_log_probabilities(model: Any, prompt: Sequence[int]) -> Any:
    """Return the log-probabilities of all tokens right behind a prompt, as float32 on the CPU."""
    device = next(iter(model.parameters())).device
    ids = torch.tensor([list(prompt)], device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    if keeps_logits(model):
        inputs["logits_to_keep"] = 1
    logits = model(**inputs).logits
    return torch.log_softmax(logits[0, -1].float(), dim=-1).cpu()


def keeps_logits(model: Any) -> bool:
    """Return whether a model, however wrapped, can leave out the logits that are not asked for."""
    inner = getattr(model, "module", model)
    inner = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    return "logits_to_keep" in signature(inner.forward).parameters


if __name__ == "__main__":
    sys.exit(main())
