"""Likelihoods of choices: from an engine that sees them, in line with what it draws."""

from contextlib import closing
from math import exp

import pytest
import torch
from msgspec.structs import replace

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Message, Place, Sampling
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_likelihoods import (
    choice_log_likelihoods,
    count_tokens,
    likeliest,
)
from ste_plugin.engines.local.engine import create
from ste_plugin.engines.local.loading import load
from ste_plugin.engines.local.model import LocalEngine
from ste_plugin.engines.local.options import LocalOptions
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


def test_of_choices_that_are_as_likely_none_is_preferred_for_its_place():
    letters = choice("Name a fruit.")
    assert [likeliest(letters, each) for each in ((1, 2), (2, 1), (1, 1))] == ["B", "A", ""]
    ratings = [replace(choice(f"Rate {n}."), choices=("4", "5", "6")) for n in range(40)]
    assert {likeliest(each, (1, 2, 2)) for each in ratings} == {"5", "6"}
    later = [each.with_sample_index(3) for each in ratings]
    assert all(
        likeliest(a, (1, 2, 2)) == likeliest(b, (1, 2, 2))
        for a, b in zip(ratings, later, strict=True)
    )


def test_an_even_choice_is_none_at_temperature_0_and_drawn_above_it(engine):
    head = engine.start()._model.get_output_embeddings().weight
    head.data.zero_()
    asked = [choice(f"Name a fruit, number {n}.") for n in range(3)]
    assert [c.text for c in engine.complete(asked)] == [""] * 3
    drawn = [choice(f"Name a fruit, number {n}.", Sampling(0.7, 1.0, 8)) for n in range(20)]
    assert {c.text for c in engine.complete(drawn)} == {"A", "B"}


def test_letters_of_half_precision_weights_are_told_as_float32_tells_them(tiny_model):
    loaded = load(str(tiny_model), LocalOptions(dtype="bfloat16"))
    request, template = choice("Name a fruit."), ChatTemplate(loaded.tokenizer)
    ((_, told),) = LocalEngine(loaded, LocalOptions()).choice_log_likelihoods([request])
    text = template.text_of(request)
    letters = [template.encode(text + letter)[-1] for letter in "AB"]
    with torch.no_grad():
        ids = torch.tensor([template.encode(text)])
        last = loaded.model(ids, output_hidden_states=True).hidden_states[-1][0, -1]
    logits = last.double() @ loaded.model.get_output_embeddings().weight[letters].double().T
    assert told == pytest.approx(logits.log_softmax(-1).tolist(), abs=1e-6)


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
