"""JudgeBench (Tan et al., 2024): pairs of answers of one model, one of them objectively right."""

from collections.abc import Sequence
from dataclasses import replace

from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import of_split
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import make_pair
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark

_BETTER_FIRST = {
    "A>B": ("response_A", "response_B"),
    "B>A": ("response_B", "response_A"),
}
SOURCES = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench")
"""How the names of sources begin, by which the authors report. Source: run_judge.py."""
SPLITS = ("gpt", "claude")
_RAW = r"dataset=judgebench,response_model={}-[^,/]*\.jsonl"


def family(row: Row) -> str:
    """Return the family of the model that wrote both answers, which the hub calls a split."""
    return str(row.columns["response_model"]).split("-")[0]


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the pair of one row; its subset is the family of the model that wrote the answers."""
    (row,) = rows
    responses = row.one_of("label", _BETTER_FIRST)
    subset = row.text("response_model").split("-")[0]
    pair = make_pair(row, row.key("pair_id"), subset, prompt="question", responses=responses)
    return [replace(pair, group=source(row))]


def source(row: Row) -> str:
    """Return which of the four kinds of sources a question is from, or `other`."""
    named = str(row.columns.get("source", ""))
    return next((kind for kind in SOURCES if named.startswith(kind)), "other")


JUDGEBENCH = Benchmark(
    name="judgebench",
    hub="ScalerLab/JudgeBench",
    splits=SPLITS,
    columns=("pair_id", "question", "response_model", "response_A", "response_B", "label"),
    convert=convert,
    rows=620,
    counts={"gpt": 350, "claude": 270},
    counted_as=family,
    files=[{split: f"{of_split(split)}|{_RAW.format(split)}" for split in SPLITS}],
    others=("outputs/.*",),
)
