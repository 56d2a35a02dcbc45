"""What every engine promises, asked of each of them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from builders import HERE
from chat_server import babble, chat_server
from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Engine, Message, Sampling
from ste_plugin.testing import FakeEngine

CREATED = "fake", "http", "http one sample a call", "local"


def words(request: ChatRequest) -> str:
    """Say 3 to 12 words that depend on the request's key, after the user's first word."""
    digest = hashlib.sha256(request.key.encode()).digest()
    first = request.messages[-1].content.split()[0]
    return request.prefix + " ".join([first, *(f"w{b}" for b in digest[: 2 + digest[0] % 10])])


@pytest.fixture(params=CREATED)
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[], Engine]]:
    """Returns a new engine at each call, always of the same model."""
    if request.param == "fake":
        yield lambda: FakeEngine(words)
    elif request.param == "local":
        from ste_plugin.engines import local

        model = ModelConfig(model=str(request.getfixturevalue("tiny_model")))
        yield lambda: local.create(model, HERE)
    else:
        from ste_plugin.engines import http

        with chat_server(babble) as server:
            options = {
                "base_url": server.base_url,
                "prefill": "vllm",
                "samples": request.param == "http",
            }
            yield lambda: http.create(
                ModelConfig(model="tiny", engine="http", options=options), HERE
            )


def wanted(
    text: str = "Name a fruit.",
    samples: int = 1,
    temperature: float = 1.0,
    most: int = 8,
    prefix: str = "",
    choices: tuple[str, ...] = (),
) -> list[ChatRequest]:
    sampling = Sampling(temperature, top_p=1.0, max_new_tokens=most)
    turns = (Message("user", text),)
    return [ChatRequest("m", turns, sampling, i, prefix, choices) for i in range(samples)]


def answers(opened: Callable[[], Engine], requests: list[ChatRequest]) -> dict[str, Completion]:
    with closing(opened()) as engine:
        got = list(engine.complete(requests))
    assert len(got) == len({c.key for c in got})
    return {c.key: c for c in got}


def texts(opened: Callable[[], Engine], requests: list[ChatRequest]) -> list[str]:
    found = answers(opened, requests)
    return [found[r.key].text for r in requests]


def test_every_request_is_answered_exactly_once(opened):
    requests = [
        *wanted("Name a fruit.", samples=3),
        *wanted("Name a much, much larger animal.", samples=2),
        *wanted("Greet me.", samples=2, temperature=0),
        *wanted("Choose.", prefix="It is [[", choices=("A", "B")),
    ]
    assert set(answers(opened, requests)) == {r.key for r in requests}


def test_an_empty_request_list_yields_nothing(opened):
    assert answers(opened, []) == {}


def test_samples_of_one_prompt_differ_at_temperature_one(opened):
    assert len(set(texts(opened, wanted(samples=6)))) > 1


def test_a_second_run_with_the_same_keys_gives_the_same_texts(opened):
    requests = [*wanted(samples=4), *wanted("Name a tree.", samples=2)]
    assert texts(opened, requests) == texts(opened, requests)


def test_the_order_of_the_requests_changes_no_answer(opened):
    requests = [*wanted(samples=3), *wanted("Name a tree.", samples=2)]
    assert texts(opened, requests) == texts(opened, requests[::-1])[::-1]


def test_at_temperature_zero_all_samples_are_equal(opened):
    assert len(set(texts(opened, wanted(samples=4, temperature=0)))) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_choice_is_exactly_one_of_those_given(opened, temperature):
    requests = wanted(samples=8, prefix="Verdict: [[", choices=("A", "B"), temperature=temperature)
    found = answers(opened, requests).values()
    assert {c.text for c in found} <= {"A", "B"}
    assert {c.finish_reason for c in found} == {"stop"}


def test_a_prefix_is_continued_and_not_repeated(opened):
    prefix = "The one and only fruit is"
    continued = texts(opened, wanted(samples=3, prefix=prefix))
    assert not any(text.strip().startswith(prefix) for text in continued)
    assert continued != texts(opened, wanted(samples=3))


def test_unicode_survives_in_prompts_prefixes_and_replies(opened):
    text = "Ünïcödé 漢字 🎉 \u202eعربى"
    drawn = texts(opened, wanted(text, samples=2, prefix="漢字 🎉: [[", choices=("A", "B")))
    assert set(drawn) <= {"A", "B"}
    said = texts(opened, wanted(text, samples=2))
    assert [s.encode().decode() for s in said] == said


def test_a_reply_cut_by_the_token_limit_says_so(opened):
    assert {c.finish_reason for c in answers(opened, wanted(samples=3, most=1)).values()} == {
        "length"
    }


def test_a_reply_that_ends_by_itself_says_so(opened, request):
    found = answers(opened, wanted(samples=8, most=40)).values()
    assert {c.finish_reason for c in found if c.completion_tokens < 40} <= {"stop"}
    if "local" not in request.node.name:  # random weights need not end by themselves
        assert {c.finish_reason for c in found} == {"stop"}


def test_only_one_sample_of_a_prompt_pays_for_reading_it(opened):
    found = answers(opened, wanted(samples=4, temperature=0)).values()
    assert sorted(c.prompt_tokens > 0 for c in found) == [False, False, False, True]


def test_closing_twice_is_harmless(opened):
    engine = opened()
    got = list(engine.complete(wanted()))
    engine.close()
    engine.close()
    assert len(got) == 1
