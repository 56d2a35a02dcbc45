"""The audit of a run: every check in turn, their findings kept in `audit/findings.json`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ste_plugin.audit.finding import Finding
from ste_plugin.context import RunContext
from ste_plugin.errors import (
    ConfigError,
    DataError,
    EngineError,
    HostError,
    Inconclusive,
    JudgeError,
    NotTrusted,
    PluginError,
    SteError,
    did_you_mean,
)
from ste_plugin.evaluation.shipped import judge_label
from ste_plugin.plugins.loader import FIX_PLUGIN
from ste_plugin.plugins.manager import BUILT_IN_NAME, contributions
from ste_plugin.storage.jsonl import read_derived_json, read_json, replace_json
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.storage.training_manifest import find_trained_model

_CANNOT_ASK = (EngineError, HostError, JudgeError)
"""A model that a check needs cannot be loaded, or gives no answer that is one."""

Check = Callable[[RunContext, int], Iterable[Finding]]
"""Examines a run up to an iteration; 0 is the seed, where nothing was trained. Where the run lacks
what it needs, it raises a DataError, which becomes an undecided finding."""


def audit_run(context: RunContext, iteration: int, only: Sequence[str] = ()) -> list[Finding]:
    """Make the checks of a run, by default all; return and keep what they found.

    Raises: PluginError at the end where a plugin's check has a mistake; EngineError, HostError or
    JudgeError where a check's model could not be asked.
    """
    mistakes: list[SteError] = []
    found = [f for fs in audit_checks(context, iteration, only, mistakes) for f in fs]
    for mistake in mistakes:
        raise mistake
    return found


def audit_checks(
    context: RunContext, iteration: int, only: Sequence[str], mistakes: list[SteError]
) -> Iterator[list[Finding]]:
    """Yield what each check of a run found, by default of all, as each ends.

    It is kept before that, so that an error of a later check loses nothing. Findings of checks that
    were made before, and are not made now, stay in the file. A mistake of a plugin's check is
    added to `mistakes` and becomes an undecided finding: the other checks go on. So does a model
    that cannot be asked.
    Raises: ConfigError for a check that there is none of.
    """
    checks = _contributed(context)
    for name in only:
        if name not in checks:
            raise ConfigError(
                f"--only: no check {name!r}.{did_you_mean(name, checks)} There are: "
                f"{', '.join(checks)}."
            )
    for name in dict.fromkeys(only) or checks:
        try:
            found = _examine(name, *checks[name], context, iteration)
        except (PluginError, *_CANNOT_ASK) as error:
            mistakes.append(error)
            found = [not_examined(name, iteration, error)]
        keep(context.folder, iteration, {name: found})
        yield found


def _contributed(context: RunContext) -> dict[str, tuple[str, Check]]:
    return contributions(context.plugins, "ste_audit_checks")


def _examine(
    name: str, plugin: str, check: Check, context: RunContext, iteration: int
) -> list[Finding]:
    """Return what a check found, or the undecided finding that says what it lacks.

    Raises: PluginError for a mistake of a plugin's check.
    """
    context.progress.say(f"audit: {name}")
    try:
        return _checked(name, plugin, check(context, iteration))
    except DataError as error:
        return [not_examined(name, iteration, error)]
    except SteError:
        raise
    except Exception as error:  # whatever a plugin raises: what it would find is not known
        if plugin == BUILT_IN_NAME:
            raise
        raise PluginError(
            f"{plugin}: its check {name!r} failed: {type(error).__name__}: {error}. {FIX_PLUGIN}"
        ) from error


def _checked(name: str, plugin: str, found: Iterable[Finding]) -> list[Finding]:
    """Return findings as they are read again. Raises: PluginError where they cannot be kept."""
    for finding in (findings := list(found)):
        if not isinstance(finding, Finding):
            raise PluginError(
                f"{plugin}: its check {name!r} yielded {finding!r}; expected Findings (see "
                f"ste_plugin.audit.finding). {FIX_PLUGIN}"
            )
    try:
        return [Finding.from_dict(json.loads(json.dumps(f.to_dict()))) for f in findings]
    except (DataError, TypeError) as error:
        raise PluginError(
            f"{plugin}: its check {name!r} yielded a Finding that cannot be kept: {error}. "
            f"{FIX_PLUGIN}"
        ) from error


def not_examined(name: str, iteration: int, error: Exception) -> Finding:
    """Return the undecided finding of a check that could not be made."""
    return Finding(
        check=name,
        name="not examined",
        subject=judge_label(iteration),
        figure=None,
        interval=None,
        threshold=None,
        n=0,
        failed=False,
        words=str(error),
    )


def find_last_trained(context: RunContext) -> int:
    """Return the last iteration that was trained to its end; 0 where none was."""
    stages = len(context.config.training.recipe)
    numbers = range(context.config.iterations, 0, -1)
    folders = ((n, context.folder.iteration(n, stages) / "model") for n in numbers)
    return next((n for n, folder in folders if find_trained_model(folder)), 0)


def find_shipped(folder: RunLayout) -> int | None:
    """Return the iteration that a finished run ships, 0 for the seed; None before its end."""
    return read_json(folder.report).get("best") if folder.report.exists() else None


def check_iteration(context: RunContext, iteration: int) -> None:
    """Raise ConfigError for an iteration that a run has not begun."""
    if iteration and not context.folder.iteration(iteration).is_dir():
        last = find_last_trained(context)
        raise ConfigError(
            f"--iteration: found {iteration}, which {context.folder.root} has not begun; the last "
            f"that was trained is {last or '0 (the seed)'}. Leave it out, or begin it: `ste run`."
        )


def findings_path(folder: RunLayout) -> Path:
    """Return the file of a run's findings."""
    return folder.audit / "findings.json"


