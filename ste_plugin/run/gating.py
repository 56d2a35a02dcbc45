"""Which iterations pass their gates: decided once each, from files, and kept in `gates.json`."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pluggy

from ste_plugin.audit import shares
from ste_plugin.audit.collapse import check_collapse
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gate_decision import CHECK
from ste_plugin.audit.gates import NOT_HELD, OF_AUDIT, people_sets
from ste_plugin.audit.run_audit import keep
from ste_plugin.context import GateFigures, RunContext, reported_figures
from ste_plugin.errors import ConfigError, DataError, PluginError, did_you_mean
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.evaluation.shipped import judge_name
from ste_plugin.plugins.loader import FIX_PLUGIN
from ste_plugin.plugins.manager import BUILT_IN_NAME
from ste_plugin.records import Record
from ste_plugin.run.data_audit import audit_data
from ste_plugin.run.used_plugins import file_name, lacking
from ste_plugin.storage.jsonl import read_derived_json, read_json, replace_json


class Decision(Record, frozen=True):
    """What the gates of an iteration decided, as `gates.json` keeps it."""

    iteration: int
    passed: bool
    """Whether it breaks none: only then may it be shipped, and judge in the next iteration."""
    reference: int
    """The last iteration before it that passed, which it was held against; 0 is the seed."""
    broken: tuple[str, ...]
    """The gates that it breaks, each in a sentence."""
    warnings: tuple[str, ...]
    """Figures of the audit that failed, under `gates.audit: warn`."""
    settings: dict[str, Any]
    """`gates` of the config that it was decided by, and `audit` where that blocks."""
    findings: tuple[dict[str, Any], ...]
    """All figures that were looked at."""
    plugins: dict[str, str] = msgspec.field(default_factory=dict)
    """Plugins whose gates it was decided by → what their file held, as a hash."""


def find_passed(context: RunContext, before: int) -> int:
    """Return the last iteration before this one that passed its gates; 0 is the seed.

    Raises: DataError where one of these was not measured.
    """
    passed = (n for n in range(before - 1, 0, -1) if decide_gates(context, n).passed)
    return next(passed, 0)


def decide_gates(context: RunContext, number: int) -> Decision:
    """Return what an iteration's gates decided; decided now where settings or plugins have changed.

    Raises: ConfigError where a plugin is missing that it was decided by; DataError where its judge
    was not measured; PluginError where a plugin's gate fails.
    """
    path = context.folder.iteration(number) / "gates.json"
    if path.exists():
        decision = read_derived_json(path, Decision.from_dict)
        plugins = _plugins(context.plugins)
        for missing in sorted(decision.plugins.keys() - plugins.keys()):
            raise ConfigError(lacking(path, missing, "eval"))
        if (decision.settings, decision.plugins) == (_settings(context), plugins):
            return decision
    _require_measured(context, number)
    decision = _decide(context, number)
    replace_json(path, decision.to_dict())
    _report(context, decision)
    return decision


def _settings(context: RunContext) -> dict[str, Any]:
    """Return the settings that decide; those of the audit do where it blocks."""
    gates, audit = context.config.gates, context.config.audit
    levels = {"levels": audit.model_dump(mode="json")} if gates.audit == "block" else {}
    return gates.model_dump(mode="json") | levels


def _plugins(plugins: pluggy.PluginManager) -> dict[str, str]:
    """Return the plugins that have gates, without the built-in ones, and a hash of their files."""
    gates = plugins.hook.ste_gates.get_hookimpls()
    return {
        file_name(gate.plugin_name): _hash_of(gate.plugin)
        for gate in sorted(gates, key=lambda gate: gate.plugin_name)
        if gate.plugin_name != BUILT_IN_NAME
    }


def _hash_of(plugin: object) -> str:
    file = Path(getattr(plugin, "__file__", None) or "")
    return sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def _require_measured(context: RunContext, number: int) -> None:
    folder = context.folder.iteration(number) / "eval"
    missing = [n for n in plan_evaluations(context) if not (folder / n / "results.json").exists()]
    if missing:
        raise DataError(
            f"{folder}: no {missing[0]}/results.json there, so that nobody knows whether iteration "
            f"{number} passes its gates, and judges in the next one. Measure it first: `ste eval "
            f"CONFIG --iteration {number}`."
        )


def _decide(context: RunContext, number: int) -> Decision:
    reference = find_passed(context, number)
    numbers = dict.fromkeys((0, reference, number))
    evaluations = {n: _read_evaluations(context, n) for n in numbers}
    figures = GateFigures(number, reference, evaluations, context)
    findings = list(_ask_plugins(context.plugins, figures))
    broken = [_in_words(finding) for finding in findings if finding.failed]
    audited = _audit(context, number)
    failed = [f"{OF_AUDIT}: {_in_words(f)}" for f in audited if f.failed]
    blocks = context.config.gates.audit == "block"
    broken += failed if blocks else []
    return Decision(
        number,
        not broken,
        reference,
        tuple(broken),
        () if blocks else tuple(failed),
        _settings(context),
        tuple(finding.to_dict() for finding in [*findings, *audited]),
        _plugins(context.plugins),
    )


def _in_words(finding: Finding) -> str:
    return f"{finding.name}: {finding.words}"


def _read_evaluations(context: RunContext, number: int) -> dict[str, Any]:
    folder = context.folder.iteration(number) / "eval"
    files = {n: folder / n / "results.json" for n in plan_evaluations(context)}
    return {n: reported_figures(read_json(path)) for n, path in files.items() if path.exists()}


def _ask_plugins(plugins: pluggy.PluginManager, figures: GateFigures) -> Iterable[Finding]:
    """Yield the findings of the built-in gates, and of each plugin's."""
    for implementation in plugins.hook.ste_gates.get_hookimpls():
        name = implementation.plugin_name
        given = {"figures": figures}
        try:
            found = implementation.function(*(given[a] for a in implementation.argnames))
        except Exception as error:  # whatever a plugin raises: what it would say is not known
            raise PluginError(f"{name}: ste_gates failed: {error!r}. {FIX_PLUGIN}") from error
        if not isinstance(found, list | tuple | None):
            raise PluginError(
                f"{name}: ste_gates returned {found!r}; expected a list of sentences or findings, "
                f"an empty one where nothing is wrong. {FIX_PLUGIN}"
            )
        for said in found or ():
            yield _finding(name, said, figures.number)


