"""One strict model of a run's YAML. Every key here is read somewhere; unknown keys fail.

The docstring below a setting is its line in the reference and, by its first sentence, in what
`ste init` writes.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ste_plugin.config.base import FolderName, Fraction, Positive, Strict
from ste_plugin.config.gates import GatesConfig
from ste_plugin.config.hosts import (
    EvaluationConfig,
    HostConfig,
    HostsConfig,
    ProgramConfig,
    ServeConfig,
    TrainingConfig,
)
from ste_plugin.config.instructions import (
    PersonalData,
    PrivacyConfig,
    SelectionConfig,
    SourceConfig,
)
from ste_plugin.config.method import AuditConfig, DatasetConfig, JudgingConfig, PairsConfig

__all__ = [
    "AuditConfig",
    "BudgetConfig",
    "DatasetConfig",
    "EvaluationConfig",
    "FolderName",
    "Fraction",
    "GatesConfig",
    "HostConfig",
    "HostsConfig",
    "JudgingConfig",
    "ModelConfig",
    "PairsConfig",
    "PersonalData",
    "Positive",
    "PrivacyConfig",
    "ProgramConfig",
    "RunConfig",
    "SelectionConfig",
    "ServeConfig",
    "SourceConfig",
    "Strict",
    "ThinkingConfig",
    "TrainingConfig",
]


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

    model: str = Field(examples=["meta-llama/Llama-3.1-8B-Instruct"])
    """A folder or a hub id; a generator's over HTTP, the name that the server knows. The folder
    may be that of a LoRA adapter."""
    engine: str = "auto"
    """What runs it: auto, local, vllm, serve, http, ray, or a plugin's. `local` is transformers in
    this process; `vllm` is vLLM in this process; `serve` a vLLM server of the run's own; `http`
    any server with an OpenAI-compatible API; `ray` copies of any of them on the machines of a Ray
    cluster. `auto` is `serve` where `hosts.serve` names an
    environment, else `vllm` where it is installed beside a GPU, else `local`, and says which and
    why."""
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


class BudgetConfig(Strict):
    """What a run may use at most; it then ends well, with what it has."""

    max_tokens_total: Positive | None = None
    """Tokens that generator and judge may write, all iterations together."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Minutes after which no request and no iteration is begun. Those before a resume count,
    too."""


class RunConfig(Strict):
    """A whole run."""

    run: Path = Field(examples=["runs/my-judge"])
    """Folder of the run, relative to the config; run again to resume."""
    seed: int = 0
    """Decides what is held out, which rows are drawn, and how axolotl trains."""
    iterations: Positive = 1
    """How often to judge, train and measure. More may be asked of a finished run."""
    keep: Literal["best", "last"] = "best"
    """Which iteration to end with. The best is that which is right in both orders most often on
    the dev pairs, and breaks no gate; the test pairs decide nothing."""
    judge: ModelConfig
    """The seed: judges in iteration 1, and every iteration trains from it."""
    generator: ModelConfig | None = Field(
        None,
        examples=[
            {
                "model": "my-generator",
                "engine": "http",
                "options": {
                    "base_url": "http://127.0.0.1:8000/v1",
                    "api_key_env": "MY_API_KEY",
                },
            }
        ],
    )
    """Writes the answers; by default the seed itself. It has the keys of `judge`."""
    instructions: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    """Where instructions come from; as many files and data sets as you like."""
    privacy: PrivacyConfig = PrivacyConfig()
    """Personal data to take out before anything else sees an instruction."""
    selection: SelectionConfig = SelectionConfig()
    """Which instructions are kept; by default all but duplicates."""
    pairs: PairsConfig = PairsConfig()
    """How a better and a worse answer to each instruction are made."""
    judging: JudgingConfig = JudgingConfig()
    """How judgments are sampled."""
    dataset: DatasetConfig = DatasetConfig()
    """How judgments become training rows."""
    training: TrainingConfig
    """What axolotl is given."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What lm-eval is given beside the dev and test pairs."""
    gates: GatesConfig = GatesConfig()
    """What an iteration must keep to be shipped, and to judge in the next one."""
    audit: AuditConfig = AuditConfig()
    """How much `ste audit` asks."""
    budget: BudgetConfig = BudgetConfig()
    """What a run may use at most; it then ends well, with what it has."""
    hosts: HostsConfig = HostsConfig()
    """Where axolotl, lm-eval and vLLM are installed, if not here."""
    plugins: tuple[str, ...] = ()
    """Unpublished hooks.py files, relative to the config. Each has to be named on the command
    line, too (`--plugin`): a config alone runs no code."""
