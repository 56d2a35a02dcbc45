"""The plugin that axolotl loads: `plugins: [ste_plugin.axolotl.STEPlugin]`."""

import importlib.metadata
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin, PluginManager
from axolotl.utils.logging import get_logger

from ste_plugin.axolotl import strategies
from ste_plugin.axolotl.calibrating import fit_calibration
from ste_plugin.axolotl.changes import changes, kernel_changes
from ste_plugin.axolotl.checkpoints import select_best_args
from ste_plugin.axolotl.config_checks import check_config, check_machine
from ste_plugin.axolotl.decision_checks import check_pairs
from ste_plugin.axolotl.finishing import merge_judge, write_judge
from ste_plugin.axolotl.letter_place import letter_place
from ste_plugin.axolotl.merging import untie
from ste_plugin.axolotl.processes import is_main, leave_others, refuse_copies
from ste_plugin.axolotl.progress_checks import CHECKED, check_trained
from ste_plugin.axolotl.rewards import read_by
from ste_plugin.axolotl.row_checks import check_rows
from ste_plugin.axolotl.run_config import config_as_given
from ste_plugin.axolotl.settings import DecisionSettings, STESettings, read_settings
from ste_plugin.axolotl.token_checks import check_tokens, checked_template
from ste_plugin.axolotl.trained_rows import check_dataset
from ste_plugin.axolotl.unmerged import Unmerged, keep_unmerged
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import check_trained_model
from ste_plugin.errors import PluginError
from ste_plugin.judging.calibration import Calibration
from ste_plugin.storage import training_manifest
from ste_plugin.storage.dataset_manifest import DatasetManifest, read_manifest, row_format_of_rl

LOG = get_logger("axolotl.ste_plugin")  # axolotl shows its own loggers only
sys.modules.setdefault(strategies.MODULE, strategies)