def keep(folder: RunLayout, iteration: int, found: Mapping[str, Sequence[Finding]]) -> None:
    """Write the findings of an iteration's checks in place of earlier ones of the same checks."""
    by_iteration = read_findings(folder)
    by_check = by_iteration.setdefault(iteration, {})
    by_check.update({name: list(findings) for name, findings in found.items()})
    rows = {
        str(number): {name: [f.to_dict() for f in findings] for name, findings in checks.items()}
        for number, checks in sorted(by_iteration.items())
    }
    replace_json(findings_path(folder), rows)


def read_findings(folder: RunLayout) -> dict[int, dict[str, list[Finding]]]:
    """Return iteration → check → its findings; empty where no audit was made.

    Raises: DataError where the file is damaged.
    """
    path = findings_path(folder)
    return read_derived_json(path, _parse_findings) if path.exists() else {}


def _parse_findings(
    content: Mapping[str, Mapping[str, Any]],
) -> dict[int, dict[str, list[Finding]]]:
    return {
        int(number): {name: list(map(Finding.from_dict, rows)) for name, rows in checks.items()}
        for number, checks in content.items()
    }


def conclude(findings: Sequence[Finding], mistakes: Sequence[SteError] = ()) -> None:
    """Raise NotTrusted where a finding failed, or else PluginError for the mistakes of plugins.

    Raises: Inconclusive where a check's model could not be asked, or no finding keeps its
    threshold: all are undecided, unsure or told.
    """
    if failed := [finding for finding in findings if finding.failed]:
        breaks = "breaks its threshold" if len(failed) == 1 else "break their thresholds"
        figures = f"{len(findings)} figure{'' if len(findings) == 1 else 's'}"
        names = [f"  {f.check}: {f.name} ({f.subject})" for f in failed]
        raise NotTrusted(
            "\n".join(
                [
                    f"NOT TRUSTED: {len(failed)} of {figures} {breaks}:",
                    *names,
                ]
            )
        )
    if of_plugins := [error for error in mistakes if isinstance(error, PluginError)]:
        raise PluginError("\n".join(map(str, of_plugins)))
    if mistakes:
        raise Inconclusive(
            "\n".join(["INCONCLUSIVE: a check could not be made:", *map(str, mistakes)])
        )
    if not any(finding.kept for finding in findings):
        raise Inconclusive(
            "INCONCLUSIVE: no figure that is held to a threshold surely keeps it; see what was "
            "found above."
        )
