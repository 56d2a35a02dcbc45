"""A choice that a server draws, or is asked for in its own words, and one that never comes."""

from collections.abc import Iterable
from typing import Any

import pytest

from ste_plugin.engines import ChatRequest
from ste_plugin.errors import EngineError
from ste_plugin.judging.written.load import format_of, read_format
from tests.helpers.chat_server import Body, Said, Script, chat_server
from tests.helpers.documented_formats import SHOWN, format_file
from tests.helpers.http_engine import FORCED, answers, engine, says, wanted

LETTERS = ("A", "B")


@pytest.mark.parametrize(
    ("prefill", "field"),
    [
        ("vllm", {"structured_outputs": {"choice": ["A", "B"]}}),
        ("vllm-guided-choice", {"guided_choice": ["A", "B"]}),
    ],
)
def test_with_vllm_choices_are_held_to_by_the_server_over_the_whole_distribution(prefill, field):
    with chat_server(says(Said("B", "length"))) as server:
        model = engine(server.base_url, prefill=prefill)
        got = answers(model, wanted(prefix=FORCED, choices=("A", "B")))
    assert field.items() <= server.bodies[0].items()
    assert server.bodies[0]["top_p"] == 1.0
    assert (got[0].text, got[0].finish_reason) == ("B", "stop")


def test_a_server_that_ignores_the_choices_is_named_with_the_cure():
    with (
        chat_server(says("Well, it depends")) as server,
        pytest.raises(EngineError, match=r"'Well, it depends'(?s:.*)prefill: ask"),
    ):
        list(engine(server.base_url, prefill="vllm").complete(wanted(choices=("A", "B"))))


