"""What judges write, however odd, is read rightly: 20,000 replies a parser here, more with
STE_FUZZ."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ste_plugin.engines.http.choice import read_choice
from ste_plugin.instructions.selection.labels import CATEGORIES, parse_labels
from ste_plugin.judging import parse_verdict
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.choosing import parse_choice, parse_rating
from ste_plugin.judging.verdict import official_verdict
from ste_plugin.records import ORDERS
from ste_plugin.text.thinking import split_thinking
from tests.helpers.oracles import labels, named_choice, official, rating, score, verdict
from tests.helpers.untrusted_texts import label_replies, texts

COUNT = int(os.environ.get("STE_FUZZ", "5000"))
"""Replies a parser."""


def parsed_labels(text: str):
    found = parse_labels(text)
    return found and (found.category, found.complexity, found.expected_words)


READERS = {
    "verdict": (parse_verdict, verdict),
    "official verdict": (official_verdict, official),
    "choice of four": (parse_choice, lambda text: verdict(text, "ABCD")),
    "rating": (parse_rating, rating),
    "score": (FORMATS["rating"].parse, score),
    "choice that was asked for": (
        lambda text: read_choice(split_thinking(text).said, ORDERS),
        lambda text: named_choice(text, ORDERS),
    ),
}


def differing(replies, read, expected) -> list[tuple[str, object, object]]:
    """Every reply that is read otherwise than expected; equal ones are few enough to be shown."""
    return [(t[:200], got, want) for t in replies if (got := read(t)) != (want := expected(t))]


@pytest.mark.parametrize("name", READERS)
def test_no_reply_is_read_otherwise_than_by_hand(name):
    read, expected = READERS[name]
    assert differing(texts(len(name), COUNT), read, expected)[:3] == []


def test_the_replies_are_worth_reading():
    found = [verdict(text) for text in texts(1, 5000)]
    assert min(found.count(answer) for answer in ("A", "B", None)) > 100
    assert sum(rating(text) is not None for text in texts(2, 5000)) > 50


def test_no_labels_are_read_otherwise_than_by_hand():
    replies = [*label_replies(3, COUNT // 2), *texts(4, COUNT // 2)]
    expected = [labels(text, set(CATEGORIES)) for text in replies]
    assert sum(found is not None for found in expected) > COUNT // 20
    assert [t[:200] for t, e in zip(replies, expected, strict=True) if parsed_labels(t) != e] == []


@pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
def test_whatever_was_said_a_forced_judgment_is_for_the_choice_drawn(form):
    spoken = str if form.only_choices else verdict  # the letter is the whole reply
    read = score if form.pointwise else spoken
    for number, said in enumerate(texts(5, COUNT // 4)):
        prefix = form.forced_prefix(said, cut_off=bool(number % 2))
        for choice, meant in form.choices.items():
            whole = form.forced_text(prefix, choice)
            assert (form.parse(whole), read(whole)) == (meant, meant), said


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["[", "]", "[[", "A", "B", "5", "1", "<think>", "</think>", " "])))
def test_every_parser_agrees_with_its_oracle_on_dense_marks(parts):
    text = "".join(parts)
    for read, expected in READERS.values():
        assert read(text) == expected(text)


@settings(max_examples=100)
@given(st.text())
def test_every_parser_agrees_with_its_oracle_on_any_text(text):
    for read, expected in READERS.values():
        assert read(text) == expected(text)
    assert parsed_labels(text) == labels(text, set(CATEGORIES))
