"""JudgeBench (Tan et al., 2024): pairs of answers of one model, one of them objectively right."""

from collections.abc import Sequence

from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair, make_pair
from ste_plugin.lm_eval_tasks.rows import Row

_BETTER_FIRST = {
    "A>B": ("response_A", "response_B"),
    "B>A": ("response_B", "response_A"),
}


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the pair of one row; its subset is the family of the model that wrote the answers."""
    (row,) = rows
    responses = row.one_of("label", _BETTER_FIRST)
    subset = row.text("response_model").split("-")[0]
    return [make_pair(row, row.key("pair_id"), subset, prompt="question", responses=responses)]


JUDGEBENCH = Benchmark(
    name="judgebench",
    hub="ScalerLab/JudgeBench",
    splits=("gpt", "claude"),
    columns=("pair_id", "question", "response_model", "response_A", "response_B", "label"),
    convert=convert,
    rows=620,
)
