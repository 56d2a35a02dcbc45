"""What people said of two responses: labels, winners, preferences with a sign."""

import re
from typing import Any, NoReturn

from ste_plugin.errors import DataError
from ste_plugin.labelled.rows import Row

COLUMNS = ("id", "subset", "prompt")
LABELLED, UNORDERED = ("chosen", "rejected"), ("response_a", "response_b")
BETTER_FIRST = {"A": ("response_a", "response_b"), "B": ("response_b", "response_a")}
LABEL_COLUMNS = ("label", "winner")
TIE = "tie"
LABELS = {"A": "A", "B": "B", TIE: TIE}
WINNERS = LABELS | {f"{kind}_{x.lower()}": x for kind in ("response", "model") for x in "AB"}
WINNERS |= dict.fromkeys(("tie (bothbad)", "bothbad", "both_bad", "equal"), TIE)
_ARROWS = {"a>b": "A", "a>>b": "A", "b>a": "B", "b>>a": "B", "a=b": TIE}
_FOLDED = {word.lower(): said for word, said in WINNERS.items()} | _ARROWS
_OF_A_SIDE = re.compile(r"(?:response|model|answer|assistant|output|completion)_([ab])")
_NUMBERED = {"response_1": "A", "model_1": "A", "response_2": "B", "model_2": "B"}
_VOTES_OF_SHP = {"1": "A", "0": "B"}
"""What a label, and a winner, can be; the latter is often the name of a column."""
STRONGEST = 3
"""Of preferences with a sign: from -3, the first response is much better, to 3, the second is."""
ONE_HOT = {"winner_model_a": "A", "winner_model_b": "B", "winner_tie": TIE}
OTHER_LABELS = ("preference", "preferred", "better", "verdict", "gold", "human_label")
"""Columns that name the better response in others' files, in words of their own."""
_OF_RESPONSES = re.compile("winner|prefer|better|verdict|choice|chosen")
_MAY_BE_OF_TASK = re.compile("label|gold|truth|target")
"""Names of columns that may also hold the right answer to what was asked."""
_NAMED_AS_VOTE = re.compile("vote|annotat")
"""Names of columns of words, of which numbers are counts or ids."""
_PERSON = re.compile(
    r"(?:annotator|labell?er|voter)(?:[ _-]?(?:id|name))?"
    r"|(?:annotated|labell?ed|voted|chosen|preferred)[ _-]by"
)
"""Names of columns that say who labelled a row; whoever is called A says nothing of an answer."""
_IS_TIE = ("tie", "is_tie")
"""Columns that are true of a tie."""
_TRUE = ("true", "yes", "1", "1.0")


def label_of(row: Row) -> str:
    """Return A, B, tie, or nothing where nobody said which response is better.

    Raises: DataError where two columns say different things, or one that is not read says it.
    """
    if not (named := row.filled(LABEL_COLUMNS)):
        if other := [column for column in row.columns if says_which(row, column)]:
            raise DataError(
                f"{row.where}: found {', '.join(map(repr, other))} and no 'label'. Rename the "
                "column that says which response is better to label (A, B or tie), and any other "
                "to something else."
            )
        return ""
    said = {_side_in(row, name) for name in named}
    if len(said) > 1:
        raise DataError(
            f"{row.where}: 'label' is {row.columns['label']!r} and 'winner' is "
            f"{row.columns['winner']!r}, which are different responses. Correct or remove one."
        )
    return said.pop()


def _side_in(row: Row, name: str) -> str:
    """Return the side that a label names: in any letters, as `b`, `Model B` or `B>A`.

    Raises: DataError.
    """
    value = row.columns[name]
    said = _side(value)
    if said is None and is_number(value):
        raise row.unexpected(
            name,
            value,
            f"{' or '.join(map(repr, LABELS))}; which number is which, only you can say: labels "
            "{1: A, 2: B} (STE_JUDGE_LABELS=1=A,2=B)",
        )
    return said or row.one_of(name, LABELS if name == "label" else WINNERS)


def _side(value: Any) -> str | None:
    """Return the side that a value names, A, B or tie, in any letters."""
    folded = re.sub(r"[\s_-]+", "_", str(value).strip().lower())
    if side := _OF_A_SIDE.fullmatch(folded):
        return side[1].upper()
    return _FOLDED.get(folded) or _FOLDED.get(folded.replace("_", " "))


