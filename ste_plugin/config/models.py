"""Settings of a model: what runs it, what its chat template is given, how it marks its thoughts."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from ste_plugin.config.base import HomePath, Strict


class ThinkingConfig(Strict):
    """What a model writes around its thoughts, where that is none of the known marks."""

    open: Annotated[str, Field(min_length=1)] = Field(examples=["<scratch>"])
    """What begins a thought."""
    close: Annotated[str, Field(min_length=1)] = Field(examples=["</scratch>"])
    """What ends it: the answer follows."""

    @model_validator(mode="after")
    def _are_two(self) -> "ThinkingConfig":
        if self.open == self.close or not self.open.strip() or not self.close.strip():
            raise ValueError(
                f"found open {self.open!r} and close {self.close!r}; expected two different marks"
            )
        return self


_OURS = frozenset(
    [
        "messages",
        "conversation",
        "tokenize",
        "add_generation_prompt",
        "continue_final_message",
        "chat_template",
        "padding",
        "truncation",
        "max_length",
        "return_tensors",
        "return_dict",
    ]
)
"""What rendering a chat is told by the program that asks."""


def _check_template_kwargs(given: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(_OURS.intersection(given)):
        raise ValueError(
            f"{', '.join(taken)}: said by every request itself; expected what the template asks "
            "for, as enable_thinking"
        )
    try:
        json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"found {given!r}; expected values that JSON has: text, numbers, true, false, lists "
            "and mappings (a date needs quotes)"
        ) from error
    return given


TemplateKwargs = Annotated[dict[str, Any], AfterValidator(_check_template_kwargs)]


class ModelConfig(Strict):
    """A model and the engine that runs it."""

    model: HomePath = Field(examples=["meta-llama/Llama-3.1-8B-Instruct"])
    """A folder or a hub id; a generator's over HTTP, the name that the server knows. The folder
    may be that of a LoRA adapter, but not of the judge that a run trains."""
    engine: str = "auto"
    """What runs it: auto, local, vllm, serve, http, decisions, ray, or a plugin's. `local` is
    transformers in this process; `vllm` is vLLM in this process; `serve` a vLLM server of the run's
    own; `http` any server with an OpenAI-compatible API; `decisions` a vLLM server that gives
    probabilities of letters (judging.format: decision); `ray` copies of any of them on the machines
    of a Ray cluster. `auto` is `serve` where `hosts.serve` names an environment, else `vllm` where
    it is installed beside a GPU, else `local`, and says which and why."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Settings of that engine, which checks them."""
    chat_template_kwargs: TemplateKwargs = Field(
        default_factory=dict, examples=[{"enable_thinking": False}]
    )
    """What its chat template is given beside the turns, wherever it is asked or trained, as
    `{enable_thinking: false}`."""
    thinking: Annotated[
        ThinkingConfig | None, Field(examples=[{"open": "<scratch>", "close": "</scratch>"}])
    ] = None
    """Marks around its thoughts. By default found in its tokenizer and template, else those of the
    known families (`<think>`, `[THINK]`, channels and others)."""