def _finding(plugin: str, said: object, number: int) -> Finding:
    """Return what a gate said, as a finding. Raises: PluginError for something else."""
    if isinstance(said, Finding):
        return said
    if isinstance(said, str):
        return Finding(CHECK, plugin, f"iteration {number}", None, None, None, 0, True, said)
    raise PluginError(
        f"{plugin}: ste_gates returned a list with {said!r}; expected sentences or findings. "
        f"{FIX_PLUGIN}"
    )


def _audit(context: RunContext, number: int) -> list[Finding]:
    """Return what the audit of collapse finds up to an iteration, and keep it with the run's.

    What its training pairs give away is kept, too, and told.
    """
    if context.config.gates.audit == "ignore":
        return []
    found = list(check_collapse(context, number))
    keep(context.folder, number, {shares.CHECK: found})
    audit_data(context, number)
    return found


def _report(context: RunContext, decision: Decision) -> None:
    """Write the decision's event, and its lines on the screen."""
    number, say = decision.iteration, context.progress.say
    facts = {"passed": decision.passed, "broken": list(decision.broken)}
    context.progress.event("gates", iteration=number, **facts)
    if decision.passed:
        for warning in decision.warnings:  # beside a broken gate they say the same once more
            say(f"iteration {number}: warning: {warning}")
        say(f"iteration {number}: gates: passed{_left_open(decision.findings)}")
        return
    for words in decision.broken:
        say(f"iteration {number}: breaks a gate: {words}")
    say(
        f"iteration {number} is not shipped, and judges nothing: {judge_name(decision.reference)} "
        "stays the judge."
    )


def _left_open(findings: Iterable[Mapping[str, Any]]) -> str:
    """Return which gates could not be computed, and which would break for a better seed."""
    gates = [f for f in findings if f["check"] == CHECK and not f["failed"]]
    names = {
        "too little to decide": [f["name"] for f in gates if f["figure"] is None],
        "beyond the level, but not clearly worse than before": [
            f["name"] for f in gates if f["words"].startswith(NOT_HELD)
        ],
    }
    told = [f"{why}: {', '.join(dict.fromkeys(n))}" for why, n in names.items() if n]
    return f" ({'; '.join(told)})" if told else ""


def check_judged_by(context: RunContext, number: int) -> None:
    """Check that an iteration's data set is by the judge that would judge it now.

    One that does not say whose it is was made before there were gates, and stays what it is.
    Raises: ConfigError where changed gates make that another one.
    """
    path = context.folder.iteration(number) / "dataset" / "manifest.json"
    manifest = read_json(path) if path.exists() else {}
    if "judged_by" not in manifest:  # nothing there, a plugin's own, or from before gates
        return
    was = manifest["judged_by"]["iteration"]
    now = find_passed(context, number)
    if was != now:
        raise ConfigError(
            f"{path}: judged by {judge_name(was)}, but as the gates are set now {judge_name(now)} "
            f"would judge. Set `gates` back, or make what follows again: `ste run CONFIG --from "
            f"generate --iteration {number}`, which keeps the old output beside the new."
        )


def check_people(context: RunContext) -> None:
    """Raise ConfigError where `gates.people` names what is not measured."""
    config = context.config
    known = [*config.evaluation.pairs, *config.evaluation.tasks]
    figures = GateFigures(1, 0, {}, context)
    if unknown := [name for name in people_sets(figures) if name not in known]:
        raise ConfigError(
            f"gates.people: found {unknown[0]!r}.{did_you_mean(unknown[0], known)} Expected names "
            f"of `evaluation.pairs` or `evaluation.tasks` ({', '.join(known) or 'none'})."
        )
