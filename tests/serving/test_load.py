"""Many clients at once: nothing is lost, each gets its own answer once, or a refusal."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from ste_plugin.judge.batching import Batcher
from ste_plugin.serving.app import JudgeService
from ste_plugin.serving.errors import Refused
from ste_plugin.serving.limits import Limits
from tests.helpers.asked_judges import fake_judge
from tests.helpers.served_judges import HeldEngine, served, wait_until

CLIENTS, WAITING, BATCH = 120, 20, 8


def body(number):
    return {"prompt": f"question {number}", "a": "one", "b": "other"}


def metric(text, name):
    return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(name))


async def ask(client, number, answers, *, again=False):
    """Ask once, or until it is no longer refused; keep every answer by number."""
    while True:
        response = await client.post("/v1/compare", json=body(number))
        answers.append((number, response))
        if not again or response.status_code != 429:
            return
        await asyncio.sleep(0.01)


async def ask_all(url, engine, *, again):
    answers: list[tuple[int, httpx.Response]] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        asked = [asyncio.create_task(ask(client, n, answers, again=again)) for n in range(CLIENTS)]
        # as many are refused at least: the others wait, or are in the first batch
        while len(answers) < CLIENTS - WAITING - BATCH:
            await asyncio.sleep(0.01)
        engine.go_on.set()
        await asyncio.gather(*asked)
        told = (await client.get("/metrics")).text
    return answers, told


def test_each_is_answered_once_with_its_own_answer_or_refused_and_told_when_to_come_again(
    monkeypatch,
):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)
    with served(judge, max_waiting=WAITING, max_batch=BATCH) as (url, _):
        answers, told = asyncio.run(ask_all(url, engine, again=False))
    assert sorted(number for number, _ in answers) == list(range(CLIENTS))
    done = {number: r for number, r in answers if r.status_code == 200}
    refused = [r for _, r in answers if r.status_code == 429]
    assert len(done) + len(refused) == CLIENTS
    assert WAITING <= len(done) <= WAITING + BATCH
    assert all(1 <= int(r.headers["retry-after"]) <= 60 for r in refused)
    assert {r.json()["error"]["code"] for r in refused} == {"queue_full"}
    assert all(r.json()["reasoning"] == f"About question {n}" for n, r in done.items())
    assert engine.asked == 2 * len(done)
    assert metric(told, "ste_judge_comparisons_total") == len(done)
    assert metric(told, "ste_judge_batch_size_sum") == len(done)
    assert metric(told, 'ste_judge_requests_total{path="/v1/compare",status="429"}') == len(refused)


def test_those_that_come_again_are_all_answered(monkeypatch):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)
    with served(judge, max_waiting=WAITING, max_batch=BATCH) as (url, _):
        answers, _ = asyncio.run(ask_all(url, engine, again=True))
    done = [(number, r) for number, r in answers if r.status_code == 200]
    assert sorted(number for number, _ in done) == list(range(CLIENTS))
    assert all(r.json()["reasoning"] == f"About question {n}" for n, r in done)
    assert engine.asked == 2 * CLIENTS


def test_a_server_that_is_told_to_end_answers_what_it_took(monkeypatch):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)

    async def ask_and_end(url, server):
        answers: list[tuple[int, httpx.Response]] = []
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            asked = [asyncio.create_task(ask(client, n, answers)) for n in range(10)]
            while metric((await client.get("/metrics")).text, "ste_judge_waiting") < 10 - BATCH:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(engine.began.wait, 120)
            server.handle_exit(15, None)
            engine.go_on.set()
            await asyncio.gather(*asked)
        return answers

    with served(judge, max_batch=BATCH) as (url, server):
        answers = asyncio.run(ask_and_end(url, server))
    assert [r.status_code for _, r in answers] == [200] * 10
    assert {r.json()["reasoning"] for _, r in answers} == {f"About question {n}" for n in range(10)}


def test_what_nobody_waits_for_any_longer_is_not_asked(monkeypatch):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)
    with (
        served(judge, max_batch=1, timeout_s=0.5) as (url, _),
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        late = client.post("/v1/compare_many", json={"pairs": [body(n) for n in range(5)]})
        assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
        assert "retry-after" in late.headers
        engine.go_on.set()
        again = client.post("/v1/compare", json=body(9))
        while again.status_code == 504:  # a busy machine
            again = client.post("/v1/compare", json=body(9))
    assert again.json()["reasoning"] == "About question 9"
    # nothing but the one that may have been begun
    assert set(engine.prompts) <= {"question 0", "question 9"}


def test_from_the_moment_of_the_refusal_nothing_of_it_waits(monkeypatch):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)
    service = JudgeService(judge, Limits(max_batch=1, timeout_s=0.1))

    async def waiting_at_the_refusal():
        with pytest.raises(Refused, match="Not answered within"):
            await service.compare(NeverLeaves(), [(f"question {n}", "a", "b") for n in range(5)])
        return service.batcher.waiting

    assert asyncio.run(waiting_at_the_refusal()) == 0
    engine.go_on.set()


class NeverLeaves:
    """A request whose client waits."""

    async def is_disconnected(self):
        return False


def test_more_than_can_be_answered_in_time_is_refused_at_once(monkeypatch):
    judge, _ = fake_judge(monkeypatch, lambda _: "[[A]]")
    service = JudgeService(judge, Limits(max_batch=2, timeout_s=10))
    service._note_batch(2, 6.0)  # by this, a second batch would end too late
    go_on = Event()
    service.batcher = Batcher(lambda pairs: go_on.wait(120) and judge.compare_many(pairs))
    (running,) = service.batcher.submit([("x", "a", "b")])
    wait_until(lambda: service.batcher.working)
    service.batcher.submit([("x", "a", "b")])
    with pytest.raises(Refused, match="1 comparisons wait, which takes about 12 s") as refused:
        asyncio.run(service.compare(None, [("x", "a", "b")]))
    assert (refused.value.status, refused.value.retry_after_s) == (429, 6)
    go_on.set()
    assert running.result(120).abstained == "orders differ"


def test_what_a_client_that_hung_up_was_waiting_for_is_not_asked(monkeypatch):
    engine = HeldEngine()
    judge, _ = fake_judge(monkeypatch, engine)
    with (
        served(judge, max_batch=1) as (url, _),
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        first = pool.submit(client.post, "/v1/compare", json=body(0))
        assert engine.began.wait(120)
        asyncio.run(ask_and_hang_up(url, lambda: waiting(client) == 1))
        wait_until(lambda: waiting(client) == 0)
        engine.go_on.set()
        assert first.result(120).json()["reasoning"] == "About question 0"
        gone = 'ste_judge_requests_total{path="/v1/compare",status="499"}'
        wait_until(lambda: metric(client.get("/metrics").text, gone) == 1)
    assert engine.prompts == ["question 0"] * 2


def waiting(client):
    return client.get("/health").json()["waiting"]


async def ask_and_hang_up(url, when):
    """Ask, and close the connection once something holds."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        asked = asyncio.create_task(client.post("/v1/compare", json=body(1)))
        await asyncio.to_thread(wait_until, when)
        asked.cancel()
