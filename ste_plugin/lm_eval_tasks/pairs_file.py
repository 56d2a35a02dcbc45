"""A labelled pair, and how rows become pairs, with every fault found before any model is loaded."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self, TypeVar

from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.rows import Row, Unusable

logger = logging.getLogger(__name__)

VoteCounts = tuple[int, int, int]
"""How many people preferred the chosen response, the rejected one, neither."""
ONE_VOTE: VoteCounts = (1, 0, 0)
ONE_TIE: VoteCounts = (0, 0, 1)
UNLABELLED: VoteCounts = (0, 0, 0)


class Document(Protocol):
    """What lm-eval calls a document: a labelled pair, or a row of several answers."""

    @property
    def id(self) -> str:
        """Return what no other document of its benchmark is called."""

    @property
    def subset(self) -> str:
        """Return the part of the benchmark that it is in."""

    def to_doc(self) -> dict[str, Any]:
        """Return it as lm-eval holds, hands over and logs it."""


D = TypeVar("D", bound=Document)


def kept(name: str, documents: Sequence[D], limit: int | None) -> list[D]:
    """Return the first documents up to a limit; what that leaves out is logged by subset."""
    first = list(documents[:limit])
    every, found = (Counter(d.subset for d in each) for each in (documents, first))
    cut = [f"{subset} {found[subset]} of {n}" for subset, n in every.items() if found[subset] < n]
    if cut and len(every) > 1:
        logger.warning(
            "%s: the limit of %d takes the first rows alone, so of these subsets only: %s",
            name,
            limit,
            ", ".join(cut),
        )
    return first


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two responses to one prompt, and which of them people (or a construction) prefer."""

    id: str
    subset: str
    """Part of the file that is also reported separately."""
    prompt: str
    chosen: str
    rejected: str
    section: str = ""
    """Part of a benchmark whose figure weighs the pairs of several subsets."""
    weight: float = 1.0
    """Of this pair within its section."""
    votes: VoteCounts = ONE_VOTE
    """Of people; `UNLABELLED` where nobody said which response is better."""
    group: str = ""
    """What a benchmark's authors report it under, where that is neither subset nor section."""
    counted_votes: VoteCounts | None = None
    """Those of the votes that its authors count, where they do not count all."""
    shown: str = ""
    """Columns of its row that the judge format shows, as a JSON object."""

    def to_doc(self) -> dict[str, Any]:
        """Return the pair as lm-eval holds, hands over and logs it.

        Without what only some benchmarks have, which all pairs of a benchmark have or none.
        """
        doc = {**asdict(self), "votes": list(self.votes)}
        if self.counted_votes is not None:
            doc["counted_votes"] = list(self.counted_votes)
        return {key: value for key, value in doc.items() if key not in (*RARE, "shown") or value}

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """Return the pair that `to_doc` wrote."""
        votes = {key: tuple(doc[key]) for key in ("votes", "counted_votes") if key in doc}
        return cls(**{**doc, **votes})


RARE = ("group", "counted_votes")
COLUMNS = ("id", "subset", "prompt")


def convert_all(
    groups: Iterable[Sequence[Row]], convert: Callable[[Sequence[Row]], list[D]]
) -> tuple[list[D], list[str]]:
    """Return what `convert` makes of every group of rows, and why rows of the hub were left out.

    Raises: DataError, also where two of them have one id.
    """
    places: dict[str, str] = {}
    documents: list[D] = []
    dropped: list[str] = []
    for group in groups:
        try:
            converted = convert(group)
        except Unusable as error:
            dropped.append(str(error))
            continue
        where = group[0].where
        for document in converted:
            if document.id in places:
                raise DataError(
                    f"{where}: id {document.id!r} was already at {places[document.id]}. "
                    "Give every row an id of its own."
                )
            places[document.id] = where
        documents += converted
    return documents, dropped


def read_pair(row: Row) -> LabelledPair:
    """Return the pair of one row: chosen and rejected, or response_a and response_b.

    The latter may have a label (also called `winner`), A, B or tie; without one nobody said which
    is better. A file may have rows of both kinds. Raises: DataError, also where one row is of both.
    """
    labelled = row.filled(LABELLED)
    unordered = row.filled(c for c in row.columns if plain_name(c) in UNORDERED)
    if labelled and unordered:
        raise DataError(
            f"{row.where}: found {', '.join(map(repr, labelled + unordered))}; expected either "
            "chosen and rejected, or response_a and response_b with a label. Remove or rename the "
            "columns that do not count."
        )
    if labelled or not any(column in row.columns for column in UNORDERED):
        row.require((*COLUMNS, *LABELLED))
        refuse_verdicts(row)
        return make_pair(row, row.key("id"), row.text("subset"))
    row.require((*COLUMNS, *UNORDERED))
    better = label_of(row)
    return make_pair(
        row,
        row.key("id"),
        row.text("subset"),
        responses=BETTER_FIRST["B" if better == "B" else "A"],
        votes={"": UNLABELLED, TIE: ONE_TIE}.get(better, ONE_VOTE),
    )


