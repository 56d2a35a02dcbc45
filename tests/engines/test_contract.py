"""What every engine promises, asked of each of them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count, islice

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Engine, Message, Sampling
from ste_plugin.testing import FakeEngine
from tests.helpers.builders import HERE
from tests.helpers.chat_server import ChatServer, Refuse, babble, chat_server
from tests.helpers.local_vllm import vllm_in_process, vllm_served
from tests.helpers.ray_cluster import on_cluster, ray_cluster

ENGINES = "fake", "http", "http one sample a call", "local", "ray", "vllm", "serve"
REAL = "local", "ray", "vllm", "serve"
"""Those that run a model with random weights, which need not end a reply by themselves."""
LONG = 1200
"""More words than any context here holds."""


def words(request: ChatRequest) -> str:
    """Say 3 to 12 words that depend on the request's key, after the user's first word."""
    digest = hashlib.sha256(request.key.encode()).digest()
    first = request.messages[-1].content.split()[0]
    return request.prefix + " ".join([first, *(f"w{b}" for b in digest[: 2 + digest[0] % 10])])


class KeptOpen:
    """An engine that takes long to open: closed once, after all tests."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        return self._engine.complete(requests)

    def close(self) -> None:
        return


@contextmanager
def http_engine(samples: bool) -> Iterator[Callable[[], Engine]]:
    from ste_plugin.engines.http import engine as http

    with chat_server(babble) as server:
        server.fault = lambda number: refused_as_too_long(server, number)
        options = {"base_url": server.base_url, "prefill": "vllm", "samples": samples}
        yield lambda: http.create(ModelConfig(model="tiny", engine="http", options=options), HERE)


def refused_as_too_long(server: ChatServer, number: int) -> Refuse | None:
    said = server.bodies[number]["messages"][-1]["content"]
    if len(said.split()) < LONG:
        return None
    return Refuse(400, "This model's maximum context length is 512 tokens.")


@pytest.fixture(scope="module", params=ENGINES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def opened(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Engine]]:
    """Returns a new engine at each call, always of the same model."""
    if kind == "fake":
        yield lambda: FakeEngine(words)
    elif kind == "local":
        from ste_plugin.engines.local import engine as local

        model = str(request.getfixturevalue("tiny_model"))
        yield lambda: local.create(ModelConfig(model=model, engine="local"), HERE)
    elif kind == "ray":
        model = str(request.getfixturevalue("tiny_model"))
        with (
            ray_cluster() as cluster,
            closing(on_cluster(cluster, model, "local")) as engine,
        ):
            yield lambda: KeptOpen(engine)
    elif kind in REAL:
        create = {"vllm": vllm_in_process, "serve": vllm_served}[kind]
        model = request.getfixturevalue("tiny_vllm_model")
        with closing(create(model, tmp_path_factory.mktemp("logs"))) as engine:
            yield lambda: KeptOpen(engine)
    else:
        with http_engine(samples=kind == "http") as create:
            yield create


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


def test_a_reply_that_ends_by_itself_says_so(opened, kind):
    found = answers(opened, wanted(samples=8, most=40)).values()
    reasons = [c.finish_reason for c in found]
    written = sum(c.completion_tokens for c in found)  # a server tells only those of all together
    assert written >= 40 * reasons.count("length")
    assert "stop" in reasons or written == 40 * 8
    if kind not in REAL:
        assert {c.finish_reason for c in found} == {"stop"}


def test_only_one_sample_of_a_prompt_pays_for_reading_it(opened):
    found = answers(opened, wanted(samples=4, temperature=0)).values()
    assert sorted(c.prompt_tokens > 0 for c in found) == [False, False, False, True]


def test_a_prompt_too_long_for_the_context_is_answered_with_nothing_and_that_reason(opened, kind):
    if kind == "fake":
        pytest.skip("a function has no context that could be too short")
    long, short = wanted("[[A]] " * LONG * 4), wanted()
    found = answers(opened, [*long, *short])
    empty = found[long[0].key]
    assert (empty.text, empty.finish_reason) == ("", "too_long")
    assert (empty.prompt_tokens, empty.completion_tokens) == (0, 0)
    assert found[short[0].key].text != ""


def endless(taken: list[ChatRequest]) -> Iterator[ChatRequest]:
    for number in count():
        taken.append(wanted(f"Name fruit number {number}.", most=4)[0])
        yield taken[-1]


def test_endless_requests_are_taken_only_when_they_can_be_worked_on(opened):
    taken: list[ChatRequest] = []
    with closing(opened()) as engine, closing(engine.complete(endless(taken))) as coming:
        got = list(islice(coming, 3))
    assert {c.key for c in got} <= {r.key for r in taken}
    assert len(got) == 3
    assert len(taken) < 2000


def test_after_closing_the_iterator_no_request_is_taken_and_the_engine_answers_again(opened):
    taken: list[ChatRequest] = []
    with closing(opened()) as engine:
        coming = engine.complete(endless(taken))
        next(coming)
        coming.close()
        before = len(taken)
        again = wanted("Name a tree.", samples=2)
        answered = {c.key for c in engine.complete(again)}
    assert answered == {r.key for r in again}
    assert len(taken) == before


def test_closing_twice_is_harmless(opened):
    engine = opened()
    got = list(engine.complete(wanted()))
    engine.close()
    engine.close()
    assert len(got) == 1
