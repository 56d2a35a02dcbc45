"""Measuring the judge while it trains, in every process alike."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback

from ste_plugin.axolotl import unmerged
from ste_plugin.axolotl.held_out import (
    Answer,
    HeldOutPrompt,
    Judge,
    figures,
    in_batches,
    judged_pairs,
    likelier_choice,
    merge_shares,
    read_held_out,
    share_of,
    written_verdict,
)
from ste_plugin.axolotl.merge_check import answers, questions
from ste_plugin.axolotl.progress_checks import (
    Sample,
    check_batches,
    check_trainable,
    count_rows,
    has_moved,
    is_finite,
    sample_weights,
)
from ste_plugin.axolotl.reward_figures import read_rewards, reward_problem
from ste_plugin.axolotl.settings import SEQUENCE_LEN, STESettings
from ste_plugin.axolotl.strategies import template_of
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import DataError
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair
from ste_plugin.plugins.judge_formats import format_of_manifest
from ste_plugin.plugins.manager import plugin_manager, require_named_plugins
from ste_plugin.storage import training_manifest
from ste_plugin.storage.dataset_manifest import IMPORTED, DatasetManifest, row_format_of_rl
from ste_plugin.storage.durable import remove


class JudgeCallback(TrainerCallback):  # type: ignore[misc]
    """Adds `eval_judge_*` to the metrics of every evaluation, and measures the final weights.

    They go to the trainer's log, and so to whatever tracker the config names, and into the metrics
    by which the best checkpoint is chosen.
    """

    def __init__(
        self,
        trainer: Any,
        prompts: list[HeldOutPrompt],
        settings: STESettings,
        manifest: DatasetManifest,
        *,
        alike: bool,
        room: int,
        rows: str = "sft",
        merges: bool = False,
    ) -> None:
        self.trainer = trainer
        self.prompts = prompts
        self.settings = settings
        self.manifest = manifest
        self.alike = alike
        """Every process gets the same inputs, as tensor parallelism needs."""
        self.room = room
        """Tokens in a batch of the training, of which held-out prompts take no more at once."""
        self.rows = rows
        """The row format that is trained on."""
        self.merges = merges
        """An adapter is merged when training ends, and then held against what it was."""
        self.begun_at = 0
        """The steps of an earlier start, where this one resumes."""
        self.weights: Sample = {}
        """The trained weights before the first step, in part."""
        self.answers: unmerged.Answers | None = None
        """What the trained model said, where it is merged afterwards."""
        self.last: dict[str, float] = {}
        """The latest figures, at the end those of the final weights."""
        self.judged: list[JudgedPair] = []
        """What was said of the held-out pairs at last."""
        self.ended: dict[str, Any] = {}
        """Steps and loss, once the last step is done."""

    @cached_property
    def template(self) -> ChatTemplate:
        """The chat template that the judge is trained and asked with."""
        return template_of(tokenizer_of(self.trainer), self.manifest)

    @cached_property
    def judge_format(self) -> JudgeFormat:
        """How what is said to held-out prompts is read.

        Raises: as `load_judge_format` does, where that depends on the data set's own format.
        """
        letters = not self.manifest.judge_format.get("pointwise")
        named = "definition" not in self.manifest.judge_format
        if named and letters and self.settings.judge_by == "log_probabilities":
            return VERDICT  # of letters the likelier one counts in every format
        return load_judge_format(self.manifest, self.settings)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Remove what says that an earlier training is done, which this one replaces.

        Raises: DataError where there is no batch to train on, ConfigError where nothing is trained.
        """
        handler = self.trainer.callback_handler
        # first, as axolotl's early stopping reads the figures that this one adds
        handler.callbacks = [self, *(each for each in handler.callbacks if each is not self)]
        if state.is_world_process_zero:
            for name in (training_manifest.NAME, unmerged.NAME):
                remove(Path(args.output_dir) / name)
        check_batches(handler.train_dataloader, args, count_rows(self.trainer))
        check_trainable(self.trainer.model)
        self.begun_at, self.weights = state.global_step, sample_weights(self.trainer.model)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        """Measure beside the evaluation loss."""
        figures = {f"eval_{name}": value for name, value in self.measure().items()}
        if metrics is not None:
            metrics.update(figures)
        self.trainer.log(dict(figures))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure what will be saved: the last weights, or the best ones loaded again."""
        self.trainer.log({f"eval_{name}": value for name, value in self.measure().items()})
        losses = [row["train_loss"] for row in state.log_history if "train_loss" in row]
        self.ended = {"steps": state.global_step, "train_loss": losses[-1] if losses else None}
        self.ended |= self.progress(state.global_step)
        if rewards := read_rewards(state.log_history):
            masks = bool(getattr(args, "mask_truncated_completions", False))
            self.ended["rewards"] = rewards
            self.ended["unrewarded"] = reward_problem(rewards, masks_cut_off=masks)
        if self.merges:
            self.answers = self.answer()
        if state.best_model_checkpoint:
            best = {"step": state.best_global_step, "metric": state.best_metric}
            self.ended["best_checkpoint"] = best

    def let_go(self) -> None:
        """Give back the memory of the trained model; nothing is measured any more."""
        self.trainer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def progress(self, steps: int) -> dict[str, bool]:
        """Return whether trained weights have moved and are finite, in any and in all processes.

        Where an earlier start took every step, they moved in that.
        """
        now = sample_weights(self.trainer.model)
        moved = has_moved(self.weights, now) or steps == self.begun_at > 0
        shares = _gather((moved, is_finite(now)), _processes()[1])
        return {"moved": any(m for m, _ in shares), "finite": all(f for _, f in shares)}

    def answer(self) -> unmerged.Answers:
        """Return what the model says behind a few prompts, asked in every process alike."""
        choices = self.judge_format.choices if self.prompts else ()
        asked = questions(self.manifest, self.prompts, self.template, self.rows, choices)
        with evaluating(self.trainer):
            return answers(self.trainer.model, asked)

    def measure(self) -> dict[str, float]:
        """Return the judge's figures on the held-out pairs; the same in every process."""
        if not self.prompts:
            return {}
        rank, world = (0, 1) if self.alike else _processes()
        share = [self.batches[n] for n in share_of(len(self.batches), rank, world)]
        judge = self.load_judge()
        with evaluating(self.trainer):
            said = merge_shares(_gather(self.judge_prompts(judge, share), world))
        self.judged = judged_pairs(self.prompts, said, self.judge_format)
        self.last = figures(self.judged)
        return self.last

    @cached_property
    def batches(self) -> list[list[int]]:
        """The held-out prompts that are judged at once, by their indices."""
        template, most = self.template, self.settings.judge_batch_size

        def tokens(prompt: HeldOutPrompt) -> int:
            return len(template.encode(template.answer_prompt(prompt.messages, prompt.opening)))

        return list(in_batches(self.prompts, most, self.room, tokens))

    def judge_prompts(self, judge: Judge, batches: list[list[int]]) -> dict[int, Answer]:
        """Return index → what is said to some of the prompts."""
        said: dict[int, Answer] = {}
        for batch in batches:
            said |= zip(batch, judge([self.prompts[i] for i in batch]), strict=True)
        return said

    def load_judge(self) -> Judge:
        """Return the way of judging that the settings ask for."""
        model = self.trainer.model
        # of a format without closing words no letter can be asked for
        if self.settings.judge_by == "log_probabilities" and self.judge_format.choices:
            return likelier_choice(model, self.template, self.judge_format)
        judge_format = self.judge_format
        max_new_tokens = self.settings.judge_max_new_tokens or judge_format.max_new_tokens
        unwrapped = self.trainer.accelerator.unwrap_model(model)
        return written_verdict(unwrapped, self.template, judge_format.parse, max_new_tokens)


