"""Keys and records."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.base import ChatRequest, Message, Sampling
from ste_plugin.records import Drop, canonical, content_key
from tests.helpers.json_values import ANY_TEXT, JSON_VALUES


def request(text: str = "hi", sample_index: int = 0, **more: object) -> ChatRequest:
    return ChatRequest("m", (Message("user", text),), Sampling(), sample_index, **more)


@given(JSON_VALUES, JSON_VALUES)
def test_keys_are_equal_exactly_when_contents_are(one, other):
    same = json.dumps(one) == json.dumps(other)
    assert (content_key(one) == content_key(other)) == same


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
        lambda some: st.lists(some) | st.lists(some).map(tuple) | st.dictionaries(ANY_TEXT, some),
    )
)
def test_keys_are_of_the_bytes_that_json_writes(value):
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "other",
    [
        ChatRequest("m2", (Message("user", "hi"),), Sampling()),
        request("ho"),
        request(sample_index=1),
        request(prefix="["),
        request(choices=("A", "B")),
        request(format_version="2"),
        ChatRequest("m", (Message("user", "hi"),), Sampling(temperature=0.1)),
    ],
)
def test_a_request_key_depends_on_everything_that_could_change_the_answer(other):
    assert request().key != other.key


def test_keys_stay_what_they_were_so_that_runs_of_older_versions_go_on():
    turns = (
        Message("system", "Sei h\u00f6flich.\x7f"),
        Message("user", 'Welche Antwort? "A"\n\t\\ \U0001d538'),
    )
    sampling = Sampling(0.7, 1e-5, 512)
    asked = ChatRequest("models/judge@1f", turns, sampling, 3, "[[", ("A", "B"), "brief-1")
    assert (asked.key, asked.seed) == ("806b3bfd5badbf6b-3", 905520533839452077)
    parts = ("pair", "\u00e9", 1, None, [1.5, {"b": 2, "a": 1e16}], True, 10**30)
    assert content_key(*parts) == "427da7339e806b08"


def test_samples_of_one_prompt_share_their_prompt_key():
    assert request(sample_index=0).prompt_key == request(sample_index=1).prompt_key


def test_a_record_as_a_dictionary_has_its_fields_in_their_order():
    assert list(Drop("a", "b", "c").to_dict().items()) == [
        ("stage", "a"),
        ("key", "b"),
        ("reason", "c"),
    ]
