"""Settings of training and measuring, and of the programs that do it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ste_plugin.config.base import FolderName, HomePath, PathText, Positive, Strict
from ste_plugin.config.labelled import PathOrMeasured


class TrainingConfig(Strict):
    """What axolotl is given."""

    recipe: Annotated[tuple[PathText, ...], Field(min_length=1, examples=["sft-lora-8b"])]
    """A name of `ste recipes list`, or the path of an axolotl config. Of several, as
    [sft-lora-8b, dpo-lora-8b], each goes on from the model of the one before, on instructions of
    its own that this model has judged anew."""
    start_from: Literal["seed", "previous"] = "seed"
    """What an iteration trains. `seed` is the seed, as in the paper; `previous` the last
    iteration's judge."""
    instructions: Literal["all", "fresh"] = "all"
    """Which training instructions an iteration judges. `fresh`: they are split into as many parts
    as there are `iterations`, and each iteration has one that no other sees. `iterations` is then
    part of the split: to change it, make the data sets again."""

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
    """Longest judgment in tokens; by default judging.max_new_tokens, else what the format says."""
    omit: tuple[str, ...] = ()
    """Names that a judge's server does not take, to be left out of requests: [seed, top_k]. Those
    that its first refusal names are found without."""
    pairs: dict[FolderName, PathOrMeasured] = Field(default_factory=dict)
    """Further labelled pairs: {mine: labelled.jsonl}, in any of the shapes in which preferences are
    published. {mine: {path: labelled.jsonl, columns: {prompt: question}}} also says how they are
    read, by `columns`, `lists` and `bad_rows`."""
    tasks: tuple[FolderName, ...] = ()
    """Judge benchmarks, as [ste_llmbar, ste_judgebench]: `ste tasks list`. They may be added to a
    finished run, which then measures them for every judge."""
    data: PathText = ""
    """Folder with the benchmarks' data, each in a file of its name; by default the hub."""
    limit: Positive | None = None
    """Read only this many pairs of each such file and benchmark."""
    too_long: Literal["refuse", "drop"] = "refuse"
    """What to do about pairs that do not fit the context. `drop` reports the rate."""


class ProgramConfig(Strict):
    """The environment of a program that a run starts."""

    python: HomePath | None = None
    """The interpreter that has it, a path relative to the config or a program's name; by default
    that of `ste`."""
    timeout_minutes: Positive | None = None
    """End it after so long; by default never."""


class HostConfig(ProgramConfig):
    """The environment of axolotl, and what starts a training's processes there."""

    launcher: Literal["python", "accelerate", "torchrun"] = "python"
    """What starts a training's processes: axolotl's `--launcher`. `python` is one process, or all
    of Ray's where the recipe has `use_ray: true`."""
    launcher_args: tuple[Annotated[str | int, Field(union_mode="left_to_right")], ...] = ()
    """The launcher's own arguments, as [--nnodes, 2, --nproc_per_node, 8, --rdzv_endpoint,
    "$FIRST_NODE:29500"]. `$NAME` is the value of an environment variable."""
    wrapper: tuple[str, ...] = ()
    """Words before the whole command, as [srun, --ntasks-per-node=1]: what starts it on every
    node, or in a container. `$NAME` is the value of an environment variable."""

    @model_validator(mode="after")
    def _has_a_launcher(self) -> "HostConfig":
        if self.launcher_args and self.launcher == "python":
            raise ValueError(
                "launcher_args: given without a launcher, so that they would go nowhere; set "
                "launcher: torchrun or accelerate, or remove them"
            )
        return self


class ServeConfig(Strict):
    """Where the server of an `engine: serve` is found."""

    python: HomePath | None = None
    """The interpreter that has vLLM, as those of the others; by default that of `ste`."""
    command: tuple[str, ...] = ()
    """What starts the server instead, as a list of words: a wrapper, a container. vLLM's own
    arguments are put behind it; with `{port}` among the words it is complete as it stands, and
    `{port}`, `{model}` and `{name}` are filled in: SGLang, for one."""


class HostsConfig(Strict):
    """axolotl, lm-eval and vLLM's server run as subprocesses, each where it is installed."""

    train: HostConfig = HostConfig()
    """axolotl's environment, and what starts a training on several GPUs or nodes."""
    eval: ProgramConfig = ProgramConfig()
    """lm-eval's environment."""
    serve: ServeConfig = ServeConfig()
    """The environment of a vLLM server, for `engine: serve`."""

    def beside(self, base: Path) -> "HostsConfig":
        """Return the same with interpreters' paths from `base`; a program's name stays one."""

        def placed(python: str | None) -> str | None:
            return str(base / python) if python and os.sep in python else python

        hosts: dict[str, ProgramConfig | ServeConfig] = {
            "train": self.train,
            "eval": self.eval,
            "serve": self.serve,
        }
        return self.model_copy(
            update={n: h.model_copy(update={"python": placed(h.python)}) for n, h in hosts.items()}
        )
