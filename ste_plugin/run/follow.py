"""Following a policy: its answers become pairs, and the last judge is trained on them once more.

A round is a run of its own, beside the run that it belongs to: its seed is the last judge, its
generator the policy's checkpoint. So stages, gates, resuming, reports and audits are those of runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from ste_plugin.audit.drift import measure_drift
from ste_plugin.audit.gates import people_sets
from ste_plugin.config import ModelConfig, RunConfig
from ste_plugin.context import GateFigures, RunContext
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.nested import ELSEWHERE, answering_model
from ste_plugin.errors import ConfigError, DataError, SteError
from ste_plugin.evaluation.prompt_files import describe_source
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.evaluation.trained_judges import judge_of
from ste_plugin.instructions.privacy.forgotten import append_forgotten, read_forgotten
from ste_plugin.run import loop
from ste_plugin.run.checkpoint import Checkpoint, relative_to
from ste_plugin.run.open_run import open_described
from ste_plugin.run.used_plugins import require_used
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.followed import Followed, path_of, read_followed, write_followed
from ste_plugin.storage.jsonl import read_json
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.text.settings_errors import validate_settings

RUN_PAIRS = {"dev": "run_dev", "test": "run_test"}
"""Held-out pairs of the run → what a round calls them, beside its own `dev` and `test`."""


class _Judge(NamedTuple):
    """The judge that a round begins with."""

    model: ModelConfig
    name: str


class Wanted(NamedTuple):
    """What a round is to be made of."""

    checkpoint: Checkpoint
    instructions: tuple[str, ...] = ()
    """Files, as a config names them; none for the run's own."""
    limit: int | None = None
    """Most instructions."""


def follow(
    context: RunContext, wanted: Wanted, files: Sequence[Path], *, quiet: bool = False
) -> Followed:
    """Return the round of a checkpoint, made now or finished now where it is not.

    `context` is the run, `files` its plugins.
    Raises: ConfigError or DataError for a run without a trained judge to ship, or one that cannot
    be loaded; for a checkpoint that is one of its judges, or has changed since it was followed; or
    where another round is not finished.
    """
    root, rounds = context.folder.root, read_followed(context.folder.root)
    found = _find_round(root, rounds, wanted)
    if found and found.drift is not None:
        context.progress.say(f"{found.checkpoint} was followed in round {found.round} already.")
        return found
    _check_run(context)
    judge = _last_judge(context, [each for each in rounds if each.drift is not None])
    _refuse_judges(context, rounds, wanted.checkpoint)
    followed = found or _new_round(root, rounds, wanted, judge)
    begun = RunLayout(followed.folder(root)).config
    if found and begun.is_file():  # the run may have got a better judge since
        model = read_run_yaml(begun).judge.model
        judge = _Judge(judge.model.model_copy(update={"model": model}), found.judge)
    write_followed(root, followed)
    try:
        followed = _finish(context, followed, judge, wanted, files, quiet)
    except SteError:
        if not followed.folder(root).exists():  # nothing was made of it
            path_of(root, followed.round).unlink()
        raise
    write_followed(root, followed)
    loop.write_page(context)
    return followed


def _find_round(root: Path, rounds: Sequence[Followed], wanted: Wanted) -> Followed | None:
    """Return the round of a checkpoint, if there is one.

    Raises: DataError where its folder has changed since; ConfigError where it was followed on other
    instructions, or another round is not finished.
    """
    checkpoint, asked = wanted.checkpoint, (wanted.instructions, wanted.limit)
    for each in rounds:
        if each.identity == checkpoint.identity:
            if (each.instructions, each.limit) != asked:
                raise ConfigError(
                    f"{checkpoint.name}: followed in round {each.round} with "
                    f"{_asked(each.instructions, each.limit)}; found {_asked(*asked)}. Give the "
                    "same, or follow the next checkpoint."
                )
            return each
        if each.checkpoint == checkpoint.name:
            raise DataError(
                f"{checkpoint.name}: changed since it was followed in round {each.round} (found "
                f"{checkpoint.identity}, expected {each.identity}). Does the training still write "
                "there? Give each checkpoint a folder of its own, and follow that."
            )
    if rounds and rounds[-1].drift is None:
        last = rounds[-1]
        raise ConfigError(
            f"{root}: round {last.round}, of {last.checkpoint}, is not finished. Finish it first: "
            f"`ste follow {last.checkpoint}`; or give it up: remove {last.folder(root)} and "
            f"{path_of(root, last.round)}."
        )
    return None


def _asked(instructions: Sequence[str], limit: int | None) -> str:
    told = f"--instructions {' '.join(instructions)}" if instructions else "the run's instructions"
    return told if limit is None else f"{told} and --limit {limit}"


def _check_run(context: RunContext) -> None:
    """Raise ConfigError or DataError for a run whose judge cannot be refreshed."""
    root, config = context.folder.root, context.config
    require_used(context.plugins, context.folder)  # what drops judgments, or gates, does in rounds
    if not context.folder.report.is_file():
        raise DataError(
            f"{root}: no trained judge to refresh, as the run is not finished (no report.json). "
            "Finish it: `ste run`."
        )
    if not read_json(context.folder.report)["best"]:
        raise DataError(
            f"{root}: no trained judge to refresh: the run ships its seed, as no iteration was "
            "better. Train one that is: more instructions, iterations or other pair strategies."
        )
    if (engine := answering_model(config.judge).engine) in ELSEWHERE:
        raise ConfigError(
            f"judge.engine: {engine} cannot judge with a trained model, as your server keeps "
            "serving the seed. Set judge.engine: serve, vllm or local in the run's config (the "
            "generator may stay http)."
        )
    if taken := sorted({*RUN_PAIRS.values()} & config.evaluation.pairs.keys()):
        raise ConfigError(
            f"{root}: evaluation.pairs: found {taken[0]}, which is what a round calls the run's "
            "own pairs. Is this the run of a round? Then follow with the run that it belongs to "
            "(--run); else call the pairs something else."
        )
    if not config.pairs.strategies:
        raise ConfigError(
            f"{root}: pairs.strategies: found none, as all its pairs are given; expected one, by "
            "which the policy's answers become pairs. Follow with a run that has one."
        )


