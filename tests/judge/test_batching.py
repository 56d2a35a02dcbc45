"""Comparisons wanted one by one: asked for together, each answered once with its own."""

import asyncio
from threading import Event

import pytest

from ste_plugin.judge.batching import Batcher, Closed, Full
from tests.helpers.asked_judges import fake_judge, says, told


class Held:
    """Compares when it is let go on; remembers the batches."""

    def __init__(self):
        self.batches, self.began, self.go_on = [], Event(), Event()

    def __call__(self, pairs):
        self.batches.append(len(pairs))
        self.began.set()
        assert self.go_on.wait(60)
        return [told(float(prompt)) for prompt, *_ in pairs]


def pairs(*chances):
    return [(str(chance), "a", "b") for chance in chances]


def test_what_comes_in_meanwhile_is_one_batch_and_each_gets_its_own():
    held = Held()
    batcher = Batcher(held, max_batch=3)
    first = batcher.submit(pairs(0.9))
    assert held.began.wait(60)
    later = batcher.submit(pairs(0.1, 0.2)) + batcher.submit(pairs(0.3, 0.4))
    held.go_on.set()
    assert [f.result(60).probability for f in first + later] == [0.9, 0.1, 0.2, 0.3, 0.4]
    assert held.batches == [1, 3, 1]


def test_more_than_may_wait_is_refused_whole_and_what_was_given_up_makes_room():
    held = Held()
    batcher = Batcher(held, max_waiting=2)
    batcher.submit(pairs(0.9))
    assert held.began.wait(60)
    given_up, kept = batcher.submit(pairs(0.1, 0.2))
    with pytest.raises(Full):
        batcher.submit(pairs(0.3))
    assert given_up.cancel()
    (late,) = batcher.submit(pairs(0.4))
    held.go_on.set()
    assert (kept.result(60).probability, late.result(60).probability) == (0.2, 0.4)
    assert held.batches == [1, 2]


def test_closing_answers_what_was_taken_and_takes_no_more():
    held = Held()
    batcher = Batcher(held, max_batch=1)
    futures = batcher.submit(pairs(0.1, 0.2, 0.3))
    held.go_on.set()
    batcher.close()
    assert [f.result(0).probability for f in futures] == [0.1, 0.2, 0.3]
    with pytest.raises(Closed):
        batcher.submit(pairs(0.4))


def test_an_error_is_told_to_all_of_its_batch_and_ends_nothing():
    def compare(pairs):
        if pairs[0][0] == "bad":
            raise ValueError("no")
        return [told(1.0) for _ in pairs]

    batcher = Batcher(compare)
    (bad,) = batcher.submit([("bad", "a", "b")])
    with pytest.raises(ValueError, match="no"):
        bad.result(60)
    (good,) = batcher.submit([("good", "a", "b")])
    assert good.result(60).verdict == "A"


def test_comparisons_that_are_awaited_together_reach_the_engine_together(monkeypatch):
    judge, engine = fake_judge(monkeypatch, says("well"))

    async def all_of_them():
        wanted = [judge.acompare(f"Say {n}.", f"Reply to <Say {n}.>", "no") for n in range(20)]
        return await asyncio.gather(*wanted)

    assert {found.verdict for found in asyncio.run(all_of_them())} == {"A"}
    assert engine.count == 40
