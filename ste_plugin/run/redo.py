"""Redoing a run from a stage: which changed settings need it, and where the old output goes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ste_plugin.config import RunConfig
from ste_plugin.engines.identity import ANSWER_OPTIONS, answer_options
from ste_plugin.errors import ConfigError
from ste_plugin.inference.completion_store import remove_unusable
from ste_plugin.storage.durable import move
from ste_plugin.storage.jsonl import replace_bytes
from ste_plugin.storage.run_layout import RunLayout

Stage = Literal["pool", "generate", "train", "eval"]

STAGES: dict[Stage, str] = {
    "pool": "everything",
    "generate": "data sets, trainings and evaluations",
    "train": "trainings and evaluations",
    "eval": "evaluations",
}
"""Stage → what it and the later stages make."""

_DEPENDED_ON = "|".join(("revision", "adapter", *ANSWER_OPTIONS))
"""Options of an engine on which answers depend."""
_FIRST_STAGES: tuple[tuple[re.Pattern[str], Stage | None], ...] = (
    (re.compile(r"(iterations|keep|gates|audit|budget|hosts)\b"), None),
    (re.compile(r"evaluation\.(tasks|data|too_long)\b"), None),
    (
        re.compile(
            rf"(judge|generator|pairs\.weaker)\.(engine$|options\.(?!(?:{_DEPENDED_ON})\b))"
        ),
        None,
    ),
    (re.compile(r"dataset\.reviewed"), None),  # a data set says itself what it was made of
    (re.compile(r"dataset\.(dev|test)_fraction"), "pool"),
    (re.compile(r"(judging|dataset|training\.(recipe|instructions))\b"), "generate"),
    (re.compile(r"training\b"), "train"),
    (re.compile(r"evaluation\b"), "eval"),
    (re.compile(r""), "pool"),
)
"""Setting → the first stage whose output depends on it, or None; the first match counts."""


@dataclass(frozen=True, slots=True)
class Redo:
    """What the user wants to be done again."""

    stage: Stage
    iteration: int = 1
    """The first iteration to redo; all of them share the pool."""

    def covers(self, stage: Stage) -> bool:
        """Return whether the output of this stage is made anew, in every iteration."""
        everywhere = self.iteration <= 1 or self.stage == "pool"
        order = list(STAGES)
        return everywhere and order.index(self.stage) <= order.index(stage)


def first_stage(setting: str) -> Stage | None:
    """Return the first stage that a changed setting makes obsolete, or None if it may change.

    >>> first_stage("judging.samples"), first_stage("judge.model"), first_stage("keep")
    ('generate', 'pool', None)
    """
    return next(stage for pattern, stage in _FIRST_STAGES if pattern.match(setting))


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Return a config's settings as two of them are compared.

    The options of a cluster's replicas lie beside the cluster's own, as those of the same engine on
    one machine do: what the answers are made of is the same. Of options that change answers what
    keys of requests hold is compared, so that a default that is written out is no change. Fresh
    instructions say in how many parts they are split: another number of iterations would give each
    round others.
    """
    settings: dict[str, Any] = config.model_dump(mode="json")
    if config.training.instructions == "fresh":
        settings["training"]["instructions"] = f"fresh (in {config.parts} parts)"
    named = (settings["judge"], settings["generator"], settings["pairs"]["weaker"])
    for model in filter(None, named):
        options = model["options"]
        if isinstance(options.get("engine_options"), dict):
            options |= options.pop("engine_options")
        free = {k: v for k, v in options.items() if k not in ANSWER_OPTIONS}
        model["options"] = free | answer_options(options)
    return settings


def require_iteration(config: RunConfig, number: int, least: int = 1) -> None:
    """Raise ConfigError for an iteration that the run does not have; `least`: 0 has the seed."""
    if not least <= number <= config.iterations:
        seed = "" if least else ", or 0 for the seed"
        raise ConfigError(
            f"--iteration: found {number}; expected one from 1 to {config.iterations}{seed}, as "
            f"the config says iterations: {config.iterations}. Give one of these."
        )


