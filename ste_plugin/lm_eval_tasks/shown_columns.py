"""Columns of a labelled pair's row that a judge format shows beside prompt and answers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.labelled.read import Keep
from ste_plugin.labelled.rows import Row
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

CATEGORY = "category"
"""The column that chooses a rubric, kept where it is there."""


def columns_shown(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a judge format may be shown of a document's row beside its texts."""
    return {"subset": doc["subset"], **json.loads(doc.get("shown") or "{}")}


def columns_kept(settings: JudgeSettings) -> Keep | None:
    """Return what takes along the columns that the settings' format shows; None without any.

    It raises DataError for a row that has not all of them.
    """
    return None if settings.format in FORMATS else kept_beside(settings.load_judge_format())


def kept_beside(judge_format: JudgeFormat) -> Keep | None:
    """Return what takes along the columns that a judge format shows; None without any.

    It raises DataError for a row that has not all of them.
    """
    if not (judge_format.columns or judge_format.criteria):
        return None
    return _Keeping(judge_format.columns)


def kept_by_all(formats: Iterable[JudgeFormat]) -> Keep:
    """Return what takes along the columns that any of some judge formats shows, and the category.

    It raises DataError for a row that has not all of them.
    """
    names = (name for each in formats for name in getattr(each, "columns", ()))
    return _Keeping(tuple(dict.fromkeys(names)))


@dataclass(frozen=True)
class _Keeping:
    """Takes columns along with a pair, and the category where there is one."""

    columns: Sequence[str]

    def __call__(self, pair: LabelledPair, row: Row) -> LabelledPair:
        """Return the pair with the columns. Raises: DataError for a row without."""
        row.require(self.columns)
        also = (CATEGORY,) if CATEGORY in row.columns and CATEGORY not in self.columns else ()
        shown = {name: row.columns[name] for name in (*self.columns, *also)}
        return replace(pair, shown=json.dumps(shown, ensure_ascii=False, default=str))


CATEGORY_KEPT: Keep = _Keeping(())
"""What takes the category along, where there is one, and nothing else."""
