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
    """Return instruction readers by name.

    A reader is called `reader(source, base)`, with an entry of `instructions` in the config and the
    config's folder, and yields (place, row) pairs. No two rows may have one place, and it must
    yield the same rows when it is called again.

    Called: where plugins are loaded, by any command; a reader where a run or a preview reads
      instructions.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_engines() -> dict[str, str]:
    """Return engines by name, as `module:factory`; imported only when used.

    The factory is called `factory(model: ModelConfig, place: Place)` and returns an `Engine`. It
    checks the options at once, and loads or connects to nothing before the first request.

    Called: where plugins are loaded, by any command; a factory where a command opens a model.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_selectors() -> "dict[str, Selector]":
    """Return instruction selectors by name.

    A selector is called `selector(instructions, config)`, with `selection` of the config, and
    returns those kept and a Drop for each of the others.

    Called: where plugins are loaded, by any command; a selector after the instructions were read,
      in the order of `selection.selectors`.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_pair_strategies() -> "dict[str, PairStrategy]":
    """Return pair strategies by name.

    `next_prompt` is called for an instruction until it returns None, `worse` once with all replies;
    both again where a run is resumed, so that they must not draw anew.

    Called: where plugins are loaded, by any command; a strategy once the good answers are there.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_judge_formats() -> "dict[str, JudgeFormat]":
    """Return judge formats by name.

    Called: where plugins are loaded, by any command; a format wherever a judge is asked: sampling,
      training, evaluation, audit, `ste judge`.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_drop_judgment(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return a reason to drop a judgment before it can be kept, or None. Any reason drops it.

    The reason is counted in the manifest, and stands in drops.jsonl.

    Called: for each judgment that was sampled, in a resumed run again; it must be quick, and give
      the same answer.
    Order: the plugin that was loaded last comes first, and the built-in one last. All are asked;
      the first reason counts.
    None: the judgment may be kept. Any other value drops it, False as well.
    """


@hookspec
def ste_dataset_formats() -> "dict[str, DatasetFormat]":
    """Return training row formats by name.

    A format is called with an `Example`, a judged prompt, and returns its rows: none or several.

    Called: where plugins are loaded, by any command; a format for each example when rows are
      written.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec(firstresult=True)
def ste_generate_dataset(iteration: "Iteration") -> Path | None:
    """Return the manifest of this iteration's data set, or None to leave it to the next plugin.

    Replaces the whole stage from pairs to training rows; the built-in is called last.

    Called: once per iteration and stage of training, before axolotl starts; again where it was
      interrupted.
    Order: the plugin that was loaded last comes first, the built-in one last. The first that
      returns a manifest ends it.
    None: the next plugin is asked.
    """


@hookspec
def ste_recipe_dirs() -> Path:
    """Return a folder of axolotl recipes (`*.yaml`).

    Called: where a recipe is looked up or listed, by `ste run` and `ste recipes`.
    Order: built-in, installed, then files; two recipes of one name are an error.
    None: an error that names the plugin.
    """


@hookspec
def ste_task_dirs() -> Path:
    """Return a folder of lm-eval tasks.

    Called: where a task is looked up or listed: before each evaluation, and by `ste tasks`.
    Order: built-in, installed, then files; of two tasks with one name the first is taken.
    None: an error that names the plugin.
    """


@hookspec
def ste_report_sections(run: "RunFigures") -> "list[Section]":
    """Return sections of the page that people look at, report.html.

    Their texts are shown, never obeyed. An error is told in the page, and stops nothing.

    Called: each time report.html is written: after every iteration, and by `ste report`. Figures
      may be missing.
    Order: built-in, installed, then files, as they stand in the page.
    None: told in the page as an error; return [] for no section.
    """


@hookspec
def ste_audit_checks() -> "dict[str, Check]":
    """Return checks of `ste audit` by name.

    A check is called `check(context, iteration)` and yields Findings. Where the run lacks what it
    needs, it raises a DataError that says so: the other checks go on.

    Called: where plugins are loaded, by any command; a check by `ste audit`.
    Order: as plugins were loaded, the built-in ones first.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_gates(figures: "GateFigures") -> "list[Finding | str] | None":
    """Return what an iteration must not be shipped for, each as a sentence, or as a finding.

    A sentence breaks a gate, and so does a finding that failed; one that did not is only told. An
    iteration that breaks a gate judges nothing, either. The same files must give the same answer.

    Called: after an iteration was measured; again where the plugin's file or the settings of gates
      change.
    Order: built-in, installed, then files. All are asked; an error ends the run.
    None: it breaks no gate.
    """


@hookspec
def ste_probes() -> "dict[str, BiasProbe]":
    """Return probes of a judge's biases by name, for `ste audit`.

    `ste_plugin.testing.check_probe` says whether one finds its bias, and nothing else.

    Called: where plugins are loaded, by any command; a probe's `change` for each pair that `ste
      audit` draws.
    Order: of no matter, as two plugins with one name are an error.
    None: an error that names the plugin; return {} for nothing.
    """


@hookspec
def ste_iteration_finished(report: "IterationReport") -> None:
    """Observe a finished iteration.

    Called again where the run is killed meanwhile; an error is logged, and stops nothing.

    Called: when an iteration is trained, measured and decided; the seed, number 0, when it is
      measured.
    Order: built-in, installed, then files.
    None: expected; what else is returned is ignored.
    """
