"""What one run works with: its config, its folder, its plugins, and the models it has open."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pluggy

from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.engines.base import Engine, Place
from ste_plugin.engines.identity import model_identity, model_path
from ste_plugin.engines.model_pool import ModelPool
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStores
from ste_plugin.inference.probe import Probes
from ste_plugin.inference.share import EVERYTHING, Share
from ste_plugin.judging import JudgeFormat
from ste_plugin.plugins.judge_formats import find_judge_format
from ste_plugin.plugins.manager import find_contribution, import_object, registered_files
from ste_plugin.progress import ProgressReporter
from ste_plugin.records import Columns, Record, ResponsePair, content_key
from ste_plugin.storage.run_layout import RunLayout


def open_engine(model: ModelConfig, place: Place, plugins: pluggy.PluginManager) -> Engine:
    """Return the engine that a model's config names; nothing is loaded or connected yet.

    Raises: ConfigError for an engine that no plugin contributes, or a wrong option of it.
    """
    create = import_object(find_contribution(plugins, "ste_engines", model.engine, "engine"))
    engine: Engine = create(model, replace(place, plugins=registered_files(plugins)))
    return engine


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The prompts of a benchmark or a file, which no instruction is to repeat."""

    name: str
    """As the config names it."""
    prompts: Sequence[tuple[str, str]] = ()
    """Id and text of each; no two have one text."""
    problem: str = ""
    """Why they could not be read, where they could not."""


class GivenPair(Record, frozen=True):
    """A labelled pair that somebody has."""

    where: str
    """Its place: file:line."""
    prompt: str
    better: str
    worse: str
    is_preferred: bool = True
    """Whether it is known that the better answer is that; not so of a tie."""
    shown: Columns = ()
    """Columns of its row that the judge format shows, or chooses a rubric by."""


def _nothing(_: "RunContext") -> Sequence[PromptSet]:
    return ()


def _no_pairs(_: "RunContext") -> Iterable[GivenPair]:
    return ()


@dataclass(frozen=True, slots=True)
class RunContext:
    """An open run."""

    config: RunConfig
    base: Path
    """Folder that relative paths in the config start from."""
    folder: RunLayout
    plugins: pluggy.PluginManager
    progress: ProgressReporter
    models: ModelPool
    budget: Budget
    probes: Probes = field(default_factory=Probes)
    """What is looked at of each stage before the rest is paid for."""
    stores: CompletionStores = field(default_factory=CompletionStores)
    """The completions of stages that are being made."""
    share: Share = EVERYTHING
    """Which of the run's requests this process answers."""
    read_kept_out: Callable[["RunContext"], Sequence[PromptSet]] = _nothing
    """Reads the prompts that no instruction may repeat: benchmarks, which the pool knows nothing
    of."""
    read_given: Callable[["RunContext"], Iterable[GivenPair]] = _no_pairs
    """Reads the labelled pairs of `pairs.given`, anew with each call."""

    @property
    def generator_model(self) -> ModelConfig:
        """The model that writes responses: its own, or the seed judge."""
        return self._placed(self.config.generator or self.config.judge)

    @property
    def weaker_model(self) -> ModelConfig | None:
        """The model that writes worse responses, where the config names one."""
        weaker = self.config.pairs.weaker
        return self._placed(weaker) if weaker else None

    def _placed(self, model: ModelConfig) -> ModelConfig:
        return model.model_copy(update={"model": model_path(model, self.base)})

    @property
    def generator_identity(self) -> str:
        """Name and fingerprint of the generator's weights."""
        return model_identity(self.generator_model, self.base)

    @property
    def judge_format(self) -> JudgeFormat:
        """The judge format, for training and evaluation alike."""
        judging = self.config.judging
        return find_judge_format(
            self.plugins, judging.format, "judging.format", self.base, judging.rubric
        )


