"""One strict model of a run's YAML. Every key here is read somewhere; unknown keys fail."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,79}", value):
        raise ValueError(
            f"found {value[:80]!r}; expected a name for a folder: letters, digits and _ . + -, 80 at most"
        )
    return value


FolderName = Annotated[str, AfterValidator(_folder_name)]
PersonalData = Literal["email", "phone", "card", "iban", "ip", "key", "name"]


class Strict(BaseModel):
    """Unknown keys fail; a config does not change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Strict):
    """A model and the engine that runs it."""

    model: str
    """A folder or a hub id; over HTTP, the name that the server knows."""
    engine: str = "auto"
    """`local`, `vllm`, `serve`, `http`, or a plugin's (`ste plugins` lists them); `auto` picks one of the
    first three by what is installed, and says so."""
    options: dict[str, Any] = {}
    """Settings of that engine, checked by the engine."""


class SourceConfig(Strict):
    """Where instructions come from and how they are read."""

    reader: str = "jsonl"
    """`jsonl`, `csv`, `parquet`, `hub`, or a plugin's."""
    path: str
    """A file, relative to the config; for `hub` a data set's name."""
    form: Literal["plain", "wildchat", "sharegpt", "openai", "alpaca"] = "plain"
    columns: dict[str, str] = {}
    """The form's column name → the file's, where they differ: `{instruction: prompt}`."""
    where: dict[str, str | bool | int | float] = {}
    """Keep only rows with these values: `{language: English, toxic: false}`."""
    split: str = "train"
    """Split of a hub data set."""
    subset: str | None = None
    """Subset (configuration) of a hub data set that has several, as `main` of gsm8k."""
    limit: Positive | None = None
    """Read no more than this many instructions."""
    on_bad_line: Literal["error", "skip"] = "error"


class PrivacyConfig(Strict):
    """What is taken out of instructions as they are read, before anything else sees them."""

    scrub: tuple[PersonalData, ...] = ()
    """Kinds of personal data that placeholders such as `<EMAIL>` stand in for; by default none.
    `key` means keys, tokens and passwords; `name` needs spaCy and a model of it."""
    phone_regions: tuple[str, ...] = ("US",)
    """Countries whose numbers are known without +, as US, GB, DE; with + those of all are."""
    name_model: str = "en_core_web_sm"
    """Name or folder of the spaCy model that finds names."""


class SelectionConfig(Strict):
    """Which instructions are kept."""

    label: bool = False
    """Let the generator label category, complexity and expected length."""
    selectors: tuple[str, ...] = (
        "exact-duplicates",
        "near-duplicates",
        "complexity",
        "category-quotas",
        "limit",
    )
    """What to apply, in this order; each does nothing until its setting below asks for something."""
    near_duplicate_threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Jaccard similarity of word 3-grams from which two instructions count as one."""
    categories: dict[str, Positive] = {}
    """Category → how many to keep; fewer in the pool is an error. Other categories are dropped."""
    min_complexity: Annotated[int, Field(ge=1, le=10)] = 1
    max_complexity: Annotated[int, Field(ge=1, le=10)] = 10
    limit: Positive | None = None
    """Keep at most this many in all."""

    @model_validator(mode="after")
    def _needs_labels(self) -> "SelectionConfig":
        if self.min_complexity > self.max_complexity:
            raise ValueError(
                f"found min_complexity {self.min_complexity} above max_complexity {self.max_complexity}; "
                "expected the smaller number first. Swap them"
            )
        if (self.min_complexity, self.max_complexity) != (1, 10) and not self.label:
            raise ValueError(
                "found a range of complexity without labels; expected both. Set label: true"
            )
        return self


class PairsConfig(Strict):
    """How response pairs are made."""

    strategies: Annotated[tuple[str, ...], Field(min_length=1)] = ("modified-instruction",)
    """Every instruction goes through each of these."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    max_new_tokens: Positive = 2048
    system: str = ""
    """A system turn for every answer, worse ones included: `Answer in one or two sentences.`"""


class JudgingConfig(Strict):
    """How judgments are sampled."""

    format: str = "criteria"
    samples: Positive = 15
    """Most judgments a pair and presentation order; `sampling` says when fewer are enough."""
    sampling: Literal["until_correct", "until_both", "until_decided", "fixed"] | None = None
    """When a pair and order is settled: at a correct judgment, at a correct and a wrong one, when the
    majority is decided (and right), or never; by default what the recipe's rows need: `until_both`
    for dpo and kto, else `until_correct`."""
    top_up: Annotated[int, Field(ge=0)] = 15
    """Most further judgments a pair, in the order whose letter would run short among the kept."""
    skip_always_right: bool = False
    """Leave out training pairs of which the last iteration judged every sample in both orders right."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    max_new_tokens: Positive | None = None
    """By default what the format says."""
    force_verdict: bool = False
    """Where the judge states no verdict, put the format's closing words in its mouth and draw A or B."""