def refuse_changes(root: Path, changed: list[str], redo: Redo | None) -> None:
    """Raise ConfigError for settings that would mix two runs in one folder.

    `changed` holds lines of `setting: old → new`; the error adds what they make obsolete.
    """
    affected = [(line, first_stage(line.split(":")[0])) for line in changed]
    refused = [(line, s) for line, s in affected if s and not (redo and redo.covers(s))]
    if not refused:
        return
    lines = "\n".join(f"  {line}  (makes obsolete: {STAGES[stage]})" for line, stage in refused)
    order = list(STAGES)
    earliest = min((stage for _, stage in refused), key=order.index)
    raise ConfigError(
        f"{root}: made with other settings, says its run.yaml:\n{lines}\n"
        "Set them back, or give this run another folder (run: ...), or redo what depends on them: "
        f"`ste run CONFIG --from {earliest}`, which keeps the old output beside the new."
    )


def set_aside(folder: RunLayout, redo: Redo) -> Path | None:
    """Move what is to be redone into `old-1`, `old-2`, … of the run.

    Returns that folder, or None if there was nothing to move. Completions stay: they are found
    again by their requests, so that only new requests are paid for, and those that were refused or
    broken off, as the server may have been mended.
    """
    return _move_all(folder, _obsolete(folder, redo))


def set_aside_made_of(folder: RunLayout, number: int, stage: int) -> Path | None:
    """Move what was made of the judge of an iteration's stage, before that is trained again.

    That is what it was measured to be, and what it and the judges after it made. Returns as
    `set_aside`.
    """
    current, first = folder.iteration(number), folder.iteration(number, stage + 1).name
    stages = [p for p in sorted(current.glob("stage-*")) if p.name >= first]
    later = [p for p in sorted(folder.root.glob("iter-[0-9]*")) if p.name > current.name]
    paths = [*(current / name for name in _MEASURED), *stages, *later]
    found = [path for path in paths if path.exists()]
    whole = [path for path in (folder.report, folder.report_page, folder.audit) if path.exists()]
    return _move_all(folder, [*whole, *reversed(found)]) if found else None


def _move_all(folder: RunLayout, paths: Sequence[Path]) -> Path | None:
    """Move paths, beside a copy of the settings that they were made with.

    By these `ste forget` finds what was asked then.
    """
    targets = (folder.root / f"old-{number}" for number in range(1, 1000))
    target = next(path for path in targets if not path.exists())
    for path in (folder.config, folder.judge_format) if paths else ():
        if path.exists():
            replace_bytes(target / path.name, path.read_bytes())
    for path in paths:
        _move(path, target / path.relative_to(folder.root))
    return target if target.exists() else None


_MEASURED = ("eval", "gates.json", "report.md", "done.json")
"""What an iteration's judge is measured into."""


def _obsolete(folder: RunLayout, redo: Redo) -> list[Path]:
    iterations = sorted(folder.root.glob("iter-[0-9]*"))
    later = [p for p in iterations if p.name > f"iter-{redo.iteration:02d}"]
    current = folder.iteration(redo.iteration)
    # without it the seed is measured again by other settings, and by the same ones is not
    seed = [folder.iteration(0) / "done.json"] if redo.covers("eval") else []
    match redo.stage:
        case "pool":
            paths = [folder.pool, *iterations]
        case "generate":
            paths = [*seed, current, *later]
        case "train":
            names = ("model", "axolotl.yaml", "axolotl.log", *_MEASURED)
            stages = sorted(current.glob("stage-*"))
            paths = [*seed, *(current / name for name in names), *stages, *later]
        case "eval":
            first = "iter-00" if redo.iteration <= 1 else current.name
            measured = [p for p in iterations if p.name >= first]
            paths = [p / name for p in measured for name in _MEASURED]
    found = [] if redo.stage == "eval" else [folder.audit]  # of judges that there are no more
    whole = [folder.report, folder.report_page, *found]
    # what was made last goes first, so that all that is left by a kill belongs together
    return [path for path in [*whole, *reversed(paths)] if path.exists()]


def _move(source: Path, target: Path) -> None:
    """Move a file or folder, without the completions in it that something is made of.

    What says that the folder is done goes before what it says that of.
    """
    if source.name.endswith(".completions.jsonl"):
        remove_unusable(source)
        return
    if source.is_dir() and any(source.rglob("*.completions.jsonl")):
        for path in sorted(source.iterdir(), key=lambda path: (path.name != "done.json", path)):
            _move(path, target / path.name)
    else:
        move(source, target)
