"""What a plugin may contribute. Implement any of these with `@ste_plugin.hookspecs.hookimpl`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from ste_plugin.records import Drop, Instruction, Judgment, ResponsePair

if TYPE_CHECKING:  # for annotations only: the specs import nothing that implements them
    from ste_plugin.config import SelectionConfig, SourceConfig
    from ste_plugin.context import Iteration, IterationReport
    from ste_plugin.dataset.filters import Example
    from ste_plugin.engines.base import Message
    from ste_plugin.judging import JudgeFormat

hookspec = pluggy.HookspecMarker("ste")
hookimpl = pluggy.HookimplMarker("ste")

Reader = Callable[["SourceConfig", Path], Iterator[tuple[str, dict[str, Any]]]]
"""(settings, folder of the config) → (place for messages, raw row) pairs."""

Selector = Callable[
    [Sequence[Instruction], "SelectionConfig"], tuple[list[Instruction], list[Drop]]
]
"""Instructions in → those kept, and a Drop for each of the others."""

DatasetFormat = Callable[["Example"], list[dict[str, Any]]]
"""One judged prompt → its training rows: one, several, or none."""


class PairStrategy(Protocol):
    """A way to make the worse response of a pair, in as many model calls as it takes."""

    @property
    def version(self) -> str:
        """Changes whenever the prompts change."""
        ...

    def next_prompt(
        self, instruction: Instruction, replies: Sequence[str]
    ) -> "tuple[Message, ...] | None":
        """Return the next call, given the replies to the calls before, or None when all are made."""
        ...

    def worse(
        self,
        instruction: Instruction,
        replies: Sequence[str],
        better: Mapping[str, str],
        pool: Sequence[Instruction],
    ) -> str | Drop:
        """Return the worse response; `better` holds every instruction key's good answer."""
        ...


@hookspec
def ste_sources() -> dict[str, Reader]:
    """Return instruction readers by name."""


@hookspec
def ste_engines() -> dict[str, str]:
    """Return engines by name, as `module:factory`; imported only when used.

    The factory is called `factory(model: ModelConfig, place: Place)` and returns an `Engine`. It checks
    the options at once, and loads or connects nothing before the first request.
    """


@hookspec
def ste_selectors() -> dict[str, Selector]:
    """Return instruction selectors by name."""


@hookspec
def ste_pair_strategies() -> dict[str, PairStrategy]:
    """Return pair strategies by name."""


@hookspec
def ste_judge_formats() -> "dict[str, JudgeFormat]":
    """Return judge formats by name."""


@hookspec
def ste_drop_judgment(judgment: Judgment, pair: ResponsePair) -> str | None:
    """Return a reason to drop a judgment before it can be kept, or None. Any reason drops it."""


@hookspec
def ste_dataset_formats() -> dict[str, DatasetFormat]:
    """Return training row formats by name."""


@hookspec(firstresult=True)
def ste_generate_dataset(iteration: "Iteration") -> Path | None:
    """Return the manifest of this iteration's data set, or None to leave it to the next plugin.

    Replaces the whole stage from pairs to training rows; the built-in comes last.
    """


@hookspec
def ste_recipe_dirs() -> Path:
    """Return a folder of axolotl recipes (`*.yaml`)."""


@hookspec
def ste_task_dirs() -> Path:
    """Return a folder of lm-eval tasks."""


@hookspec
def ste_iteration_finished(report: "IterationReport") -> None:
    """Observe a finished iteration; twice where the run is killed then. An error stops nothing."""
