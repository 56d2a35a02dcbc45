"""Drawing tokens: exact, reproducible, and never outside the nucleus."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.engines.token_sampler import draw, uniforms

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=40)
UNIFORM = st.floats(0, 1, exclude_max=True)


def sorted_nucleus(logits: torch.Tensor, top_p: float) -> set[int]:
    """The textbook nucleus, from a full sort."""
    chances = torch.softmax(logits, -1)
    order = chances.argsort(descending=True).tolist()
    held, inside = 0.0, set()
    for token in order:
        if held >= top_p - 1e-6:
            break
        inside.add(token)
        held += float(chances[token])
    return inside


@given(LOGITS, UNIFORM, st.floats(0.05, 0.999))
def test_a_draw_never_leaves_the_nucleus(values, uniform, top_p):
    logits = torch.tensor([values])
    token = int(draw(logits, torch.tensor([uniform]), 1.0, top_p))
    chances = torch.softmax(logits[0], -1)
    ties = {
        t
        for t in range(len(values))
        if any(abs(chances[t] - chances[u]) < 1e-6 for u in sorted_nucleus(logits[0], top_p))
    }
    assert token in ties


@given(LOGITS, UNIFORM)
def test_temperature_zero_takes_the_likeliest_token(values, uniform):
    token = int(draw(torch.tensor([values]), torch.tensor([uniform]), 0.0, 1.0))
    assert values[token] == max(values)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_draws_follow_the_models_probabilities(top_p):
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(20_000, 1)
    uniforms = (torch.arange(20_000) + 0.5) / 20_000
    counts = torch.bincount(draw(logits, uniforms, 1.0, top_p), minlength=4) / 20_000
    expected = torch.tensor([0.5, 0.3, 0.15, 0.05 if top_p == 1.0 else 0.0])
    assert torch.allclose(counts, expected / expected.sum(), atol=1e-3)


def test_a_flat_distribution_over_a_large_vocabulary_keeps_its_whole_nucleus():
    logits = torch.zeros(2000, 4000)
    tokens = draw(logits, (torch.arange(2000) + 0.5) / 2000, 1.0, 0.9)
    assert 1700 < len(set(tokens.tolist())) <= 2000


def test_uniform_numbers_depend_on_their_seed_alone():
    seeds = [5, 1 << 59, 7]
    together = uniforms(seeds, 20)
    alone = torch.cat([uniforms([seed], 20) for seed in seeds])
    assert torch.equal(together, alone)
    assert torch.equal(uniforms(seeds, 4), together[:, :4])
    assert float(together.min()) >= 0
    assert float(together.max()) < 1


def test_seeds_that_differ_in_high_bits_only_give_other_numbers():
    low, high = uniforms([3, 3 | 1 << 50], 8)
    assert not torch.equal(low, high)


def test_uniform_numbers_of_many_seeds_are_uniform():
    counts = torch.histc(uniforms(range(5000), 4), bins=10, min=0, max=1)
    assert float(((counts - 2000) ** 2 / 2000).sum()) < 27.9  # chi-square, 9 degrees, p = 0.001


@given(st.lists(LOGITS, min_size=1, max_size=1), UNIFORM, st.floats(0.05, 1.0))
def test_a_row_is_drawn_alike_alone_and_among_others(rows, uniform, top_p):
    logits = torch.tensor(rows)
    others = torch.zeros(3, logits.shape[1])
    alone = draw(logits, torch.tensor([uniform]), 0.7, top_p)
    among = draw(torch.cat([others, logits]), torch.tensor([0.1, 0.5, 0.9, uniform]), 0.7, top_p)
    assert int(alone[0]) == int(among[3])
