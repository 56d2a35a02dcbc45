"""RewardBench (Lambert et al., 2024): 23 subsets in four sections."""

from collections.abc import Sequence

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import of_split
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import make_pair
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark

SECTIONS: dict[str, dict[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 447,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
"""Section → subset → rows in the published data set."""

COUNTED_AS = {"math-prm": 984}
"""As many as the rows of code, so that mathematics is half of Reasoning.

Source: EXAMPLE_COUNTS in the `rewardbench` package, which elsewhere are the rows.
"""
_SECTION_OF = {subset: section for section, subsets in SECTIONS.items() for subset in subsets}


def weight(subset: str) -> float:
    """Return what one row counts in its section."""
    rows = SECTIONS[_SECTION_OF[subset]][subset]
    return COUNTED_AS.get(subset, rows) / rows


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the pair of one row. Raises: DataError for a subset that RewardBench does not have."""
    (row,) = rows
    subset = row.text("subset")
    if subset not in _SECTION_OF:
        raise DataError(
            f"{row.where}: 'subset' is {subset!r}; expected one of RewardBench's 23: "
            f"{', '.join(_SECTION_OF)}. Pairs of other kinds can be judged by ste_local."
        )
    return [
        make_pair(
            row,
            f"{subset}/{row.key('id')}",
            subset,
            section=_SECTION_OF[subset],
            weight=weight(subset),
        )
    ]


REWARDBENCH = Benchmark(
    name="rewardbench",
    hub="allenai/reward-bench",
    splits=("filtered",),
    columns=("id", "subset", "prompt", "chosen", "rejected"),
    convert=convert,
    rows=2985,
    counts={subset: rows for subsets in SECTIONS.values() for subset, rows in subsets.items()},
    counted_as=lambda row: str(row.columns["subset"]),
    others=(of_split("raw"), of_split("train")),
    sections=tuple(SECTIONS),
)