def says_which(row: Row, column: str) -> bool:
    """Return whether a column that is not read may say which response is better.

    By its name, or where only a part of its name is that of a label, by what it holds: a side or a
    number.
    """
    if column in (*COLUMNS, *UNORDERED) or not row.filled([column]):
        return False
    name, value = plain_name(column), row.columns[column]
    if _PERSON.fullmatch(name):
        return False
    if name in ("label", "winner", *OTHER_LABELS):
        return True
    if _NAMED_AS_VOTE.search(name) and is_side(value):
        return True
    named_so = _OF_RESPONSES.search(name) or _MAY_BE_OF_TASK.search(name) or name == "answer"
    return bool(named_so) and (isinstance(value, int | float) or is_side(value) or is_number(value))


def plain_name(column: str) -> str:
    """Return the name of a column in small letters, without blanks around it."""
    return column.strip().lower()


def is_side(value: Any) -> bool:
    """Return whether a value names one of two responses, or a tie, in any letters."""
    return _side(value) is not None or str(value).strip().lower() == "rejected"


def is_number(value: Any) -> bool:
    """Return whether a value is a number written as text."""
    return bool(re.fullmatch(r"\s*[-+]?\d+(?:\.\d*)?\s*", str(value)))


def says_tie(row: Row, column: str) -> bool:
    """Return whether a column beside chosen and rejected says that neither of them is better.

    What was asked may have an answer of its own, in a column called truth, target or label: of 1/2
    and 0.5 it is "equal". So only a label that speaks of ties counts.
    """
    if column in (*COLUMNS, *LABELLED):
        return False
    name, value = plain_name(column), row.columns[column]
    if name in _IS_TIE:
        return str(value).strip().lower() in _TRUE
    named_so = name == "status" or _OF_RESPONSES.search(name) or _NAMED_AS_VOTE.search(name)
    may_count = named_so or ("label" in name and plain_name(str(value)) != "equal")
    return bool(may_count) and _side(value) == TIE


def refuse_verdicts(row: Row) -> None:
    """Raise DataError where a column says A or B of responses that have no such letters."""
    for column in row.columns:
        named_so = plain_name(column) in ("label", "winner", *OTHER_LABELS)
        value = row.columns[column]
        if named_so and is_side(value) and _side(value) != TIE:
            raise DataError(
                f"{row.where}: found {column!r} ({value!r}) beside 'chosen' and "
                "'rejected', which say already which is better. Remove the column, or rename the "
                "responses to response_a and response_b."
            )


def winner_of(row: Row) -> str:
    """Return A, B or tie. Raises: DataError, also where nobody is the winner."""
    return label_of(row) or _nobody(row, "winner")


def preference_in(row: Row, column: str) -> str:
    """Return A, B or tie, by the sign of a number from -3 to 3. Raises: DataError."""
    if not row.filled([column]):
        return _nobody(row, column)
    strength = row.number(column)
    if abs(strength) > STRONGEST:
        raise row.unexpected(column, strength, "a preference from -3 to 3")
    return "A" if strength < 0 else "B" if strength > 0 else TIE


def preference_or_winner(row: Row) -> str:
    """Return A, B or tie, by whichever of two columns is there. Raises: DataError."""
    if row.filled(["preference_strength"]):
        return preference_in(row, "preference_strength")
    winner = plain_name(str(row.columns.get("winner")))
    return _NUMBERED.get(winner) or winner_of(row)


def vote_of_shp(row: Row) -> str:
    """Return A where `labels` is 1, B where it is 0. Raises: DataError."""
    if not row.filled(["labels"]):
        return _nobody(row, "labels")
    number = row.number_in("labels", row.columns["labels"])
    if (said := _VOTES_OF_SHP.get(f"{number:g}")) is None:
        raise row.unexpected("labels", row.columns["labels"], "1 (A is better) or 0 (B is)")
    return said


def one_hot_winner(row: Row) -> str:
    """Return A, B or tie: the one of three columns that is 1. Raises: DataError."""
    said = [
        word
        for column, word in ONE_HOT.items()
        if row.filled([column]) and row.number_in(column, row.columns[column])
    ]
    if len(said) != 1:
        told = ", ".join(f"{column} {row.columns.get(column)!r}" for column in ONE_HOT)
        raise DataError(
            f"{row.where}: found {told}; expected 1 for one of them and 0 for the others. Correct "
            "or remove the row."
        )
    return said[0]


def _nobody(row: Row, column: str) -> NoReturn:
    raise DataError(
        f"{row.where}: nobody said which response is better: {column!r} is missing or empty. Fill "
        "it in (a tie is one, too) or remove the row."
    )
