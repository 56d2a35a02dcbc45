"""Tokens that servers count, and those that they do not: estimates, and prompts that were cut."""

import pytest

from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from tests.helpers.chat_server import Said, babble, chat_server
from tests.helpers.http_engine import answers, engine, prompts, says, wanted

NO_USAGE = [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": None}]


def words(count: int, **settings):
    return wanted(" ".join(["word"] * count), **settings)


@pytest.mark.parametrize("usage", NO_USAGE)
def test_tokens_that_a_server_does_not_count_are_estimated_and_that_is_told_once(usage, caplog):
    def count(_body):
        return usage

    with chat_server(says("six letters here"), usage=count) as server:
        model = engine(server.base_url)
        got = answers(model, wanted("x" * 30))
        answers(model, list(prompts(10)))
    assert [(c.prompt_tokens, c.completion_tokens) for c in got] == [(10, 6)]
    told = [r.getMessage() for r in caplog.records if "does not count tokens" in r.getMessage()]
    assert len(told) == 1


def test_an_estimate_of_a_reply_that_was_cut_off_is_its_limit():
    with chat_server(says(Said("so", "length")), usage=False) as server:
        assert answers(engine(server.base_url), wanted())[0].completion_tokens == 64


def test_what_is_counted_is_not_estimated():
    with chat_server(says("x" * 99), usage=lambda _body: {"completion_tokens": 4}) as server:
        got = answers(engine(server.base_url), wanted("x" * 30))
    assert [(c.prompt_tokens, c.completion_tokens) for c in got] == [(10, 4)]


def test_a_budget_bounds_where_no_tokens_are_counted():
    budget = Budget(tokens=50)
    with chat_server(says("ten letters"), usage=False) as server:
        model = engine(server.base_url, concurrency=1)
        for completion in model.complete(budget.limit(prompts(1000))):
            budget.spend(completion.completion_tokens)
        assert budget.stopped
        paid_for = 50 // estimate_tokens("ten letters") + 1
        assert len(server.bodies) <= paid_for + 2  # what was in flight then


def test_a_letter_of_any_script_is_estimated_as_at_most_two_tokens():
    assert [estimate_tokens(t) for t in ("", "a", "word", "漢字", "🎉", "é" * 3)] == [
        0,
        1,
        2,
        2,
        2,
        2,
    ]


def test_a_prompt_of_which_less_was_read_than_it_has_words_ends_the_run_with_the_numbers():
    with (
        chat_server(babble, usage=lambda _body: {"prompt_tokens": 40}) as server,
        pytest.raises(EngineError) as caught,
    ):
        list(engine(server.base_url).complete(words(144)))
    assert "read 40 tokens of a prompt of 144 words" in str(caught.value)
    assert "OLLAMA_CONTEXT_LENGTH" in str(caught.value)


def cut_at(context: int):
    """Count one token and a third a word, as far as the context goes."""

    def count(body):
        asked = len(body["messages"][0]["content"].split()) * 4 // 3
        return {"prompt_tokens": min(asked, context), "completion_tokens": 1}

    return count


def test_long_prompts_that_are_all_read_to_the_same_number_of_tokens_end_the_run():
    lengths = [100, 300, 1100, 1120, 1140, 1160, 1180, 1240, 1250]
    with (
        chat_server(babble, usage=cut_at(1200)) as server,
        pytest.raises(EngineError, match="it cuts prompts to its context"),
    ):
        list(engine(server.base_url).complete([r for n in lengths for r in words(n)]))


def test_prompts_that_are_read_whole_pass_whatever_their_lengths():
    lengths = [*range(10, 200, 3), 1000, 5000, *range(300, 400)]
    requests = [r for n in lengths for r in words(n, samples=2)]
    with chat_server(babble, usage=cut_at(10_000)) as server:
        assert len(answers(engine(server.base_url), requests)) == 2 * len(lengths)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 20, "prompt_tokens_details": {"cached_tokens": 180}},
        {"prompt_tokens": 20, "cache_read_input_tokens": 180},
        {"prompt_tokens": 200, "prompt_tokens_details": {"cached_tokens": 180}},
    ],
)
def test_tokens_that_were_cached_are_read_too_and_counted_once(usage):
    with chat_server(babble, usage=lambda _body: usage) as server:
        assert answers(engine(server.base_url), words(150))[0].prompt_tokens == 200


def test_a_server_that_has_read_as_much_before_does_not_cut_a_prompt_it_counts_short():
    counted = iter([{"prompt_tokens": 200}, {"prompt_tokens": 30}])
    with chat_server(babble, usage=lambda _body: next(counted)) as server:
        model = engine(server.base_url)
        assert answers(model, words(150))
        assert answers(model, words(151))


def test_short_prompts_and_servers_that_count_nothing_raise_no_alarm():
    with chat_server(babble, usage=lambda _body: {"prompt_tokens": 3}) as server:
        assert answers(engine(server.base_url), words(40))
    with chat_server(babble, usage=False) as server:
        assert answers(engine(server.base_url), words(400))
