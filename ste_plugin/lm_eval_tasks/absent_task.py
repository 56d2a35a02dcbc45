"""What stands in a group for a benchmark that its folder of data lacks. Only lm-eval imports it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from ste_plugin.errors import DataError
from ste_plugin.labelled.published_files import NotThere
from ste_plugin.lm_eval_tasks.benchmarks import benchmark_called
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

logger = logging.getLogger(__name__)

FIXED: dict[str, Any] = {
    "test_split": "test",
    "num_fewshot": 0,
    "metric_list": [],  # None would bring in lm-eval's own default metric
}
"""Of the config of every task."""
_constructed: list[bool] = []
_asked: list[bool] = []
"""lm-eval constructs all tasks, then builds the requests of each: whether they have their data."""


def note_constructed(there: bool) -> None:
    """Note a task that is constructed, and whether it has its data."""
    _constructed.append(there)


def any_there() -> bool:
    """Return whether any task of this evaluation has its data."""
    if _constructed:
        _asked[:] = _constructed
        _constructed.clear()
    return any(_asked)


def not_there(settings: JudgeSettings) -> NotThere | None:
    """Return what is wrong where the folder of data has nothing of a benchmark, else None."""
    benchmark = benchmark_called(settings.benchmark)
    if not benchmark or not benchmark.hub or not settings.data or not settings.data.is_dir():
        return None
    try:
        benchmark.paths(settings.data)
    except NotThere as error:
        return error
    except DataError:
        pass  # raised again by the task that reads it
    return None


class AbsentTask(ConfigurableTask):  # type: ignore[misc]
    """A task without figures, if another one of the evaluation has its data; else an error."""

    VERSION = 0

    def __init__(
        self, config: Mapping[str, Any], settings: JudgeSettings, problem: NotThere
    ) -> None:
        self.problem = problem
        note_constructed(there=False)
        kind = "loglikelihood" if settings.mode == "likelier" else "generate_until"
        super().__init__(config={**config, **FIXED, "output_type": kind})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make a data set of one row, since lm-eval wants one; nothing is asked about it."""
        self.dataset = {"test": datasets.Dataset.from_list([{"id": "absent"}])}

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return nothing."""
        return ""

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return nothing."""
        return ""

    def build_all_requests(self, **settings: Any) -> None:
        """Say what is not there. Raises: DataError where nothing else is, either."""
        if not any_there():
            raise self.problem
        logger.warning("%s is left out. %s", self.config.task, self.problem)
        super().build_all_requests(**settings | {"cache_requests": False})

    def fewshot_context(self, doc: Mapping[str, Any], *_: Any, **__: Any) -> str:
        """Return nothing."""
        return ""

    def construct_requests(
        self, doc: Mapping[str, Any], ctx: str, **settings: Any
    ) -> list[Instance]:
        """Return one request that is asked no times, since lm-eval wants one."""
        task, doc_id, _ = settings["metadata"]
        return [Instance(self.OUTPUT_TYPE, dict(doc), ("", ""), 0, (task, doc_id, 0))]

    def apply_filters(self) -> None:
        """Leave that request without replies, so that there is no sample of it, either."""

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | None]]:
        """Return no figures."""
        return {}

    def higher_is_better(self) -> dict[str, bool]:
        """Return no directions."""
        return {}