def _last_judge(context: RunContext, finished: Sequence[Followed]) -> _Judge:
    """Return the judge that the last finished round ships, else that of the run."""
    config, name = context.config, ""
    best = int(read_json(context.folder.report)["best"])
    if finished:
        folder = RunLayout(finished[-1].folder(context.folder.root))
        config, best = read_run_yaml(folder.config), int(read_json(folder.report)["best"])
        name = f"round {finished[-1].round}" if best else finished[-1].judge
    found = judge_of(config, context.base, best)
    model = relative_to(context.base, Path(found.model).resolve())
    # how it is asked is for the run's config to say, wherever its weights lie
    asked = judge_of(context.config, context.base, int(read_json(context.folder.report)["best"]))
    return _Judge(asked.model_copy(update={"model": model}), name or judge_name(best))


def _refuse_judges(context: RunContext, rounds: Sequence[Followed], checkpoint: Checkpoint) -> None:
    """Raise ConfigError where the checkpoint is one of the judges that were trained."""
    if checkpoint.folder is None:
        return
    judges = dict[str, tuple[RunConfig, int]]()
    for number in range(1, context.config.iterations + 1):
        judges[judge_name(number)] = context.config, number
    for each in rounds:
        path = RunLayout(each.folder(context.folder.root)).config
        if path.is_file():
            judges[f"round {each.round}"] = read_run_yaml(path), 1
    for name, (config, number) in judges.items():
        try:
            folder = Path(judge_of(config, context.base, number).model)
        except DataError:  # not trained
            continue
        if f"folder:{fingerprint(folder)}" == checkpoint.identity:
            raise ConfigError(
                f"{checkpoint.name}: this is the judge of {name}, and not a policy. Name the "
                "checkpoint of the model that the judge rewards."
            )


def _new_round(root: Path, rounds: Sequence[Followed], wanted: Wanted, judge: _Judge) -> Followed:
    number = rounds[-1].round + 1 if rounds else 1
    return Followed(
        number,
        f"{root.resolve().name}-follow-{number:02d}",
        wanted.checkpoint.name,
        wanted.checkpoint.identity,
        judge.name,
        wanted.instructions,
        wanted.limit,
    )


def _finish(
    context: RunContext,
    followed: Followed,
    judge: _Judge,
    wanted: Wanted,
    files: Sequence[Path],
    quiet: bool,
) -> Followed:
    """Do what is left to do of a round; return it with what moved."""
    checkpoint, base = wanted.checkpoint, context.base
    config = _config_of(context, followed, judge, wanted)
    context.progress.say(
        f"round {followed.round}: the judge of {followed.judge} on answers of {checkpoint.name} "
        f"({RunLayout(base / config.run).root}; its seed is that judge)"
    )
    with open_described(config, base, files, quiet) as own:
        _keep_forgotten(context.folder.root, own.folder.root)
        reports = loop.run(own, checkpoint.require_unchanged)
        best = loop.decide(reports, config.keep)
        drift = measure_drift(own.folder, best, reports[-1].broken, config.keep)
    return replace(followed, drift=drift)


def _keep_forgotten(root: Path, own: Path) -> None:
    """Have a round leave out what its run has forgotten."""
    known = {entry.hash for entry in read_forgotten(own)}
    if new := [e for e in read_forgotten(root) if e.hash not in known]:
        append_forgotten(own, [replace(entry, models=()) for entry in new])


def _config_of(context: RunContext, followed: Followed, judge: _Judge, wanted: Wanted) -> RunConfig:
    """Return the config of a round: that of the run, with other models and pairs to measure on."""
    config, base = context.config, context.base
    settings: dict[str, Any] = config.model_dump()
    settings |= {
        "run": relative_to(base, followed.folder(context.folder.root)),
        "iterations": 1,
        "judge": judge.model.model_dump(),
        "generator": wanted.checkpoint.model.model_dump(),
    }
    if wanted.instructions:
        sources = [describe_source(path, base) for path in wanted.instructions]
        settings["instructions"] = [source.model_dump() for source in sources]
    if wanted.limit:
        settings["selection"]["limit"] = wanted.limit
    settings["pairs"]["given"] = ()
    settings["training"] |= {"start_from": "seed", "instructions": "all"}
    pairs = _run_pairs(context, is_apart=not wanted.instructions)
    settings["evaluation"]["pairs"] |= pairs
    deciding = [name for name in pairs if name == RUN_PAIRS["dev"]]
    people = people_sets(GateFigures(1, 0, {}, context))
    settings["gates"]["people"] = [*people, *deciding]
    return validate_settings(RunConfig, settings, str(context.folder.root))


def _run_pairs(context: RunContext, *, is_apart: bool) -> dict[str, Any]:
    """Return the held-out pairs of the run, as a round measures on them.

    `is_apart`: whether instructions are those of the run, which a round splits as the run did; no
    others may repeat the prompts of these pairs.
    """
    pool = context.folder.pool
    files = read_json(pool / "done.json")["files"]
    return {
        RUN_PAIRS[name]: {
            "path": relative_to(context.base, (pool / file).resolve()),
            "keep_out": not is_apart,
        }
        for name, file in files.items()
    }