def tokenizer_of(trainer: Any) -> Any:
    """Return a trainer's tokenizer, which the processor of a vision model has inside."""
    return getattr(trainer.processing_class, "tokenizer", trainer.processing_class)


def judge_callback(
    trainer: Any, cfg: Any, settings: STESettings, manifest: DatasetManifest
) -> JudgeCallback:
    """Return the callback for a config's trainer."""
    prompts = read_held_out(manifest, settings.judge_pairs)
    return JudgeCallback(
        trainer,
        prompts,
        settings,
        manifest,
        alike=(cfg.get("tensor_parallel_size") or 1) > 1,
        room=(cfg.get("micro_batch_size") or 1) * (cfg.get("sequence_len") or SEQUENCE_LEN),
        rows=row_format_of_rl(cfg.get("rl")),
        merges=bool(cfg.get("adapter") and settings.merge),
    )


def load_judge_format(manifest: DatasetManifest, settings: STESettings) -> JudgeFormat:
    """Return the format that the manifest's prompts are in.

    Raises: as `find_judge_format` does, and DataError where it has changed since.
    """
    judge_format, version = find_judge_format(manifest, settings), manifest.judge_format["version"]
    if version not in (judge_format.version, IMPORTED):  # others' prompts are in nobody's version
        raise DataError(
            f"{manifest.path}: its prompts are in {version}, but the format {judge_format.name!r} "
            f"here is {judge_format.version}. Install the version that made them, or generate the "
            "data set again."
        )
    return judge_format


def find_judge_format(manifest: DatasetManifest, settings: STESettings) -> JudgeFormat:
    """Return the format of the manifest's prompts as it is here.

    Raises: ConfigError where there is none, PluginError where a file of it was not named.
    """
    listed = [Path(p) for p in settings.plugins]
    named_here = [Path(p) for p in os.environ.get("STE_PLUGINS", "").split(os.pathsep) if p]
    require_named_plugins(
        listed, named_here, "ste.plugins", f"STE_PLUGINS={os.pathsep.join(settings.plugins)}"
    )
    plugins = plugin_manager(dict.fromkeys(path.resolve() for path in listed))
    return format_of_manifest(plugins, manifest.judge_format, "ste.plugins")


@contextmanager
def evaluating(trainer: Any) -> Iterator[None]:
    """Put the model into evaluation without gradients, and back as it was."""
    was_training = trainer.model.training
    trainer.model.eval()
    try:
        with torch.no_grad(), trainer.compute_loss_context_manager():
            yield
    finally:
        trainer.model.train(was_training)


def _processes() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def _gather(share: Any, world: int) -> list[Any]:
    if world == 1:
        return [share]
    shares: list[Any] = [None] * world
    distributed.all_gather_object(shares, share)
    return shares
