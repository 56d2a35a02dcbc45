"""Documents of lm-eval: made of rows, with every fault found before any model is loaded."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from ste_plugin.errors import DataError
from ste_plugin.labelled.pair import UNLABELLED, LabelledPair
from ste_plugin.labelled.rows import Row, Unusable

logger = logging.getLogger(__name__)


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
