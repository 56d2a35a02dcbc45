"""What a judge goes by: length, or the words that an answer shares with its question."""

from collections.abc import Iterable, Mapping
from typing import Any

from ste_plugin.text.words import bare_words

Judged = Iterable[Mapping[str, Any]]
"""Rows of `judged.jsonl`."""
_IN_BOTH_ORDERS = {("A", "B"): "chosen", ("B", "A"): "rejected"}
"""Verdicts where the better answer is shown as A, and as B → the answer that is taken."""


def prefers_longer(judged: Judged) -> float | None:
    """Return the share of pairs whose longer answer is the likelier, by the mean of both orders.

    Of pairs without the likelihoods of letters, and of two answers as long as each other, nothing
    is said; None where that is all of them.
    """
    leans = [
        (row["log_odds_a"] > row["log_odds_b"]) == (row["chosen_chars"] > row["rejected_chars"])
        for row in judged
        if "log_odds_a" in row and row["chosen_chars"] != row["rejected_chars"]
    ]
    return sum(leans) / len(leans) if leans else None


def takes_shared_words(judged: Judged, pairs: Judged) -> tuple[int, int]:
    """Return in how many pairs the answer with more words of the question is taken, and of how
    many: those where the judge takes one answer in both orders, and the answers differ in that.
    """
    texts, taken = {row["id"]: row for row in pairs}, []
    for row in judged:
        answer = _IN_BOTH_ORDERS.get((row["verdict_a"], row["verdict_b"]))
        if answer is None:
            continue
        pair = texts[row["id"]]
        shares = {name: shared(pair[name], pair["prompt"]) for name in ("chosen", "rejected")}
        if shares["chosen"] != shares["rejected"]:
            taken.append(shares[answer] == max(shares.values()))
    return sum(taken), len(taken)


def shared(answer: str, question: str) -> float:
    """Return the share of an answer's words that are in its question."""
    words = set(bare_words(answer))
    return len(words & set(bare_words(question))) / max(1, len(words))
