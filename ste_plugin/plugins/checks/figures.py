"""Hooks that look at a run: drops, gates, sections and checks, each on a run without figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pluggy

from ste_plugin.audit.finding import Finding
from ste_plugin.context import GateFigures, RunContext
from ste_plugin.errors import SteError
from ste_plugin.plugins.checks.empty_run import empty_run, no_figures
from ste_plugin.plugins.checks.told import call, changing, contributed, guarded, instead, own, shown
from ste_plugin.records import ORDERS, Judgment, ResponsePair
from ste_plugin.report.parts import Section

_PAIR = ResponsePair("p", "i", "Name a fruit.", "An apple.", "A spade.", "other-instruction")
_TEXTS = ("", "[[A]]", "The first names a fruit. Final verdict: [[B]]", "Ä é 数\n" * 40)
_RESULTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("where nothing was measured", {}),
    ("where no pairs were left", {"dev": {"overall": {}, "subsets": {}, "n": 0}}),
    ("where pairs of another name were measured", {"a file": {"overall": {"acc": 0.5}, "n": 2}}),
)
"""What evaluations may look like, with their words."""


def figure_problems(manager: pluggy.PluginManager, plugin: str) -> list[str]:
    """Return what is wrong with a plugin's hooks that are given judgments or a run's figures."""
    hooks: Mapping[str, Callable[[pluggy.HookImpl, RunContext], Iterator[str]]] = {
        "ste_drop_judgment": _drop,
        "ste_gates": _gates,
        "ste_report_sections": _sections,
        "ste_audit_checks": _audit_checks,
    }
    problems: list[str] = []
    with empty_run(manager) as context:
        for hook, check in hooks.items():
            for implementation in own(manager, hook, plugin):
                problems += guarded(hook, partial(check, implementation, context))
    return problems


def _judgments() -> list[Judgment]:
    return [
        Judgment(f"{order}{verdict}{n}", "p", order, n, text, verdict, forced=n == 1)
        for order in ORDERS
        for verdict in (*ORDERS, None)
        for n, text in enumerate(_TEXTS)
    ]


def _drop(hook: pluggy.HookImpl, _: RunContext) -> Iterator[str]:
    def reasons() -> list[Any]:
        return [call(hook, {"judgment": j, "pair": _PAIR}) for j in _judgments()]

    for reason in reasons():
        if reason is not None and not (isinstance(reason, str) and reason.strip()):
            yield (
                f"it returned {instead(reason)}; expected a reason in words, or None to keep the "
                "judgment: anything else that is not None drops it."
            )
            return
    yield from changing("it returned", reasons)


def _gates(hook: pluggy.HookImpl, context: RunContext) -> Iterator[str]:
    for words, results in _RESULTS:
        figures = GateFigures(1, 0, {0: results, 1: results}, context)
        try:
            found = call(hook, {"figures": figures})
        except Exception as error:  # whatever the plugin raises
            yield (
                f"{words}, it raised {shown(error)}. Look figures up with .get(…): what was not "
                "measured breaks no gate."
            )
            return
        if not isinstance(found, list | tuple | None):
            yield (
                f"it returned {instead(found)}; expected a list of sentences or findings, an empty "
                "one where nothing is wrong."
            )
            return
        yield from _said(found or ())
        yield from changing("it returned", partial(call, hook, {"figures": figures}))


def _said(found: Sequence[object]) -> Iterator[str]:
    wrong = [said for said in found if not isinstance(said, str | Finding)]
    for said in wrong[:1]:
        yield f"a list with {instead(said)}; expected sentences or Findings."


def _sections(hook: pluggy.HookImpl, context: RunContext) -> Iterator[str]:
    found = call(hook, {"run": no_figures(context)})
    if not isinstance(found, list | tuple):
        yield f"it returned {instead(found)}; expected a list of Section."
        return
    for section in found:
        if not isinstance(section, Section):
            yield f"a list with {instead(section)}; expected ste_plugin.report.parts.Section."


def _audit_checks(hook: pluggy.HookImpl, context: RunContext) -> Iterator[str]:
    for name, check in contributed(hook).items():
        try:
            found = list(check(context, 0))
        except SteError:
            continue  # it says what it lacks
        except Exception as error:  # whatever the plugin raises
            yield (
                f"{name!r} raised {shown(error)} on a run that has made nothing yet. Raise a "
                "DataError (ste_plugin.errors) that says what is missing: the other checks go on."
            )
            continue
        if wrong := [f for f in found if not isinstance(f, Finding)]:
            yield f"{name!r} yielded {instead(wrong[0])}; expected Findings."
