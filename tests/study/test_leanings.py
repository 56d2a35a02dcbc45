"""What the study's judges go by."""

from typing import Any

from study.leanings import prefers_longer, takes_shared_words


def test_a_judge_that_goes_by_length_is_told_whatever_its_letters_are() -> None:
    # sure of A whatever is shown, and a little surer where the longer answer is A
    rows = [
        judged(chosen=200, rejected=100, log_odds_a=3.2, log_odds_b=3.0),
        judged(chosen=100, rejected=200, log_odds_a=3.0, log_odds_b=3.2),
        judged(chosen=100, rejected=100, log_odds_a=3.0, log_odds_b=3.2),
    ]
    assert prefers_longer(rows) == 1
    assert (
        prefers_longer([*rows, judged(chosen=9, rejected=5, log_odds_a=1, log_odds_b=2)]) == 2 / 3
    )
    assert prefers_longer([{"chosen_chars": 2, "rejected_chars": 1}]) is None


def judged(chosen: int, rejected: int, **odds: float) -> dict[str, float]:
    """Return what is kept of a pair that was judged."""
    return {"chosen_chars": chosen, "rejected_chars": rejected, **odds}


def test_what_a_judge_takes_in_both_orders_is_told_by_the_words_of_the_question() -> None:
    texts = [
        pair("one", chosen="It is red.", rejected="The sky is blue."),
        pair("two", chosen="The sky is blue.", rejected="It is red."),
        pair("by place", chosen="It is red.", rejected="The sky is blue."),
        pair("alike", chosen="Red.", rejected="Green."),
    ]
    said = {"one": "BA", "two": "AB", "by place": "AA", "alike": "AB"}
    judged = [{"id": key, "verdict_a": a, "verdict_b": b} for key, (a, b) in said.items()]
    assert takes_shared_words(judged, texts) == (2, 2)
    assert takes_shared_words([{"id": "one", "verdict_a": "A", "verdict_b": "B"}], texts) == (0, 1)
    assert takes_shared_words([{"id": "one", "verdict_a": None, "verdict_b": "A"}], texts) == (0, 0)


def pair(key: str, chosen: str, rejected: str) -> dict[str, Any]:
    """Return a labelled pair about the sky."""
    return {"id": key, "prompt": "What is the sky?", "chosen": chosen, "rejected": rejected}