LABELLED, UNORDERED = ("chosen", "rejected"), ("response_a", "response_b")
BETTER_FIRST = {"A": ("response_a", "response_b"), "B": ("response_b", "response_a")}
TIE = "tie"
LABELS = {"A": "A", "B": "B", TIE: TIE}
WINNERS = LABELS | {f"{kind}_{x.lower()}": x for kind in ("response", "model") for x in "AB"}
"""What a label, and a winner, can be; the latter is often the name of a column."""
OTHER_LABELS = ("preference", "preferred", "better", "verdict", "gold", "human_label")
"""Columns that name the better response in others' files, in words of their own."""
_NAMED_AS_LABEL = re.compile(r"label|winner|prefer|better|verdict|gold|truth|choice|chosen|target")
_SIDES = {word.lower() for word in WINNERS} | {"rejected"}


def label_of(row: Row) -> str:
    """Return A, B, tie, or nothing where nobody said which response is better.

    Raises: DataError where two columns say different things, or one that is not read says it.
    """
    if not (named := row.filled(("label", "winner"))):
        if other := [column for column in row.columns if says_which(row, column)]:
            raise DataError(
                f"{row.where}: found {', '.join(map(repr, other))} and no 'label'. Rename the "
                "column that says which response is better to label (A, B or tie), and any other "
                "to something else."
            )
        return ""
    said = {row.one_of(name, LABELS if name == "label" else WINNERS) for name in named}
    if len(said) > 1:
        raise DataError(
            f"{row.where}: 'label' is {row.columns['label']!r} and 'winner' is "
            f"{row.columns['winner']!r}, which are different responses. Correct or remove one."
        )
    return said.pop()


def says_which(row: Row, column: str) -> bool:
    """Return whether a column that is not read may say which response is better.

    By its name, or where only a part of its name is that of a label, by what it holds: a side or a
    number.
    """
    if column in (*COLUMNS, *UNORDERED) or not row.filled([column]):
        return False
    name, value = plain_name(column), row.columns[column]
    if name in ("label", "winner", *OTHER_LABELS):
        return True
    named_so = _NAMED_AS_LABEL.search(name) or name == "answer"
    return bool(named_so) and (isinstance(value, int | float) or is_side(value) or is_number(value))


def plain_name(column: str) -> str:
    """Return the name of a column in small letters, without blanks around it."""
    return column.strip().lower()


def is_side(value: Any) -> bool:
    """Return whether a value names one of two responses, or a tie, in any letters."""
    return str(value).strip().lower() in _SIDES


def is_number(value: Any) -> bool:
    """Return whether a value is a number written as text."""
    return bool(re.fullmatch(r"\s*[-+]?\d+(?:\.\d*)?\s*", str(value)))


def refuse_verdicts(row: Row) -> None:
    """Raise DataError where a column says A, B or tie of responses that have no such letters."""
    for column in row.columns:
        named_so = plain_name(column) in ("label", "winner", *OTHER_LABELS)
        if named_so and is_side(row.columns[column]):
            raise DataError(
                f"{row.where}: found {column!r} ({row.columns[column]!r}) beside 'chosen' and "
                "'rejected', which say already which is better. Remove the column, or rename the "
                "responses to response_a and response_b."
            )


def tell_unlabelled(name: str, pairs: Sequence[LabelledPair]) -> None:
    """Log of how many pairs nobody said which response is better."""
    if count := sum(pair.votes == UNLABELLED for pair in pairs):
        logger.warning(
            "%s: %d of %d pairs have no label, so they count in consistency, bias and invalid "
            "rates only.",
            name,
            count,
            len(pairs),
        )


def make_pair(
    row: Row,
    key: str,
    subset: str,
    *,
    prompt: str = "prompt",
    responses: tuple[str, str] = ("chosen", "rejected"),
    **more: Any,
) -> LabelledPair:
    """Return a pair of the texts in three columns, the better response named first.

    `more` are further fields of the pair. Raises: DataError where the responses are equal.
    """
    asked, (chosen, rejected) = row.prompt(prompt), map(row.answer, responses)
    pair = LabelledPair(key, subset, asked, chosen, rejected, **more)
    refuse_equal(row, pair, *responses)
    return pair


def refuse_equal(row: Row, pair: LabelledPair, chosen: str, rejected: str) -> None:
    """Raise DataError where both responses are one text, whatever surrounds it."""
    if pair.chosen.strip() == pair.rejected.strip():
        row.unusable(
            f"{chosen!r} and {rejected!r} are the same text, so no verdict on pair {pair.id!r} can "
            "be right. Remove the row."
        )
