"""lm-eval's hf has no logits written that nobody looks at."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.lm_eval_tasks import last_positions
from ste_plugin.lm_eval_tasks.last_positions import keep_last_positions, of_like_length, padding

PROMPTS = {"Name a fruit.": "A", "Which of the two answers is the better one, and why?": " one"}
SEVERAL = {
    "One. Two.": " Three. Four.",
    "Name a fruit!": "!",
    "And": " a longer one than the prompt",
}


@pytest.fixture(scope="module")
def backend(tiny_model):
    from lm_eval.models.huggingface import HFLM

    return lambda **settings: HFLM(pretrained=str(tiny_model), device="cpu", **settings)


def asked(model, texts):
    """The likelihoods of continuations, and the positions that logits were written of, by batch."""
    requests = [((before, after), *model._encode_pair(before, after)) for before, after in texts]
    written = []
    hook = model.model.register_forward_hook(lambda *call: written.append(call[-1].logits.shape[1]))
    found = model._loglikelihood_tokens(requests, disable_tqdm=True)
    hook.remove()
    return found, written


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_likelihoods_are_those_of_all_logits(backend, batch_size):
    texts = [*PROMPTS.items(), *SEVERAL.items()]
    theirs, all_of_them = asked(backend(batch_size=batch_size), texts)
    model = backend(batch_size=batch_size)
    keep_last_positions(model)
    ours, written = asked(model, texts)
    for one, other in zip(ours, theirs, strict=True):
        assert math.isclose(one[0], other[0], abs_tol=1e-4)
        assert one[1] == other[1]
    assert all(few <= many for few, many in zip(written, all_of_them, strict=True))


def test_where_logits_of_padding_take_too_much_prompts_of_a_length_are_asked_together(
    backend, monkeypatch
):
    texts = [
        (before, letter) for before in ("A fruit", "One. Two. Three.", "And") for letter in "AB"
    ]
    model = backend(batch_size=4)
    keep_last_positions(model)
    together, padded = asked(model, texts)
    monkeypatch.setattr(last_positions, "MOST_BYTES", 1)
    apart, written = asked(model, texts)
    assert max(padded) > 1
    assert set(written) == {1}
    for one, other in zip(apart, together, strict=True):
        assert math.isclose(one[0], other[0], abs_tol=1e-4)


@given(st.lists(st.integers(0, 99)), st.integers(0, 30))
def test_every_prompt_is_in_one_group_of_about_its_length(lengths, spread):
    groups = of_like_length(lengths, spread)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        inside = [lengths[i] for i in group]
        assert max(inside) - min(inside) <= spread


def test_of_prompts_of_one_length_a_single_position_is_written_for_a_letter(backend):
    model = backend(batch_size=4)
    keep_last_positions(model)
    _, written = asked(model, [("Name a fruit.", letter) for letter in "AB"])
    assert set(written) == {1}


def test_a_size_that_is_tried_is_tried_with_all_logits(backend):
    model = backend(batch_size="auto", max_batch_size=2)
    keep_last_positions(model)
    _, written = asked(model, [("Name a fruit, or two of them.", "A")])
    assert min(written) > 1


def test_letters_of_half_precision_weights_are_scored_in_float32(backend):
    model = backend(batch_size=2, dtype="bfloat16")
    keep_last_positions(model)
    found, _ = asked(model, [("Name a fruit.", letter) for letter in "ABCD"])
    scores = torch.tensor([score for score, _ in found])
    assert not torch.equal(scores, scores.bfloat16().float())


def test_a_second_task_changes_nothing_more(backend):
    model = backend(batch_size=2)
    keep_last_positions(model)
    once = model._loglikelihood_tokens
    keep_last_positions(model)
    assert model._loglikelihood_tokens is once


def test_padding_is_counted_from_the_end_and_never_too_low():
    assert padding(torch.tensor([[5, 6, 7], [5, 0, 0]])) == 2
    assert padding(torch.tensor([[5, 0, 7]])) == 0
