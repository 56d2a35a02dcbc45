"""Likelihoods of choices: from an engine that sees them, in line with what it draws."""

from contextlib import closing
from math import exp

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Message, Place, Sampling
from ste_plugin.engines.choice_likelihoods import choice_log_likelihoods, count_tokens
from ste_plugin.engines.local.engine import create
from ste_plugin.testing import FakeEngine

GREEDY = Sampling(0.0, 1.0, 8)


def choice(text, sampling=GREEDY):
    turns = (Message("user", text),)
    return ChatRequest("m", turns, sampling, prefix="[[", choices=("A", "B"))


@pytest.fixture
def engine(tiny_model, tmp_path):
    model = ModelConfig(model=str(tiny_model), engine="local")
    with closing(create(model, Place(tmp_path, tmp_path))) as engine:
        yield engine


def test_they_add_up_to_one_and_the_likelier_choice_is_drawn_greedily(engine):
    requests = [choice(f"Name a fruit, number {n}.") for n in range(6)]
    told = choice_log_likelihoods(engine, requests)
    drawn = {c.key: c.text for c in engine.complete(requests)}
    for request in requests:
        a, b = told[request.key]
        assert exp(a) + exp(b) == pytest.approx(1)
        assert drawn[request.key] == ("A" if a > b else "B")


def test_what_does_not_fit_is_left_out_and_its_tokens_are_told(engine):
    fits, long = choice("Name a fruit."), choice("apple " * 9000)
    assert choice_log_likelihoods(engine, [fits, long]).keys() == {fits.key}
    prompt, answer, context = count_tokens(engine, long)
    assert prompt > context > 0
    assert answer == 0


def test_an_engine_that_cannot_tell_says_so():
    engine = FakeEngine(lambda _: "A")
    assert choice_log_likelihoods(engine, [choice("Name a fruit.")]) is None
    assert count_tokens(engine, choice("Name a fruit.")) is None
