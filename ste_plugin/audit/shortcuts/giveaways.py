"""What gives the better answer away: signs that it has more often than the worse one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from sklearn.feature_extraction.text import CountVectorizer

from ste_plugin.audit.shortcuts.answers import Answers
from ste_plugin.audit.shortcuts.area import Floats, Integers
from ste_plugin.audit.shortcuts.signs import (
    MEASURES,
    format_signs,
    measure,
    opening_signs,
    word_signs,
)

LEAST_DIFFERENCE = 0.05
"""Between the shares of better and worse answers that have a sign."""
SIGNIFICANCE = 0.01
"""Divided by how many signs were looked at (Bonferroni)."""
_SAME = 0.7
"""Cosine from which two signs tell the same pairs."""
_MOST = 12


@dataclass(frozen=True, slots=True)
class Giveaway:
    """A sign that better and worse answers have differently often, beyond chance."""

    sign: str
    """As `begins with “sure”`; of a measure `is longer`."""
    is_form: bool
    """Whether it is of length or format, and not of words."""
    better: float
    """Share of the better answers that have it; of a measure, pairs whose better one has more."""
    worse: float
    """Share of the worse ones; of a measure, pairs whose worse one has more."""
    looked_at: int
    """How many signs were looked at, all of which the test is corrected for."""

    def describe(self) -> str:
        """Return it in words about the better answer."""
        return f"{self.sign} in {self.better:.0%} ({self._other()} {self.worse:.0%})"

    def _other(self) -> str:
        less = {m.more: m.less for m in MEASURES}
        return f"{less[self.sign]} in" if self.sign in less else "the worse in"


@dataclass(frozen=True, slots=True)
class Signs:
    """Which signs the answers of pairs have."""

    names: NDArray[np.object_]
    is_form: NDArray[np.bool_]
    better: sparse.csr_matrix
    """Pairs × signs, 1 where the better answer has it."""
    worse: sparse.csr_matrix


def signs_of(answers: Answers) -> Signs:
    """Return the signs of pairs."""
    measures = np.array([measure(text) for text in answers.texts])
    more = np.sign(measures[answers.better] - measures[answers.worse])
    least = max(
        2, int(LEAST_DIFFERENCE * len(answers.better) / 4)
    )  # of a strategy with a few pairs
    formats = _indicators([list(format_signs(text)) for text in answers.texts], answers, least)
    spoken = [[*opening_signs(own), *word_signs(own)] for own in answers.words]
    wording = _indicators(spoken, answers, least)
    names = [*(m.more for m in MEASURES), *formats[0], *wording[0]]
    return Signs(
        names=np.array(names, object),
        is_form=np.arange(len(names)) < len(MEASURES) + len(formats[0]),
        better=sparse.hstack([more > 0, formats[1], wording[1]]).tocsr(),
        worse=sparse.hstack([more < 0, formats[2], wording[2]]).tocsr(),
    )


def _indicators(
    signs: Sequence[Sequence[str]], answers: Answers, least: int
) -> tuple[Sequence[str], sparse.csr_matrix, sparse.csr_matrix]:
    """Return the names of signs, and pairs × signs of better and of worse answers.

    `signs` are those of the texts. Signs that fewer answers than `least` have are left out.
    """
    vectorizer = CountVectorizer(analyzer=list, binary=True)
    try:
        matrix = vectorizer.fit_transform(signs)
    except ValueError:  # there is no sign
        empty = sparse.csr_matrix((len(answers.better), 0))
        return [], empty, empty
    better, worse = matrix[answers.better], matrix[answers.worse]
    frequent = np.flatnonzero(np.asarray((better + worse).sum(axis=0)).ravel() >= least)
    names = vectorizer.get_feature_names_out()[frequent]
    return list(names), better[:, frequent], worse[:, frequent]


def find_giveaways(signs: Signs, rows: Integers, groups: Integers) -> list[Giveaway]:
    """Return what gives the better answer of some pairs away: form, then words, the clearest first.

    `groups`: the instruction of each of these pairs, from 0. A sign counts where the shares differ
    by `LEAST_DIFFERENCE` or more, and a sign test of the instructions, corrected for all signs that
    were frequent enough to be looked at, rejects chance. Of signs of the same pairs one is
    named, of form and of words.
    """
    better, worse = signs.better[rows], signs.worse[rows]
    has = np.asarray((better + worse).sum(axis=0)).ravel()
    looked_at = np.flatnonzero(has >= LEAST_DIFFERENCE * len(rows))
    if not len(looked_at):
        return []
    difference = (better[:, looked_at].astype(float) - worse[:, looked_at].astype(float)).tocsc()
    shares = [np.asarray(m[:, looked_at].mean(axis=0)).ravel() for m in (better, worse)]
    strength = np.abs(shares[0] - shares[1])
    critical = stats.norm.isf(SIGNIFICANCE / len(looked_at) / 2)
    clear = (np.abs(_sign_test(difference, groups)) > critical) & (strength >= LEAST_DIFFERENCE)
    names, forms = signs.names[looked_at], signs.is_form[looked_at]
    order = sorted(
        np.flatnonzero(clear), key=lambda n: (-round(strength[n], 2), _rank(str(names[n])))
    )
    return [
        Giveaway(
            str(names[n]),
            is_form,
            float(shares[0][n]),
            float(shares[1][n]),
            len(looked_at),
        )
        for is_form in (True, False)
        for n in _distinct(difference, [n for n in order if forms[n] == is_form], names)
    ]


def _rank(name: str) -> tuple[int, int, str]:
    """Return what is named first of signs that are as clear: how an answer begins, at length."""
    kinds = ("is ", "begins", "ends")
    return (
        next((n for n, kind in enumerate(kinds) if name.startswith(kind)), len(kinds)),
        -len(name),
        name,
    )


def _sign_test(difference: sparse.csc_matrix, groups: Integers) -> Floats:
    """Return each column's z statistic: the sum over its standard error, by instruction."""
    count = int(groups.max()) + 1
    by_group = sparse.csr_matrix(
        (np.ones(len(groups)), (groups, np.arange(len(groups)))), (count, len(groups))
    )
    sums = (by_group @ difference).tocsc()
    squares = np.asarray(sums.multiply(sums).sum(axis=0)).ravel()
    total = np.asarray(sums.sum(axis=0)).ravel()
    return np.asarray(total / np.sqrt(np.maximum(squares, 1)), np.float64)


def _distinct(
    difference: sparse.csc_matrix, order: Sequence[int], names: NDArray[np.object_]
) -> Iterator[int]:
    """Yield the columns, in this order, but those that tell the same as one before.

    That is, of mostly the same pairs, or of a beginning the same with more words.
    """
    kept: list[tuple[Floats, str]] = []
    for number in order:
        column, name = difference[:, [number]].toarray().ravel(), str(names[number])
        column = column / np.linalg.norm(column)
        if not any(abs(column @ o) >= _SAME or _goes_on(name, known) for o, known in kept):
            kept.append((column, name))
            yield number
            if len(kept) == _MOST:
                return


def _goes_on(name: str, known: str) -> bool:
    """Return whether a sign is another one with more words behind it.

    >>> _goes_on("begins with “sure the”", "begins with “sure”")
    True
    """
    return known.startswith("begins with “") and name.startswith(f"{known[:-1]} ")
