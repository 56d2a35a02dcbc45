"""Servers that answer, but not with what was asked for: fewer samples, another model."""

import pytest

from ste_plugin.engines.http.prices import read_prices
from ste_plugin.engines.http.response import RefusedReply, UnreadableReply, read_reply, same_model
from ste_plugin.errors import EngineError
from tests.helpers.chat_server import CUT_BODY, CUT_CHUNKS, Refuse, babble, chat_server
from tests.helpers.http_engine import always, answers, engine, prompts, refused, says, wanted

REFUSALS = (
    "'n' : number must be at most 1 with this model.",
    "Invalid n value (currently only n = 1 is supported)",
    '[{"loc": ["body", "n"], "msg": "extra inputs are not permitted"}]',
)


@pytest.mark.parametrize("most", [1, 2])
def test_a_server_that_gives_fewer_samples_is_asked_for_one_each_from_then_on(most, caplog):
    words = [f"sample {i}" for i in range(9)]
    with chat_server(lambda _body, index: words[index], most_choices=most) as server:
        model = engine(server.base_url, concurrency=1)
        first = list(model.complete(wanted("one two three", samples=5)))
        later = list(model.complete(wanted("Another.", samples=4)))
    assert len({c.key for c in first}) == len(first) == 5
    assert len(later) == 4
    asked = [body.get("n", 1) for body in server.bodies]
    assert asked == [5] + [1] * (5 - most) + [1] * 4
    assert sum(c.completion_tokens for c in first) == 2 * 5
    assert sum(c.prompt_tokens for c in first) == 3 * (1 + 5 - most)
    told = [r.getMessage() for r in caplog.records if r.name.startswith("ste_plugin")]
    assert len(told) == 1
    assert f"{most} of n=5 samples" in told[0]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("said", REFUSALS)
def test_a_server_that_refuses_n_is_asked_for_one_each(status, said):
    with chat_server(babble, most_choices=1, refuse_n=Refuse(status, said)) as server:
        got = answers(engine(server.base_url), wanted(samples=4))
    assert len({c.key for c in got}) == 4
    assert sum(body.get("n", 1) == 1 for body in server.bodies) == 4


def test_many_prompts_at_a_server_without_n_lose_and_repeat_nothing():
    requests = [r for i in range(30) for r in wanted(f"Prompt {i}", samples=4)]
    with chat_server(babble, most_choices=1, gather=8) as server:
        got = list(engine(server.base_url).complete(requests))
    assert sorted(c.key for c in got) == sorted(r.key for r in requests)
    # Each of the eight calls in flight gave one sample before anyone knew.
    assert len(server.bodies) <= len(requests) + 8


def test_samples_that_a_server_gives_one_by_one_are_those_it_would_give_if_told_so():
    requests = wanted(samples=4)
    with chat_server(babble, most_choices=1, refuse_n=Refuse(400, "n must be 1")) as server:
        found_out = answers(engine(server.base_url), requests)
        told = answers(engine(server.base_url, samples=False), requests)
    assert found_out == told


def test_a_refusal_for_another_reason_is_told_though_several_samples_were_asked():
    with (
        chat_server(babble, fault=always(Refuse(400, "top_p is out of range"))) as server,
        pytest.raises(EngineError, match="top_p is out of range"),
    ):
        list(engine(server.base_url).complete(wanted(samples=3)))
    assert len(server.bodies) == 1


@pytest.mark.parametrize("fault", [CUT_BODY, CUT_CHUNKS])
def test_a_reply_that_stops_in_the_middle_is_asked_for_again_and_counted_once(fault):
    with chat_server(says("three words here"), fault={0: fault}.get) as server:
        got = list(engine(server.base_url).complete(wanted()))
    assert len(server.bodies) == 2
    assert [(c.text, c.completion_tokens) for c in got] == [("three words here", 3)]


def test_another_models_reply_ends_the_run_with_both_names_and_the_way_to_allow_it():
    with chat_server(babble, called="llama-3-70b") as server:
        told = refused(server)
    assert "asked for the model 'tiny', answered by one named 'llama-3-70b'" in told
    assert "options.accept_model: ['llama-3-70b']" in told


def test_another_models_reply_yields_nothing():
    got = []
    with chat_server(babble, called="other") as server, pytest.raises(EngineError):
        for completion in engine(server.base_url).complete(prompts(20)):
            got.append(completion)
    assert got == []


@pytest.mark.parametrize("called", ["tiny", "TINY", "tiny-2024-08-06", "org/tiny", "other"])
def test_another_name_is_accepted_where_it_is_a_version_or_allowed(called):
    with chat_server(babble, called=called) as server:
        assert answers(engine(server.base_url, accept_model=["other"]), wanted())


def test_a_name_allowed_covers_its_versions():
    with chat_server(babble, called="other-0613") as server:
        assert answers(engine(server.base_url, accept_model=["other"]), wanted())


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", True),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", True),
        ("llama3", "llama3:latest", True),
        ("gemini-1.5-pro", "models/gemini-1.5-pro-002", True),
        ("Qwen/Qwen2.5-7B/", "/models/Qwen/Qwen2.5-7B", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-4.1", False),
        ("gpt-4", "gpt-4o", False),
        ("llama-3", "llama-3-70b", False),
        ("llama-3-8b", "llama-3-8b-instruct", False),
        ("claude-3", "claude-3-5", False),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("judge-v1", "judge-v2", False),
        ("judge", "judge-v2", True),
        ("/runs/one/iter-01/model/merged", "/runs/two/iter-01/model/merged", False),
        ("runs/one/iter-01/model/merged", "/data/runs/one/iter-01/model/merged/", True),
        ("./runs/one/merged", "/data/runs/one/merged", True),
        ("merged", "/runs/two/merged", True),
        ("one/judge", "two/judge", False),
    ],
)
def test_dates_and_tags_are_versions_and_sizes_and_kinds_are_other_models(asked, told, same):
    assert same_model(asked, told) is same


def test_a_refusal_inside_a_successful_reply_is_shown():
    with chat_server(lambda _body, _index: 0 / 0) as server:
        server.reply = lambda _body: {"error": {"message": "upstream has no capacity"}}
        assert "upstream has no capacity" in refused(server)


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices": []}\n\ndata: [DONE]\n\n',
        b'{"object": "chat.completion.chunk", "choices": [{"delta": {"content": "x"}}]}',
    ],
)
def test_a_stream_is_named_with_the_option_that_ends_it(body):
    with pytest.raises(UnreadableReply, match="stream") as caught:
        read_reply(body, 1, 1)
    assert "options.extra_body: {stream: false}" in caught.value.hint


def test_an_error_in_place_of_choices_is_one_by_its_status():
    with pytest.raises(RefusedReply, match="No such key") as caught:
        read_reply(b'{"code": 401, "msg": "No such key."}', 1, 1)
    assert caught.value.refusal.status == 401


def test_prices_turn_tokens_into_cost_and_are_no_duty():
    prices = read_prices({"prices": {"prompt_per_million": 3, "completion_per_million": 15}})
    assert prices.cost(1_000_000, 200_000) == pytest.approx(6.0)
    assert read_prices({"base_url": "http://h/v1"}) is None
