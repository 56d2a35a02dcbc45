"""Requests are sent once, completions stored as they come, and the budget ends it."""

from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.errors import DataError, EngineError
from ste_plugin.inference.budget import Budget
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import complete_requests, dispatch
from ste_plugin.progress import ProgressReporter
from ste_plugin.testing import FakeEngine


def request(text: str = "hi", sample: int = 0) -> ChatRequest:
    return ChatRequest("m", (Message("user", text),), Sampling(), sample)


def echo() -> FakeEngine:
    return FakeEngine(lambda r: r.messages[0].content)


def asked(engine, requests, path, budget=None):
    progress = ProgressReporter(path.parent / "events.jsonl", quiet=True)
    store = CompletionStore(path)
    return complete_requests(engine, requests, store, progress, budget or Budget(), "t")


def test_resume_asks_only_for_what_is_missing(tmp_path):
    path = tmp_path / "c.jsonl"
    asked(echo(), [request("a")], path)
    second = echo()
    found = asked(second, [request("a"), request("b"), request("b"), None], path)
    assert [c and c.text for c in found] == ["a", "b", "b", None]
    assert second.count == 1


def test_completions_are_kept_as_they_come_and_not_paid_for_twice(tmp_path):
    path = tmp_path / "c.jsonl"
    wanted = [request(str(i)) for i in range(5)]
    asked(echo(), wanted[:3], path)
    second = echo()
    assert [c.text for c in asked(second, wanted, path)] == ["0", "1", "2", "3", "4"]
    assert second.count == 2


def test_an_engine_that_leaves_requests_unanswered_is_an_error(tmp_path):
    class Silent:
        def complete(self, requests):
            return iter(())

        def close(self):
            pass

    with pytest.raises(EngineError, match="left 1 of 1 requests unanswered"):
        asked(Silent(), [request()], tmp_path / "c.jsonl")


def test_an_engine_that_ends_before_it_took_everything_is_an_error(tmp_path):
    class Hasty(FakeEngine):
        def complete(self, requests):
            return super().complete(islice(requests, 2))

    hasty = Hasty(lambda _: "fine")
    with pytest.raises(
        EngineError, match="left 0 of 2 requests unanswered, and did not read the others"
    ):
        asked(hasty, [request(str(i)) for i in range(9)], tmp_path / "c.jsonl")
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 2


def test_what_is_in_flight_is_kept_where_a_completion_cannot_be_used(tmp_path):
    class Ahead(FakeEngine):
        def complete(self, requests):
            while some := list(islice(requests, 4)):
                yield from super().complete(some)

    def took(_):
        raise RuntimeError("not so")

    path = tmp_path / "c.jsonl"
    engine, file = Ahead(lambda _: "fine"), CompletionStore(path)
    wanted = [request(str(i)) for i in range(9)]
    progress = ProgressReporter(tmp_path / "e.jsonl", quiet=True)
    with progress.bar("t", 9) as bar, pytest.raises(RuntimeError, match="not so"):
        dispatch(engine, wanted, file, bar, Budget(), "t", took)
    assert engine.count == 4
    assert [r.key in CompletionStore(path) for r in wanted] == [True] * 4 + [False] * 5


@pytest.mark.parametrize(
    "other", [{"finish_reason": "eos"}, {"prompt_tokens": 2.0}, {"text": b"a"}]
)
def test_a_completion_that_could_not_be_read_back_is_refused_before_it_is_written(tmp_path, other):
    class Odd:
        def complete(self, requests):
            for r in requests:
                yield replace(Completion(r.key, "a", "stop", 2, 1), **other)

    with pytest.raises(EngineError, match="answered Completion.*expected a text, finish_reason"):
        asked(Odd(), [request()], tmp_path / "c.jsonl")
    assert (tmp_path / "c.jsonl").read_bytes() == b""


def test_completions_before_a_failure_are_kept(tmp_path):
    def failing(r):
        if r.messages[0].content == "2":
            raise EngineError("down")
        return "fine"

    path = tmp_path / "c.jsonl"
    with pytest.raises(EngineError, match="down"):
        asked(FakeEngine(failing), [request(str(i)) for i in range(5)], path)
    assert [request(str(i)).key in CompletionStore(path) for i in range(3)] == [True, True, False]


def test_tokens_that_are_used_up_end_the_asking_and_what_is_there_is_kept(tmp_path):
    budget = Budget(tokens=5)
    wanted = [request(f"two words {i}") for i in range(9)]
    found = asked(echo(), wanted, tmp_path / "c.jsonl", budget)
    assert [c.finish_reason for c in found] == ["stop"] * 2 + ["budget"] * 7
    assert budget.stopped
    assert not any(c.key in CompletionStore(tmp_path / "c.jsonl") for c in found[2:])


def test_minutes_that_are_over_end_the_asking(tmp_path):
    clock = count(0, 20)  # every look at the clock takes 20 seconds
    budget = Budget(minutes=1, now=lambda: next(clock))
    found = asked(echo(), [request(str(i)) for i in range(9)], tmp_path / "c.jsonl", budget)
    assert [c.finish_reason for c in found].count("stop") == 2


def test_a_budget_that_is_used_up_gives_what_is_on_file_and_opens_no_engine(tmp_path):
    path = tmp_path / "c.jsonl"
    asked(echo(), [request("a")], path)
    engine, budget = echo(), Budget(tokens=0)
    found = asked(engine, [request("a"), request("b")], path, budget)
    assert [c.finish_reason for c in found] == ["stop", "budget"]
    assert engine.count == 0


def test_a_budget_that_reaches_for_everything_says_that_nothing_was_left_out(tmp_path):
    budget = Budget(tokens=1)
    asked(echo(), [request("a")], tmp_path / "c.jsonl", budget)
    assert budget.used_up
    assert not budget.stopped


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 20)), max_size=30))
def test_a_file_of_completions_gives_back_every_one_and_counts_each_once(tmp_path_factory, wanted):
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    requests = [request(text, sample) for text, sample in wanted]
    file = CompletionStore(path)
    with file.open_appender() as appender:
        for r in requests:  # a request asked for twice is answered twice: the first answer counts
            appender.add(Completion(r.key, r.messages[0].content, "stop", 3, 2))
    for read in (file, CompletionStore(path)):
        assert [read.get(r.key).text for r in requests] == [r.messages[0].content for r in requests]
        assert read.completion_tokens == 2 * len({r.key for r in requests})
        assert read.get(request("never asked").key) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{}", "missing required field `key`"),
        (b'{"key":"0123456789abcdef-0","text":5}', "Expected `str`, got `int` - at `$.text`"),
        (b"[1]", "expected a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (
            b'{"key":"a","text":"","finish_reason":"stop","prompt_tokens":0,"completion_tokens":0}',
            "key 'a' is not PROMPT-SAMPLE",
        ),
    ],
)
def test_a_line_that_is_no_completion_names_file_line_and_cure(tmp_path, line, told):
    path = tmp_path / "c.jsonl"
    asked(echo(), [request("a")], path)
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(DataError) as caught:
        CompletionStore(path)
    assert told in str(caught.value)
    assert f"{path}:2" in str(caught.value)
    assert "Remove that line" in str(caught.value)
