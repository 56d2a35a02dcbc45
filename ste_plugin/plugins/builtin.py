"""The package's own contributions, through the same hooks as any plugin's."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ste_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from ste_plugin.context import GateFigures, Iteration, IterationReport
    from ste_plugin.report.read_run import RunFigures


@hookimpl
def ste_sources() -> dict[str, Any]:
    from ste_plugin.instructions import sources

    return dict(sources.READERS)


@hookimpl
def ste_engines() -> dict[str, str]:
    return {
        "auto": "ste_plugin.engines.registry:create",
        "local": "ste_plugin.engines.local.engine:create",
        "http": "ste_plugin.engines.http.engine:create",
        "decisions": "ste_plugin.engines.decisions.engine:create",
        "vllm": "ste_plugin.engines.vllm.engine:create",
        "serve": "ste_plugin.engines.vllm.server:create",
        "ray": "ste_plugin.engines.ray.engine:create",
    }


@hookimpl
def ste_selectors() -> dict[str, Any]:
    from ste_plugin.instructions import selection

    return dict(selection.SELECTORS)


@hookimpl
def ste_pair_strategies() -> dict[str, Any]:
    from ste_plugin.pairs import altered, by_origin, constructed, injected, sampled, strategies

    return {
        **strategies.STRATEGIES,
        **constructed.CONSTRUCTED,
        **injected.INJECTED,
        **altered.ALTERED,
        **sampled.BY_FINAL_ANSWER,
        **by_origin.BY_ORIGIN,
    }


@hookimpl
def ste_judge_formats() -> dict[str, Any]:
    from ste_plugin.judging.builtin import FORMATS

    return dict(FORMATS)


@hookimpl
def ste_drop_judgment(judgment: Any, pair: Any) -> str | None:
    from ste_plugin.dataset import filters

    return filters.drop_reason(judgment, pair)


@hookimpl
def ste_dataset_formats() -> dict[str, Any]:
    from ste_plugin.dataset import row_formats

    return dict(row_formats.FORMATS)


@hookimpl(trylast=True)
def ste_generate_dataset(iteration: "Iteration") -> Path:
    from ste_plugin.dataset import build

    return build.generate_dataset(iteration)


@hookimpl
def ste_recipe_dirs() -> Path:
    from ste_plugin.storage import resources

    return resources.shipped_folder("recipes")


@hookimpl
def ste_task_dirs() -> Path:
    from ste_plugin.storage import resources

    return resources.shipped_folder("tasks")


@hookimpl
def ste_report_sections(run: "RunFigures") -> list[Any]:
    from ste_plugin.report import sections

    return sections.built_in_sections(run)


@hookimpl
def ste_audit_checks() -> dict[str, Any]:
    from ste_plugin.audit import checks

    return dict(checks.CHECKS)


@hookimpl
def ste_gates(figures: "GateFigures") -> list[Any]:
    from ste_plugin.audit import gates

    return list(gates.check_gates(figures))


@hookimpl
def ste_probes() -> dict[str, Any]:
    from ste_plugin.audit.probes import builtin

    return dict(builtin.PROBES)


@hookimpl
def ste_iteration_finished(report: "IterationReport") -> None:
    from ste_plugin.evaluation import report as tables

    tables.write_page(report)
