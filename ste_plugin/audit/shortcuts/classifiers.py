"""Text-blind classifiers: which of two answers is better, by what they look like alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import MultiLabelBinarizer

from ste_plugin.audit.shortcuts.answers import Answers
from ste_plugin.audit.shortcuts.area import Floats, Integers
from ste_plugin.audit.shortcuts.signs import describe_gram, format_signs, measure, word_grams

FOLDS = 5
_MOST_WORDS = 50_000
"""Words and word pairs that a classifier knows: the most frequent."""
_RARE = 10
"""Pairs that an answer occurs in, at most, to be taken out of a fold for its role in another."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What the better answer of each pair has over the worse one: a row per pair."""

    form: sparse.csr_matrix
    """Length and format."""
    words: sparse.csr_matrix
    vocabulary: NDArray[np.object_]
    """The columns of `words`."""
    groups: Integers
    """The instruction of each pair, from 0."""
    texts: Integers
    """The numbers of its two answers: equal texts have one number."""

    def of(self, rows: Integers) -> "Differences":
        """Return those of some pairs, their instructions numbered anew."""
        groups = np.unique(self.groups[rows], return_inverse=True)[1]
        form, words = self.form[rows], self.words[rows]
        return Differences(form, words, self.vocabulary, groups, self.texts[rows])


def differences_of(answers: Answers) -> Differences:
    """Return the differences of pairs.

    What scales them (how far a measure spreads, how rare a word is) does not depend on which answer
    is the better one, so nothing of that reaches a fold that is held out.
    """
    form = _form(answers.texts)
    words, vocabulary = _weighed_words(answers.words)
    return Differences(
        form=sparse.csr_matrix(_scaled(form[answers.better] - form[answers.worse])),
        words=(words[answers.better] - words[answers.worse]).tocsr(),
        vocabulary=vocabulary,
        groups=answers.groups,
        texts=np.stack([answers.better, answers.worse], axis=1),
    )


def _form(texts: Sequence[str]) -> Floats:
    """Return measures, by how much length is beyond each fifth of them, and format signs."""
    measures = np.array([measure(text) for text in texts])
    fifths = np.quantile(measures[:, 0], [0.2, 0.4, 0.6, 0.8])
    beyond = np.maximum(0, measures[:, :1] - fifths)
    signs = MultiLabelBinarizer().fit_transform([set(format_signs(text)) for text in texts])
    return np.hstack([measures, beyond, signs])


def _scaled(differences: Floats) -> Floats:
    """Return each column over its spread, and rows as long as those of words: about 1."""
    spread = np.sqrt(np.mean(differences**2, axis=0))
    scale = np.where(spread > 0, spread, 1) * np.sqrt(differences.shape[1])
    return np.asarray(differences / scale, np.float64)


def _weighed_words(words: Sequence[list[str]]) -> tuple[sparse.csr_matrix, NDArray[np.object_]]:
    """Return TF-IDF of words and two in a row, texts × vocabulary, and the vocabulary."""
    vectorizer = TfidfVectorizer(
        analyzer=word_grams, min_df=2, max_features=_MOST_WORDS, sublinear_tf=True, dtype=np.float32
    )
    try:
        return vectorizer.fit_transform(words), vectorizer.get_feature_names_out()
    except ValueError:  # no word occurs twice
        return sparse.csr_matrix((len(words), 1)), np.array([""], object)


def out_of_fold_scores(features: sparse.csr_matrix, of: Differences) -> Floats:
    """Return each pair's score by a logistic regression fitted to pairs of other instructions.

    An answer that is the better one here and the worse one there would be remembered as the wrong
    one, so pairs with such an answer of the held-out fold are left out of the fit.
    """
    scores = np.zeros(len(of.groups))
    folds = min(FOLDS, int(of.groups.max()) + 1)
    mixed = _mixed_texts(of.texts)
    for fitted, held_out in GroupKFold(folds).split(scores, groups=of.groups):
        shared = np.intersect1d(mixed, of.texts[held_out])
        fitted = fitted[~np.isin(of.texts[fitted], shared).any(axis=1)]
        if len(fitted) < 2:
            continue
        scores[held_out] = features[held_out] @ _fit(features[fitted])
    return scores


def _fit(features: sparse.csr_matrix) -> Floats:
    """Return the weights of a logistic regression: features of the better answer less the worse's.

    Without an intercept, a pair turned round says the same again, so each pair is fitted one way,
    and as many one way as the other.
    """
    # the default tolerance is met at once where words are many and rare
    model = LogisticRegression(fit_intercept=False, max_iter=500, tol=1e-7)
    turns = np.where(np.arange(features.shape[0]) % 2, -1.0, 1.0)
    model.fit(sparse.diags(turns) @ features, turns > 0)
    return np.asarray(model.coef_[0], np.float64)


def strongest_words(of: Differences, count: int) -> list[tuple[str, bool]]:
    """Return what a classifier of words goes by most, and whether it is a sign of the better one.

    Of words that tell the same, as a word and two in a row with it, the first is named.
    """
    spread = np.sqrt(np.asarray(of.words.multiply(of.words).mean(axis=0)).ravel())
    weights = _fit(of.words) * spread
    named: list[tuple[str, bool]] = []
    known = set[str]()
    for number in np.argsort(-np.abs(weights), kind="stable"):
        gram = set(of.vocabulary[number].split()) - {"^", "$"}
        if weights[number] and not known & gram:
            known |= gram
            named.append((describe_gram(of.vocabulary[number]), bool(weights[number] > 0)))
        if len(named) == count:
            break
    return named


def _mixed_texts(texts: Integers) -> NDArray[np.int64]:
    """Return the answers that are the better one of a pair and the worse one of another.

    One that many pairs have, as `I do not know.`, is a giveaway rather than an accident.
    """
    count = int(texts.max()) + 1
    better, worse = (np.bincount(column, minlength=count) for column in texts.T)
    return np.flatnonzero((better > 0) & (worse > 0) & (better + worse <= _RARE))