class STEPlugin(BasePlugin):  # type: ignore[misc]
    """Trains a judge from a data set's manifest, inside any SFT or preference config."""

    settings: STESettings
    manifest: DatasetManifest
    config_sha256: str
    training_args: dict[str, Any]
    callback: Any = None
    expected: Counter[bytes] | None = None
    trained_on: dict[str, Any]
    origin: dict[str, Any] | None = None
    """What the training is made of, as `origin_of` tells it; None but in the first process."""
    pairs: dict[str, int]
    """Of a training by both orders: how many pairs, and how many rows are left out."""

    def register(self, cfg: Any) -> None:
        """Set the keys that the data set needs, before axolotl validates the config.

        Runs in every process and command, so it reads the manifest and no rows.
        Raises: ConfigError, DataError, PluginError, each with what to do.
        """
        refuse_missing_plugins(cfg)
        self.pairs, self.origin = {}, None
        self.expected = None  # axolotl 0.21 keeps one plugin for all configs of a process
        self.settings = read_settings(cfg)
        self.manifest = read_manifest(self.settings.manifest)
        self.config_sha256 = training_manifest.config_sha256(config_as_given(cfg))
        metric = self.settings.select_best
        self.training_args = select_best_args(cfg, metric) if metric else {}
        set_here = changes(cfg, self.settings, self.manifest) | kernel_changes(cfg, has_gpu())
        for key, value in set_here.items():
            LOG.info("ste: %s: %r → %r", key, cfg.get(key), value)
            cfg[key] = value
        check_config(cfg, self.settings, self.manifest)

    def get_input_args(self) -> str:
        """Return where axolotl finds the schema of `ste:`."""
        return "ste_plugin.axolotl.settings.STEArgs"

    def load_datasets(self, cfg: Any, preprocess: bool = False) -> None:
        """Check the rows, in one process, before a model is loaded; axolotl loads them itself."""
        if not cfg.use_ray:  # Ray's workers have the variables of what started their node
            refuse_copies(os.environ)
        if not is_main():
            return
        from axolotl.loaders import load_tokenizer

        from ste_plugin.axolotl.resuming import check_resumed, origin_of

        check_machine(cfg)
        self.expected = Counter()
        self.manifest.verify(*self.read_files(cfg))
        self.origin = origin_of(cfg, self.manifest.sha256(*self.read_files(cfg)))
        if not preprocess:
            check_resumed(cfg, self.origin)
        tokenizer = load_tokenizer(cfg)
        if self.settings.decision:
            self.check_pairs(tokenizer)
        if self.settings.datasets != "off":
            check_rows(self.manifest, row_format_of_rl(cfg.rl))
            check_tokens(
                self.manifest,
                cfg.rl,
                tokenizer,
                cfg.sequence_len,
                learns_prompts=bool(cfg.train_on_inputs),
                digests=self.expected,
            )
        elif self.manifest.count("judge-dev"):
            checked_template(tokenizer, self.manifest)

    def check_pairs(self, tokenizer: Any) -> None:
        """Check that both orders of pairs can be held against each other, and count them."""
        from ste_plugin.axolotl.judge_callback import load_judge_format

        judge_format = load_judge_format(self.manifest, self.settings)
        letter_place(checked_template(tokenizer, self.manifest), judge_format)
        self.pairs = check_pairs(self.manifest, judge_format)
        if left_out := self.pairs["left_out"]:
            LOG.warning(
                "ste: %d rows are left out, as the other order of their pair is not there; %d "
                "pairs are in both orders (dataset.both_orders_only: true leaves them out before)",
                left_out,
                self.pairs["pairs"],
            )

    def get_trainer_cls(self, cfg: Any) -> Any:
        """Return the trainer that keeps the orders of a pair together, where that is asked for."""
        if self.settings.decision is None:
            return None
        from ste_plugin.axolotl.decision_trainer import DecisionTrainer

        return DecisionTrainer

    def read_files(self, cfg: Any) -> list[str]:
        """Return the names of the manifest's files that this training reads."""
        ours = self.settings.datasets != "off"
        trained_on = self.manifest.training_files(row_format_of_rl(cfg.rl)) if ours else []
        return trained_on + [n for n in ("judge-dev", "judge-test") if self.manifest.count(n)]

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """Return the arguments that choose the best checkpoint, and that keep pairs together."""
        # unshuffled, both orders of a pair come in one batch, and the reward sees them together
        return self.training_args | ({"shuffle_dataset": False} if cfg.rl == "grpo" else {})

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Return the callback that measures the judge, where there are held-out pairs.

        Raises: DataError where the trainer has other rows than the data set.
        """
        from transformers import EarlyStoppingCallback

        from ste_plugin.axolotl.judge_callback import find_judge_format, judge_callback
        from ste_plugin.axolotl.resuming import CheckpointRecords, find_resumed

        if is_main():
            if self.expected is None:  # made by other code than `axolotl train`
                self.load_datasets(cfg)
            alone = self.settings.datasets == "replace"
            self.trained_on = check_dataset(
                trainer.train_dataset,
                self.expected or Counter(),
                self.manifest,
                cfg.rl,
                alone=alone,
            )
            self.trained_on |= self.pairs
            self.note_rows(cfg, alone=alone)
        if not self.manifest.count("judge-dev"):
            LOG.warning("ste: %s has no held-out pairs to measure the judge on", self.manifest.path)
        self.callback = judge_callback(trainer, cfg, self.settings, self.manifest)
        # found now, as the first evaluation may come after hours
        LOG.info("ste: held-out verdicts are read by %s", self.callback.judge_format.name)
        if self.settings.decision:
            trainer.decision_loss = self.decision_loss(trainer, self.settings.decision)
        if cfg.rl == "grpo":
            judge_format = find_judge_format(self.manifest, self.settings)
            template = self.callback.template
            trainer.reward_funcs = read_by(trainer.reward_funcs, template, judge_format)
        callbacks = [self.callback, CheckpointRecords(self.origin, find_resumed(cfg))]
        if cfg.rl and cfg.early_stopping_patience and self.settings.select_best:
            # axolotl adds it for SFT only (0.19)
            callbacks.append(EarlyStoppingCallback(cfg.early_stopping_patience))
        return callbacks

    def note_rows(self, cfg: Any, *, alone: bool) -> None:
        """Add the rows in the trainer to what the training is made of.

        Raises: DataError where it would go on from others: rows beside the manifest's are known
        only by what the trainer has.
        """
        from ste_plugin.axolotl.resuming import check_resumed

        self.origin = {**(self.origin or {}), "trained_on": self.trained_on}
        if not alone:
            check_resumed(cfg, self.origin)

    def decision_loss(self, trainer: Any, weights: DecisionSettings) -> Any:
        """Return what a judge of letters is trained by. Raises: PluginError for another trainer."""
        from ste_plugin.axolotl.decision_loss import DecisionLoss
        from ste_plugin.axolotl.decision_trainer import DecisionTrainer
        from ste_plugin.axolotl.judge_callback import load_judge_format

        if not isinstance(trainer, DecisionTrainer):
            raise PluginError(
                f"ste.decision: another plugin's trainer is used ({type(trainer).__name__}), which "
                "does not keep the orders of a pair together. Put ste_plugin.axolotl.STEPlugin "
                "first in `plugins`, or remove that one."
            )
        judge_format = load_judge_format(self.manifest, self.settings)
        place = letter_place(self.callback.template, judge_format)
        return DecisionLoss(place, weights.brier, weights.consistency)

    def post_lora_load(self, cfg: Any, model: Any) -> None:
        """Prepare a base that is loaded to merge the adapter into it."""
        if cfg.merge_lora:
            untie(model)

    def post_train_unload(self, cfg: Any) -> None:
        """Merge the adapter, check the model, and write the training's manifest last.

        Raises: HostError where no judge was trained, or the merged one is not the one trained.
        """
        if not is_main() or not self.callback.ended:
            return
        check_trained(self.callback.ended)
        leave_others()
        output = Path(cfg.output_dir)
        calibration = fit_calibration(self.callback.judged, self.settings, self.manifest)
        trained = self.manifest_of(cfg, calibration)
        if self.callback.merges:
            self.callback.let_go()  # what it was trained into need not lie beside what is merged
            seal, processes = training_manifest.digest_files(output), cfg.world_size or 1
            done = Unmerged(trained, self.callback.answers, calibration, processes, seal)
            keep_unmerged(output, done)
            merge_judge(cfg, done)
        else:
            if not cfg.adapter:
                check_trained_model(output)
            write_judge(output, output, trained, calibration)

    def manifest_of(self, cfg: Any, calibration: Calibration | None) -> dict[str, Any]:
        """Return what the training's manifest says of a finished training."""
        base = Path(cfg.base_model)
        adapter = (self.origin or {}).get("first_adapter")
        return {
            "config_sha256": self.config_sha256,
            "trained_on": self.trained_on,
            "data_sha256": self.manifest.sha256(*self.read_files(cfg)),
            "base_model": cfg.base_model,
            "base_fingerprint": fingerprint(base) if base.is_dir() else None,
            **({"first_adapter": adapter} if adapter else {}),
            "judge_format": self.manifest.judge_format,
            "judge": self.callback.last,
            **({"temperature": calibration.temperature} if calibration else {}),
            **{k: v for k, v in self.callback.ended.items() if k not in CHECKED},
            "axolotl": importlib.metadata.version("axolotl"),
        }


def has_gpu() -> bool:
    """Return whether this machine has a GPU that runs CUDA's kernels."""
    from torch.cuda import is_available

    return bool(is_available())


def refuse_missing_plugins(cfg: Any) -> None:
    """Raise PluginError for a plugin that did not import: axolotl only logs that (0.19)."""
    loaded = PluginManager.get_instance().plugins
    missing = [name for name in cfg.get("plugins") or [] if name not in loaded]
    if missing:
        raise PluginError(
            f"plugins: {', '.join(missing)} cannot be imported here; axolotl would train without "
            "(its own message is above). Install it beside axolotl, or remove it from the config."
        )
