"""LLMBar (Zeng et al., 2024): does the judge see which output follows the instruction?"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.published_files import of_split
from ste_plugin.labelled.rows import Row
from ste_plugin.labelled.texts import make_pair
from ste_plugin.lm_eval_tasks.benchmarks.benchmark import Benchmark

_RAW = "https://raw.githubusercontent.com/princeton-nlp/LLMBar/main/Dataset/LLMBar"
SUBSETS = {
    "Natural": "Natural",
    "Neighbor": "Adversarial/Neighbor",
    "GPTInst": "Adversarial/GPTInst",
    "GPTOut": "Adversarial/GPTOut",
    "Manual": "Adversarial/Manual",
}
_ROWS = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}
"""Subset → rows in the published data set."""
_PLACE = "(?:Dataset/)?(?:LLMBar/)?"
_BETTER_FIRST = {"1": ("output_1", "output_2"), "2": ("output_2", "output_1")}


def numbered(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """Yield every row by itself, with its subset and its number in it for an id, as it has neither.

    The subset is a column of that name, else the split, or in a copy of the repository's folder the
    folder of `dataset.json`.
    """
    seen: Counter[str] = Counter()
    for row in rows:
        subset = subset_of(row)
        named = {**row.columns, "subset": subset, "id": f"{subset}/{seen[subset]}"}
        seen[subset] += 1
        yield [replace(row, columns=named)]


def subset_of(row: Row) -> str:
    """Return the subset that a row is of."""
    folder = row.part.removesuffix("/dataset").rpartition("/")[2]
    return row.columns.get("subset") or folder or "all"


def convert(rows: Sequence[Row]) -> list[LabelledPair]:
    """Return the pair of one row, whose label names the better output."""
    (row,) = rows
    responses = row.one_of("label", _BETTER_FIRST)
    subset = row.text("subset")
    return [make_pair(row, row.key("id"), subset, prompt="input", responses=responses)]


LLMBAR = Benchmark(
    name="llmbar",
    hub="princeton-nlp/LLMBar",
    splits=tuple(SUBSETS),
    columns=("input", "output_1", "output_2", "label"),
    convert=convert,
    groups=numbered,
    rows=419,
    counts=_ROWS,
    counted_as=subset_of,
    files=[
        {
            subset: rf"{of_split(subset)}|{_PLACE}{folder}/dataset\.json"
            for subset, folder in SUBSETS.items()
        }
    ],
    others=("(?:Dataset/)?(?:CaseStudy|Processed)/.*", "evaluators/.*"),
    # The hub's copy is a loading script, which datasets 4 refuses; this is what it loads.
    urls={subset: f"{_RAW}/{folder}/dataset.json" for subset, folder in SUBSETS.items()},
)