class DatasetConfig(Strict):
    """How judgments become training rows."""

    sequence_len: Positive = 4096
    """Longest row in tokens of the judge's own tokenizer and chat template."""
    dev_fraction: Fraction = 0.05
    test_fraction: Fraction = 0.05
    """Shares of the instructions held out; decided by instruction, the same in every iteration."""
    formats: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Row formats to write, by name (sft, dpo, kto, grpo); by default the one that the recipe trains on."""
    weigh_by_pass_rate: bool = False
    """Keep fewer of the pairs that the judge is mostly right about already."""
    both_orders_only: bool = False
    """Keep a pair only when it was judged rightly in both presentation orders."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "DatasetConfig":
        if self.dev_fraction + self.test_fraction >= 0.9:
            raise ValueError(
                f"found dev_fraction {self.dev_fraction:g} + test_fraction {self.test_fraction:g}, which leave "
                "under a tenth for training; expected less than 0.9 together. Lower one of them"
            )
        return self


class TrainingConfig(Strict):
    """What axolotl is given."""

    recipe: Annotated[tuple[str, ...], Field(min_length=1)]
    """A recipe's name (`ste recipes list`) or the path of an axolotl YAML; of several, each goes on
    from the model of the one before, on instructions of its own that this model has judged anew."""
    start_from: Literal["seed", "previous"] = "seed"

    @field_validator("recipe", mode="before")
    @classmethod
    def _one_or_several(cls, recipe: Any) -> Any:
        return (recipe,) if isinstance(recipe, str) else recipe


class EvaluationConfig(Strict):
    """What lm-eval is given."""

    backend: str = "hf"
    """The `--model` of lm-eval: `hf`, `vllm`, `local-completions`, `local-chat-completions`."""
    model_args: dict[str, str | int | float | bool] = {}
    batch_size: Positive = 8
    max_new_tokens: Positive | None = None
    """By default what the judge format says."""
    pairs: dict[FolderName, str] = {}
    """Further labelled pairs: name → JSONL of `id, subset, prompt, chosen, rejected`."""
    tasks: tuple[FolderName, ...] = ()
    """Further judge benchmarks, by the name of their lm-eval task: `ste tasks list`."""
    data: str = ""
    """Folder with these benchmarks' data, each in a file of its name; by default from the hub."""
    limit: Positive | None = None
    """Pairs of each such file and benchmark."""
    too_long: Literal["refuse", "drop"] = "refuse"
    """What to do about their pairs that do not fit the model's context; `drop` reports the rate."""


class HostConfig(Strict):
    """The environment of one host."""

    python: str | None = None
    """The interpreter in whose environment it is installed; by default the one that runs `ste`."""
    timeout_minutes: Positive | None = None


class ServeConfig(Strict):
    """Where the server of an `engine: serve` is found."""

    python: str | None = None
    """The interpreter of an environment that has vLLM; by default the one that runs `ste`."""
    command: tuple[str, ...] = ()
    """What starts the server instead (a wrapper, a container), as a list of words. vLLM's own
    arguments are put behind it; with `{port}` among the words it is complete as it stands, and
    `{port}`, `{model}` and `{name}` are filled in: SGLang, for one."""


class HostsConfig(Strict):
    """axolotl, lm-eval and vLLM's server run as subprocesses, each where it is installed."""

    train: HostConfig = HostConfig()
    eval: HostConfig = HostConfig()
    serve: ServeConfig = ServeConfig()


class BudgetConfig(Strict):
    """What a run may use at most; it then ends well, with what it has."""

    max_tokens_total: Positive | None = None
    """Tokens that generator and judge may generate, all iterations together."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Minutes after which no further request is begun and no further iteration, resumed work included."""


class RunConfig(Strict):
    """A whole run."""

    run: Path
    """Folder of the run, relative to the config."""
    seed: int = 0
    iterations: Positive = 1
    keep: Literal["best", "last"] = "best"
    """End with the best iteration by right-in-both-orders on dev, or with the last."""
    judge: ModelConfig
    """The seed judge."""
    generator: ModelConfig | None = None
    """Writes the responses; by default the seed judge itself."""
    instructions: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    privacy: PrivacyConfig = PrivacyConfig()
    selection: SelectionConfig = SelectionConfig()
    pairs: PairsConfig = PairsConfig()
    judging: JudgingConfig = JudgingConfig()
    dataset: DatasetConfig = DatasetConfig()
    training: TrainingConfig
    evaluation: EvaluationConfig = EvaluationConfig()
    budget: BudgetConfig = BudgetConfig()
    hosts: HostsConfig = HostsConfig()
    plugins: tuple[str, ...] = ()
    """Unpublished `hooks.py` files, relative to the config."""
