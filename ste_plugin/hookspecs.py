"""The hooks of plugins. Implement any of these with `@ste_plugin.hookspecs.hookimpl`."""

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from ste_plugin.records import Judgment, ResponsePair

if TYPE_CHECKING:  # for annotations only: the specs import nothing that implements them
    from ste_plugin.audit.finding import Finding
    from ste_plugin.audit.probes.probe import BiasProbe
    from ste_plugin.audit.run_audit import Check
    from ste_plugin.context import GateFigures, Iteration, IterationReport
    from ste_plugin.dataset.row_formats import DatasetFormat
    from ste_plugin.instructions.selection.selectors import Selector
    from ste_plugin.instructions.sources.readers import Reader
    from ste_plugin.judging import JudgeFormat
    from ste_plugin.pairs.strategies import PairStrategy
    from ste_plugin.report.parts import Section
    from ste_plugin.report.read_run import RunFigures

hookspec = pluggy.HookspecMarker("ste")
hookimpl = pluggy.HookimplMarker("ste")


@hookspec
def ste_sources() -> "dict[str, Reader]":
    """Return instruction readers by name."""


@hookspec
def ste_engines() -> dict[str, str]:
    """Return engines by name, as `module:factory`; imported only when used.

    The factory is called `factory(model: ModelConfig, place: Place)` and returns an `Engine`. It
    checks the options at once, and loads or connects to nothing before the first request.
    """


@hookspec
def ste_selectors() -> "dict[str, Selector]":
    """Return instruction selectors by name."""


@hookspec
def ste_pair_strategies() -> "dict[str, PairStrategy]":
    """Return pair strategies by name."""


@hookspec
def ste_judge_formats() -> "dict[str, JudgeFormat]":
    """Return judge formats by name."""


@hookspec
def ste_drop_judgment(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return a reason to drop a judgment before it can be kept, or None. Any reason drops it."""


@hookspec
def ste_dataset_formats() -> "dict[str, DatasetFormat]":
    """Return training row formats by name."""


@hookspec(firstresult=True)
def ste_generate_dataset(iteration: "Iteration") -> Path | None:
    """Return the manifest of this iteration's data set, or None to leave it to the next plugin.

    Replaces the whole stage from pairs to training rows; the built-in is called last.
    """


@hookspec
def ste_recipe_dirs() -> Path:
    """Return a folder of axolotl recipes (`*.yaml`)."""


@hookspec
def ste_task_dirs() -> Path:
    """Return a folder of lm-eval tasks."""


@hookspec
def ste_report_sections(run: "RunFigures") -> "list[Section]":
    """Return sections of the page that people look at, report.html.

    Their texts are shown, never obeyed. An error is told in the page, and stops nothing.
    """


@hookspec
def ste_audit_checks() -> "dict[str, Check]":
    """Return checks of `ste audit` by name.

    A check is called `check(context, iteration)` and yields Findings. Where the run lacks what it
    needs, it raises a DataError that says so: the other checks go on.
    """


@hookspec
def ste_gates(figures: "GateFigures") -> "list[Finding | str] | None":
    """Return what an iteration must not be shipped for, each as a sentence, or as a finding.

    A sentence breaks a gate, and so does a finding that failed; one that did not is only told. An
    iteration that breaks a gate judges nothing, either. The same files must give the same answer.
    """


@hookspec
def ste_probes() -> "dict[str, BiasProbe]":
    """Return probes of a judge's biases by name, for `ste audit`.

    `ste_plugin.testing.check_probe` says whether one finds its bias, and nothing else.
    """


@hookspec
def ste_iteration_finished(report: "IterationReport") -> None:
    """Observe a finished iteration.

    Called again where the run is killed meanwhile; an error is logged, and stops nothing.
    """
