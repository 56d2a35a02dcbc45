"""The labelled pairs of `pairs.given`, read as the pairs of a measurement are."""

from collections.abc import Iterator

from ste_plugin.context import GivenPair, RunContext
from ste_plugin.evaluation.prompt_files import files_of
from ste_plugin.lm_eval_tasks.pairs_file import read_pair
from ste_plugin.lm_eval_tasks.row_files import file_rows


def read_given(context: RunContext) -> Iterator[GivenPair]:
    """Yield the pairs of all files that the config names, in their order.

    Raises: DataError where there is no such file, or for a row that is no pair.
    """
    for path in context.config.pairs.given_files:
        for file in files_of(path, context.base):
            for row in file_rows(file.path, ""):
                pair = read_pair(row)
                is_preferred = pair.votes[0] > pair.votes[1]
                where = file.shown + row.where.removeprefix(str(file.path))
                yield GivenPair(where, pair.prompt, pair.chosen, pair.rejected, is_preferred)
