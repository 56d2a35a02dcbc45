"""HelpSteer2 (Wang et al., 2024), validation: two responses per prompt, rated for helpfulness."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import of_split
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import refuse_equal
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark
from ste_plugin.text.turns import in_words, read_marked

logger = logging.getLogger(__name__)


def paired(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """Yield rows two by two with the number of their pair; equally helpful ones are left out.

    Raises: DataError where two rows that belong together have different prompts.
    """
    in_order, ties = list(rows), 0
    for index, (row, following) in enumerate(zip_longest(in_order[::2], in_order[1::2])):
        if following is None or row.text("prompt") != following.text("prompt"):
            raise DataError(
                f"{row.where}: the row after it is not of the same prompt; expected rows two by "
                "two, the responses to one prompt in sequence. Put them in order."
            )
        if row.number("helpfulness") == following.number("helpfulness"):
            ties += 1
        else:
            yield [replace(r, columns={**r.columns, "pair": index}) for r in (row, following)]
    if ties:
        logger.warning("helpsteer2: %d of %d pairs are ties, left out", ties, len(in_order) // 2)


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the pair of two rows, the more helpful response chosen."""
    better, worse = sorted(rows, key=lambda row: -row.number("helpfulness"))
    asked = rows[0].prompt("prompt")
    pair = LabelledPair(
        id=rows[0].key("pair"),
        subset="validation",
        prompt=in_words(read_marked(asked)) or asked,
        chosen=better.answer("response"),
        rejected=worse.answer("response"),
    )
    refuse_equal(rows[0], pair, "response", "response")
    return [pair]


HELPSTEER2 = Benchmark(
    name="helpsteer2",
    hub="nvidia/HelpSteer2",
    splits=("validation",),
    columns=("prompt", "response", "helpfulness"),
    convert=convert,
    groups=paired,
    rows=1038,
    others=(
        *map(of_split, ("train", "preference", "disagreements")),
        r"(?:preference|disagreements)/.*",
    ),
)
