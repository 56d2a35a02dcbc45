"""Settings of training and measuring, and of the programs that do it."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ste_plugin.config.base import FolderName, Positive, Strict


class TrainingConfig(Strict):
    """What axolotl is given."""

    recipe: Annotated[tuple[str, ...], Field(min_length=1, examples=["sft-lora-8b"])]
    """A name of `ste recipes list`, or the path of an axolotl config. Of several, as
    [sft-lora-8b, dpo-lora-8b], each goes on from the model of the one before, on instructions of
    its own that this model has judged anew."""
    start_from: Literal["seed", "previous"] = "seed"
    """What an iteration trains. `seed` is the seed, as in the paper; `previous` the last
    iteration's judge."""

    @field_validator("recipe", mode="before")
    @classmethod
    def _one_or_several(cls, recipe: Any) -> Any:
        return (recipe,) if isinstance(recipe, str) else recipe


class EvaluationConfig(Strict):
    """What lm-eval is given: the test pairs, further pairs of yours, and judge benchmarks."""

    backend: str = "hf"
    """lm-eval's --model, as vllm, local-completions or local-chat-completions."""
    model_args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """lm-eval's --model_args, as {dtype: bfloat16}."""
    batch_size: Positive = 8
    """lm-eval's --batch_size."""
    max_new_tokens: Positive | None = None
    """Longest judgment in tokens; by default what the format says."""
    omit: tuple[str, ...] = ()
    """Names that a judge's server does not take, to be left out of requests: [seed, top_k]. Those
    that its first refusal names are found without."""
    pairs: dict[FolderName, str] = Field(default_factory=dict)
    """Further labelled pairs: {mine: labelled.jsonl}. Each line has `id, subset, prompt, chosen,
    rejected`."""
    tasks: tuple[FolderName, ...] = ()
    """Judge benchmarks, as [ste_llmbar, ste_judgebench]: `ste tasks list`. They may be added to a
    finished run, which then measures them for every judge."""
    data: str = ""
    """Folder with the benchmarks' data, each in a file of its name; by default the hub."""
    limit: Positive | None = None
    """Read only this many pairs of each such file and benchmark."""
    too_long: Literal["refuse", "drop"] = "refuse"
    """What to do about pairs that do not fit the context. `drop` reports the rate."""


class HostConfig(Strict):
    """The environment of one host."""

    python: str | None = None
    """The interpreter that has it; by default that of `ste`."""
    timeout_minutes: Positive | None = None
    """End it after so long; by default never."""


class ServeConfig(Strict):
    """Where the server of an `engine: serve` is found."""

    python: str | None = None
    """The interpreter that has vLLM; by default that of `ste`."""
    command: tuple[str, ...] = ()
    """What starts the server instead, as a list of words: a wrapper, a container. vLLM's own
    arguments are put behind it; with `{port}` among the words it is complete as it stands, and
    `{port}`, `{model}` and `{name}` are filled in: SGLang, for one."""


class HostsConfig(Strict):
    """axolotl, lm-eval and vLLM's server run as subprocesses, each where it is installed."""

    train: HostConfig = HostConfig()
    """axolotl's environment."""
    eval: HostConfig = HostConfig()
    """lm-eval's environment."""
    serve: ServeConfig = ServeConfig()
    """The environment of a vLLM server, for `engine: serve`."""
