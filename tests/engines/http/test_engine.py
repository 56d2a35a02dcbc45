"""What the HTTP engine sends to a real server, and what it makes of its replies."""

import pytest

from ste_plugin.errors import EngineError
from ste_plugin.inference.budget import Budget
from tests.helpers.chat_server import babble, chat_server
from tests.helpers.http_engine import answers, engine, says, wanted


def test_samples_of_one_prompt_share_one_call_where_the_server_can():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=5))
    assert [body["n"] for body in server.bodies] == [5]
    assert len({c.text for c in got}) > 1


def test_a_server_on_this_machine_is_reached_without_the_proxy_of_the_environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with chat_server(babble) as server:
        assert answers(engine(server.base_url), wanted())


def test_samples_get_a_call_and_a_seed_each_where_it_cannot():
    with chat_server(babble) as server:
        answers(engine(server.base_url, samples=False), wanted(samples=5))
    assert len({body["seed"] for body in server.bodies}) == 5
    assert not any("n" in body for body in server.bodies)


def test_a_sample_is_the_same_whether_it_is_asked_for_with_others_or_alone():
    requests = wanted(samples=6)
    with chat_server(babble) as server:
        together = answers(engine(server.base_url), requests)
        later = answers(engine(server.base_url), requests[2:])
        alone = answers(engine(server.base_url, samples=False), requests)
    assert [c.text for c in alone] == [c.text for c in together]
    assert [c.text for c in later] == [c.text for c in together[2:]]


def test_samples_that_do_not_follow_each_other_are_the_same_as_alone():
    some = [r for r in wanted(samples=6) if r.sample_index in (0, 2, 3, 5)]
    with chat_server(babble) as server:
        together = answers(engine(server.base_url), some)
        alone = answers(engine(server.base_url, samples=False), some)
    assert [c.text for c in together] == [c.text for c in alone]


def test_completions_follow_the_index_of_the_choice_whatever_their_order():
    with chat_server(lambda _body, index: f"sample {index}") as server:
        got = answers(engine(server.base_url), wanted(samples=3))
    assert [c.text for c in got] == ["sample 0", "sample 1", "sample 2"]


def test_a_budget_ends_between_the_samples_of_one_prompt_where_each_is_a_call():
    budget = Budget(tokens=20)
    with chat_server(lambda *_: "ten words " * 5) as server:
        model = engine(server.base_url, samples=False, concurrency=2)
        for completion in model.complete(budget.limit(wanted(samples=200))):
            budget.spend(completion.completion_tokens)
        assert budget.stopped
        assert len(server.bodies) <= 2 + 2  # what the budget paid for, and what was in flight then


def test_more_samples_than_a_server_takes_at_once_go_in_several_calls():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=130))
    assert sorted(body.get("n", 1) for body in server.bodies) == [2, 128]
    assert len(got) == 130


def test_greedy_samples_are_asked_for_once_without_a_seed():
    with chat_server(babble) as server:
        got = answers(engine(server.base_url), wanted(samples=4, temperature=0.0))
    assert len(server.bodies) == 1
    assert not {"seed", "n"} & set(server.bodies[0])
    assert len({c.text for c in got}) == 1


def test_every_call_says_how_to_sample():
    with chat_server(babble) as server:
        answers(engine(server.base_url), wanted(temperature=0.7, top_p=0.9, max_new_tokens=5))
    body = server.bodies[0]
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.7, 0.9, 5)


def test_a_request_that_occurs_twice_is_answered_once():
    with chat_server(babble) as server:
        got = list(engine(server.base_url).complete([*wanted(), *wanted()]))
    assert len(got) == len(server.bodies) == 1


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
def test_tokens_add_up_to_what_the_server_counted(samples):
    words = ["a", "b c", "d e f", "g", "h", "i j k l", "m"]
    with chat_server(lambda _body, index: words[index]) as server:
        got = answers(engine(server.base_url), wanted("three words here", samples=samples))
    assert [c.prompt_tokens for c in got] == [3] + [0] * (samples - 1)
    assert sum(c.completion_tokens for c in got) == len(" ".join(words[:samples]).split())


def test_a_reply_without_content_is_an_empty_text():
    with chat_server(says(None)) as server:
        assert answers(engine(server.base_url), wanted())[0].text == ""


def test_unicode_arrives_unchanged_in_both_directions():
    text = "Ünïcödé 漢字 🎉\u2028\u0000 \u202eعربى"
    with chat_server(lambda body, _index: body["messages"][0]["content"]) as server:
        assert answers(engine(server.base_url), wanted(text))[0].text == text


def test_half_of_a_surrogate_pair_is_neither_sent_nor_received():
    with chat_server(says("half \ud83d pair")) as server:
        got = answers(engine(server.base_url), wanted("half \ud83d pair"))
    assert server.bodies[0]["messages"][0]["content"] == "half ? pair"
    assert got[0].text == "half ? pair"


def test_with_vllm_the_assistants_own_words_are_continued():
    with chat_server(says(" an apple")) as server:
        answers(engine(server.base_url, prefill="vllm"), wanted(prefix="It is"))
    body = server.bodies[0]
    assert body["messages"][-1] == {"role": "assistant", "content": "It is"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_a_prefix_without_choices_needs_a_server_that_can_continue():
    with chat_server(babble) as server:
        with pytest.raises(EngineError, match="prefill: vllm"):
            list(engine(server.base_url).complete(wanted(prefix="It is")))
        assert server.bodies == []
