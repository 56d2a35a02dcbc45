"""The labelled pairs of `pairs.given`, in whichever shape their rows have."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ste_plugin.config.labelled import LabelledFile
from ste_plugin.context import GivenPair, RunContext
from ste_plugin.errors import DataError
from ste_plugin.evaluation.prompt_files import files_of
from ste_plugin.instructions.sources.files import SourceFile
from ste_plugin.labelled import Reading, read_placed
from ste_plugin.lm_eval_tasks.shown_columns import CATEGORY, kept_beside


def read_given(context: RunContext) -> Iterator[GivenPair]:
    """Yield the pairs of all files that the config names, in their order.

    Raises: DataError where there is no such file, or for a row that is no pair.
    """
    keep = kept_beside(context.judge_format)
    by_category = context.judge_format.by_category
    for given in context.config.pairs.given:
        for file in _files(given, context.base):
            for where, pair in read_placed(file.path, Reading.of(given), keep=keep):
                place = file.shown + where.removeprefix(str(file.path))
                texts = (place, pair.prompt, pair.chosen, pair.rejected)
                shown = json.loads(pair.shown or "{}")
                if by_category and not shown.get(CATEGORY):
                    shown[CATEGORY] = pair.subset  # as where labelled pairs are measured
                yield GivenPair(*texts, pair.preferred, tuple(shown.items()))


def _files(given: LabelledFile, base: Path) -> Sequence[SourceFile]:
    try:
        return files_of(given.path, base)
    except DataError as error:
        raise DataError(f"pairs.given: {error}") from error
