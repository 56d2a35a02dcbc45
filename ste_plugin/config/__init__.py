"""One strict model of a run's YAML. Every key here is read somewhere; unknown keys fail.

The docstring below a setting is its line in the reference and, by its first sentence, in what
`ste init` writes.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ste_plugin.config.audit import AuditConfig
from ste_plugin.config.base import (
    FolderName,
    Fraction,
    HomePath,
    Positive,
    RunFolder,
    Strict,
)
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
from ste_plugin.config.method import DatasetConfig, JudgingConfig, PairsConfig
from ste_plugin.config.models import ModelConfig, ThinkingConfig

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


class BudgetConfig(Strict):
    """What a run may use at most; it then ends well, with what it has."""

    max_tokens_total: Positive | None = None
    """Tokens that generator and judge may write, all iterations together."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Minutes after which no request and no iteration is begun. Those before a resume count,
    too."""


class RunConfig(Strict):
    """A whole run."""

    run: RunFolder = Field(examples=["runs/my-judge"])
    """Folder of the run, relative to the config; run again to resume. Here and in every path `~` is
    your home folder."""
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
    instructions: tuple[SourceConfig, ...]
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
    """How much `ste audit` asks, and what its figures are held to."""
    budget: BudgetConfig = BudgetConfig()
    """What a run may use at most; it then ends well, with what it has."""
    hosts: HostsConfig = HostsConfig()
    """Where axolotl, lm-eval and vLLM are installed, if not here."""
    plugins: tuple[HomePath, ...] = ()
    """Unpublished hooks.py files, relative to the config. Each has to be named on the command
    line, too (`--plugin`): a config alone runs no code."""

    @model_validator(mode="before")
    @classmethod
    def _needs_no_instructions(cls, settings: Any) -> Any:
        """Have none where all pairs are given."""
        pairs = settings.get("pairs") if isinstance(settings, dict) else None
        if isinstance(pairs, dict) and pairs.get("given") and pairs.get("strategies") in ([], ()):
            return {"instructions": (), **settings}
        return settings

    @model_validator(mode="after")
    def _has_instructions(self) -> "RunConfig":
        if self.pairs.strategies and not self.instructions:
            raise ValueError("instructions: found []; expected at least 1 in the list")
        if self.instructions and not self.pairs.strategies:
            raise ValueError(
                f"instructions: found {len(self.instructions)} with pairs.strategies [], so that "
                "nothing is made of them. Name a strategy, or remove instructions"
            )
        return self

    @model_validator(mode="after")
    def _has_judgments_to_choose_from(self) -> "RunConfig":
        keep, judging = self.dataset.keep, self.judging
        if keep == "first":
            return self
        if judging.sampling not in ("fixed", "until_decided"):
            raise ValueError(
                f"dataset.keep: found {keep!r} with judging.sampling "
                f"{judging.sampling or 'left to the recipe'}, which stops once a row can be "
                "made; expected fixed or until_decided, which draw several to choose from. Set "
                "judging.sampling: fixed, or leave dataset.keep out"
            )
        if judging.samples < 2:
            raise ValueError(
                f"dataset.keep: found {keep!r} with judging.samples {judging.samples}; expected 2 "
                "or more to choose from. Raise judging.samples, or leave dataset.keep out"
            )
        return self

    @model_validator(mode="after")
    def _has_iterations_to_split_for(self) -> "RunConfig":
        if self.training.instructions == "all":
            return self
        if self.iterations == 1:
            raise ValueError(
                "training.instructions: found 'fresh' with iterations 1, whose one part is all "
                "instructions; expected 2 or more. Raise iterations, or leave "
                "training.instructions out"
            )
        if self.judging.skip_always_right:
            raise ValueError(
                "judging.skip_always_right: found true with training.instructions fresh, where no "
                "pair is judged in two iterations, so that there is none to leave out. Remove one "
                "of them"
            )
        return self

    @property
    def parts(self) -> int:
        """Return how many parts training instructions are split into, one an iteration; or 1."""
        return self.iterations if self.training.instructions == "fresh" else 1

    @property
    def models(self) -> dict[str, ModelConfig]:
        """Return the models that are named, by the setting that names each."""
        named = {
            "judge": self.judge,
            "generator": self.generator,
            "pairs.weaker": self.pairs.weaker,
        }
        return {setting: model for setting, model in named.items() if model}