@dataclass(frozen=True, slots=True)
class Iteration:
    """One round, or one stage of it: which model judges, and where the results go."""

    number: int
    """From 1."""
    context: RunContext
    judge: ModelConfig
    """The seed judge in the first round, then the judge trained in the stage before, or in the last
    round that broke no gate."""
    stage: int = 1
    """From 1; there are as many as `training.recipe` names recipes."""
    rows: str = "sft"
    """The row format that its recipe trains on."""
    judged_by: int | None = None
    """The round that its judge is of, where that is not the round before; 0 is the seed."""
    by_both_orders: bool = False
    """Whether its recipe trains by both orders of a pair at once (`ste.decision`)."""
    recipe_takes: int | None = None
    """Tokens of the longest row that its recipe trains on; None for any."""

    @property
    def longest_row(self) -> int:
        """Tokens that a row may have: `dataset.sequence_len`, or what its recipe takes, if less."""
        longest = self.context.config.dataset.sequence_len
        return longest if self.recipe_takes is None else min(longest, self.recipe_takes)

    @property
    def whole_pairs(self) -> bool:
        """Whether a pair is kept only where it has an example in both orders."""
        return self.by_both_orders or self.context.config.dataset.both_orders_only

    @property
    def folder(self) -> Path:
        """Folder of this round, or of this stage of it."""
        return self.context.folder.iteration(self.number, self.stage)

    @property
    def draw(self) -> int:
        """How many rounds the same judge has judged for before.

        Where the judge of the round before broke a gate, an earlier one judges again, and draws
        samples of its own: those of that round would make the same judge once more.
        """
        before = self.number - 1
        judged_by = before if self.judged_by is None else self.judged_by
        return before - judged_by if self.stage == 1 else 0

    def has(self, pair: ResponsePair) -> bool:
        """Return whether a training pair is this stage's: no two stages share an instruction, nor
        do two rounds of a run with `training.instructions: fresh`."""
        config = self.context.config
        part, stage = draw_stage(pair.split_key, config)
        return stage == self.stage and (config.parts == 1 or part == self.number)


def draw_stage(split_key: str, config: RunConfig) -> tuple[int, int]:
    """Return the part and the stage that a training instruction is in, both from 1.

    Decided by the key alone, so that no other instruction moves it.
    """
    counts = {"iteration": config.parts, "stage": len(config.training.recipe)}
    part, stage = (
        int(content_key(what, split_key), 16) % count + 1 if count > 1 else 1
        for what, count in counts.items()
    )
    return part, stage


class IterationReport(Record, frozen=True):
    """The results of one round; number 0 is the seed judge, which is only measured."""

    number: int
    folder: str
    model: str
    """Folder or hub id of the judge that this round ended with."""
    evaluations: dict[str, Any]
    """Name of the pairs → `{"overall": metrics, "subsets": {name: metrics}, "n": pairs}`."""
    sampled: int
    """Judgments sampled in this round."""
    kept: int
    """Judgments kept as training rows."""
    tokens: int
    """Tokens that the judge generated for them."""
    prompt_tokens: int
    """Tokens that it read for them; a prompt counts once for all its samples of a wave."""
    cost: float | None
    """Cost of both by the prices in the judge's options, or None without prices."""
    minutes: float
    broken: tuple[str, ...] = ()
    """The gates that it breaks, each in a sentence; with any it is not shipped, and judges
    nothing."""


@dataclass(frozen=True, slots=True)
class GateFigures:
    """What a gate may look at: an iteration that was just measured, and what it is held to."""

    number: int
    """Of the iteration, from 1."""
    reference: int
    """The last iteration before it that broke no gate; 0 is the seed."""
    evaluations: Mapping[int, Mapping[str, Any]]
    """Number of the iteration, of the reference and of the seed (0) → name of the pairs →
    `{"overall": metrics, "subsets": {name: metrics}, "n": pairs}`."""
    context: "RunContext"
    """The run: its config, and where its files are."""


_REPORTED = ("overall", "sections", "subsets", "n")


def reported_figures(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one evaluation's results that an iteration's report holds."""
    return {name: results[name] for name in _REPORTED if name in results}


def reported_counts(counts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return `sampled` and `kept` of an iteration's report, from the counts of its data sets.

    A plugin's own stage may count nothing.
    """
    return {
        "sampled": sum(c.get("judgments", 0) for c in counts),
        "kept": sum(c.get("kept", {}).get("train", 0) for c in counts),
    }
