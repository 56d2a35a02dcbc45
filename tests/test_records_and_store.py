"""Keys, records, and files that are whole or absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import judgment, pair
from ste_plugin.asking import ask, owed
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.errors import DataError, EngineError
from ste_plugin.records import Judgment, content_key
from ste_plugin.store import appending, cut_torn_tail, read_records, replace_records, to_line
from ste_plugin.testing import FakeEngine
from ste_plugin.watch import Watch

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5
)


def request(text: str = "hi", sample_index: int = 0, **more: object) -> ChatRequest:
    return ChatRequest("m", (Message("user", text),), Sampling(), sample_index, **more)


@given(JSON_VALUES, JSON_VALUES)
def test_keys_are_equal_exactly_when_contents_are(one, other):
    import json

    same = json.dumps(one) == json.dumps(other)
    assert (content_key(one) == content_key(other)) == same


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


def test_samples_of_one_prompt_share_their_prompt_key():
    assert request(sample_index=0).prompt_key == request(sample_index=1).prompt_key


@given(st.text(), st.text())
def test_records_come_back_as_they_were_written(tmp_path_factory, one, two):
    path = tmp_path_factory.mktemp("rows") / "pairs.jsonl"
    records = [pair(key="p0", better=one), pair(key="p1", worse=two)]
    replace_records(path, records)
    assert read_records(path, type(records[0])) == records


def test_a_derived_line_that_is_no_record_names_file_line_field_and_cure(tmp_path):
    path = tmp_path / "judgments.jsonl"
    row = judgment().to_dict()
    del row["better_is"]
    path.write_bytes(to_line(judgment().to_dict()) + to_line(row))
    with pytest.raises(
        DataError,
        match=r"judgments.jsonl:2: not a Judgment \(missing 'better_is'\)(.|\n)*delete it",
    ):
        read_records(path, Judgment)


def test_a_torn_tail_is_cut_before_anything_is_appended(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2, "te')
    with appending(path) as file:
        file.write(b'{"a": 3}\n')
    assert path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


@given(st.lists(st.text(alphabet="ab\u2028é", max_size=5), max_size=4), st.integers(min_value=0))
def test_cutting_a_torn_tail_keeps_every_whole_line(tmp_path_factory, texts, at):
    lines = [to_line({"t": t}) for t in texts]
    content = b"".join(lines)
    path = tmp_path_factory.mktemp("torn") / "c.jsonl"
    path.write_bytes(content[: at % (len(content) + 1)])
    cut_torn_tail(path)
    kept = path.read_bytes()
    assert content.startswith(kept)
    assert kept == b"" or kept.endswith(b"\n")


def test_resume_asks_only_for_what_is_missing():
    done = {request("a").key: Completion(request("a").key, "x", "stop", 1, 1)}
    assert owed([request("a"), request("b"), request("b")], done) == [request("b")]


def test_completions_are_kept_as_they_come_and_not_paid_for_twice(tmp_path):
    path, watch = tmp_path / "c.jsonl", Watch(tmp_path / "events.jsonl", quiet=True)
    wanted = [request(str(i)) for i in range(5)]
    first = FakeEngine(lambda r: r.messages[0].content)
    ask(first, wanted[:3], path, watch, "t")
    second = FakeEngine(lambda r: r.messages[0].content)
    found = ask(second, wanted, path, watch, "t")
    assert [c.text for c in found] == ["0", "1", "2", "3", "4"]
    assert second.count == 2


def test_an_engine_that_leaves_requests_unanswered_is_an_error(tmp_path):
    class Silent:
        def complete(self, requests):
            return iter(())

        def close(self):
            pass

    with pytest.raises(EngineError, match="left 1 of 1 requests unanswered"):
        ask(Silent(), [request()], tmp_path / "c.jsonl", Watch(tmp_path / "e", quiet=True), "t")
