"""What a judge format shows of an instruction beside its text, kept with each pair."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from ste_plugin.context import RunContext
from ste_plugin.errors import ConfigError
from ste_plugin.pairs.strategies import pair_key
from ste_plugin.records import Instruction, ResponsePair

CATEGORY = "category"
KNOWN = (CATEGORY, "final_answer")
"""What there may be of any instruction: `final_answer` where `instructions.columns` names it."""
_OF_PAIRS = ("id", "subset", "prompt", "chosen", "rejected")
"""What a pair's row has of its own."""


def columns_to_show(context: RunContext) -> tuple[str, ...]:
    """Return the columns that the run's judge format shows, or chooses a rubric by.

    Raises: ConfigError for one that some source does not name.
    """
    judge_format = context.judge_format
    columns: tuple[str, ...] = getattr(judge_format, "columns", ())
    if taken := [name for name in columns if name in _OF_PAIRS]:
        raise ConfigError(
            f"judging.format: {judge_format.name} shows the column {taken[0]!r}, which a pair has "
            "of its own; expected another name to train by. Rename it in the format and the data."
        )
    for name in (name for name in columns if name not in KNOWN):
        for number, source in enumerate(context.config.instructions):
            if name not in source.columns:
                raise ConfigError(
                    f"judging.format: {judge_format.name} shows the column {name!r}, which "
                    f"instructions[{number}] ({source.path}) does not name; expected columns: "
                    f"{{{name}: the file's column}} there, or a format without it to train, and "
                    "this one to measure labelled pairs that have it."
                )
    chosen_by = getattr(judge_format, "criteria", {})
    return tuple(dict.fromkeys((*columns, *((CATEGORY,) if chosen_by else ()))))


def with_columns(
    pair: ResponsePair, instruction: Instruction, columns: tuple[str, ...]
) -> ResponsePair:
    """Return a pair with these of its instruction's columns, which its key depends on."""
    if not columns:
        return pair
    known = {CATEGORY: instruction.category, "final_answer": instruction.final_answer or ""}
    known |= dict(instruction.columns or ())
    shown = replace(pair, shown=tuple((name, known.get(name, "")) for name in columns))
    return replace(shown, key=pair_key(shown))


def check_shown(
    splits: Iterable[Sequence[ResponsePair]], columns: tuple[str, ...], folder: Path
) -> None:
    """Raise ConfigError where the pairs of a pool lack a column that is to be shown."""
    first = next((pairs[0] for pairs in splits if len(pairs)), None)
    missing = [name for name in columns if first and name not in first.columns]
    if missing:
        raise ConfigError(
            f"{folder}: made without the column {missing[0]!r} of its instructions, which the "
            "judge format shows or chooses a rubric by; expected it with each pair. Make the pool "
            "again (`ste run CONFIG --from pool`; nothing is paid for twice), or set "
            "judging.format and judging.rubric back."
        )