def test_without_prefill_the_choice_is_asked_for_in_one_more_turn():
    with chat_server(says("**B**.")) as server:
        got = answers(engine(server.base_url), wanted(prefix=FORCED, choices=("A", "B")))
    turns = server.bodies[0]["messages"]
    assert [t["role"] for t in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == "I compared both."
    assert "A, B" in turns[2]["content"]
    assert "`Final verdict: [[`" in turns[2]["content"]
    assert got[0].text == "B"


def test_a_prefix_of_closing_words_alone_adds_no_turn():
    with chat_server(says("A")) as server:
        answers(engine(server.base_url), wanted(prefix="[[", choices=("A", "B")))
    assert [t["role"] for t in server.bodies[0]["messages"]] == ["user"]


def test_an_unclear_choice_is_asked_for_again_with_another_seed_and_all_tokens_count():
    replies = iter(["A or B", "neither", "A"])
    with chat_server(lambda _body, _index: next(replies)) as server:
        got = answers(engine(server.base_url), wanted(choices=("A", "B")))
    assert len({body["seed"] for body in server.bodies}) == 3
    assert (got[0].text, got[0].completion_tokens) == ("A", 5)


@pytest.mark.parametrize(("temperature", "calls"), [(1.0, 4), (0.0, 1)])
def test_a_choice_that_never_comes_is_an_empty_text_and_all_tokens_count(
    temperature, calls, caplog
):
    requests = wanted(choices=LETTERS, temperature=temperature)
    with chat_server(says("They are alike.")) as server:
        (got,) = engine(server.base_url).complete(requests)
    assert len(server.bodies) == calls
    assert (got.text, got.finish_reason, got.completion_tokens) == ("", "stop", 3 * calls)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "exactly one of ('A', 'B'), it last replied 'They are alike.'" in said


def undecided(*numbers: int) -> Script:
    """Name no letter about some prompts."""
    names = {f"Prompt {number}" for number in numbers}

    def script(body: Body, _index: int) -> str:
        asked = body["messages"][0]["content"].partition("\n")[0]
        return "They are alike." if asked in names else "A"

    return script


def letters(numbers: Iterable[int], **more: Any) -> list[ChatRequest]:
    return [r for n in numbers for r in wanted(f"Prompt {n}", choices=LETTERS, **more)]


@pytest.mark.parametrize("last", [0, 6, 99])
def test_one_prompt_that_gets_no_letter_costs_no_other_its_own(last):
    with chat_server(undecided(last)) as server:
        got = answers(engine(server.base_url), letters(range(100)))
    assert [c.text for c in got] == ["" if n == last else "A" for n in range(100)]


@pytest.mark.parametrize(
    ("said", "prefix", "told"),
    [
        (Said("They are alike."), FORCED, "or judging.force_verdict: false"),
        (Said("They are alike."), "", "or a judging.format whose judges write before"),
        (Said("<think>Hm. So", "length"), FORCED, "cut off by the token limit"),
        (Said("<think>Hm. So", "length"), FORCED, "{enable_thinking: false}"),
    ],
)
def test_where_none_of_the_first_prompts_gets_a_letter_the_stage_ends_with_nothing_stored(
    said, prefix, told
):
    got = []
    with chat_server(says(said)) as server:
        model = engine(server.base_url, concurrency=8)
        with pytest.raises(EngineError) as caught:
            for completion in model.complete(letters(range(100), prefix=prefix)):
                got.append(completion)
        assert len(server.bodies) <= 4 * 15
    assert not got
    assert "So it was with all of the first 8.\n" in str(caught.value)
    assert told in str(caught.value)


def test_once_a_server_has_named_letters_prompts_that_get_none_end_no_stage():
    with chat_server(undecided(*range(20))) as server:
        model = engine(server.base_url)
        answers(model, letters([99]))
        assert {c.text for c in answers(model, letters(range(20)))} == {""}


def test_a_filter_counts_what_was_written_before_it_as_a_letter_was_asked_for():
    replies = iter(["They are alike.", Said("", "content_filter")])
    with chat_server(lambda _body, _index: next(replies)) as server:
        (got,) = engine(server.base_url).complete(wanted(choices=LETTERS))
    assert (got.finish_reason, got.completion_tokens) == ("blocked", 3)


def test_a_filter_that_takes_a_drawn_letter_blocks_that_sample_alone():
    def script(_body: Body, index: int) -> Said:
        return Said(None, "content_filter") if index else Said("B")

    with chat_server(script) as server:
        model = engine(server.base_url, prefill="vllm")
        got = answers(model, wanted(choices=LETTERS, samples=2))
    assert [(c.text, c.finish_reason) for c in got] == [("B", "stop"), ("", "blocked")]


BEHIND_A_BLANK = (" A", " B")
"""Letters of a format whose closing words end in a blank."""


@pytest.mark.parametrize(("prefill", "said"), [("ask", "**B**"), ("vllm", " B"), ("vllm", "B")])
def test_a_letter_behind_a_blank_is_the_letter_that_was_wanted(prefill, said):
    with chat_server(says(said)) as server:
        model = engine(server.base_url, prefill=prefill)
        got = answers(model, wanted(prefix="[RESULT]", choices=BEHIND_A_BLANK))
    assert got[0].text == " B"


def test_the_question_for_letters_behind_a_blank_shows_the_letters_alone():
    with chat_server(says("A")) as server:
        answers(engine(server.base_url), wanted(prefix="[RESULT]", choices=BEHIND_A_BLANK))
    assert "nothing else: A, B. It is" in server.bodies[0]["messages"][-1]["content"]


@pytest.mark.parametrize("shape", ["{}", "**{}**", "[[{}]]", "{}."])
@pytest.mark.parametrize("name", [n for n, text in SHOWN.items() if "\nclosing:" in text])
def test_the_letters_of_each_documented_format_are_read_when_they_are_asked_for(
    name, shape, tmp_path
):
    path = format_file(tmp_path, name)
    judge_format = format_of(read_format(path), str(path))
    prefix = judge_format.forced_prefix("It is better.")
    requests = wanted(prefix=prefix, choices=tuple(judge_format.choices))
    for choice, meant in judge_format.choices.items():
        with chat_server(says(shape.format(choice.strip()))) as server:
            (got,) = engine(server.base_url).complete(requests)
        assert judge_format.parse(judge_format.forced_text(prefix, got.text)) == meant


def test_thinking_aloud_does_not_count_as_a_choice():
    with chat_server(says("<think>A? B?</think> B")) as server:
        assert answers(engine(server.base_url), wanted(choices=("A", "B")))[0].text == "B"


@pytest.mark.parametrize("ending", ["length", "mystery"])
def test_a_choice_is_not_read_in_a_reply_that_was_cut(ending):
    cut = Said("The better answer is A. But let me check the claim about the", ending)
    replies = iter([cut, cut, Said("B", "stop")])
    with chat_server(lambda _body, _index: next(replies)) as server:
        got = answers(engine(server.base_url), wanted(choices=("A", "B")))
    assert (got[0].text, got[0].finish_reason) == ("B", "stop")


def test_a_cut_reply_that_is_nothing_but_a_choice_is_one():
    with chat_server(says(Said("B", "length"))) as server:
        got = answers(engine(server.base_url), wanted(choices=("A", "B")))
    assert (got[0].text, got[0].finish_reason) == ("B", "stop")
