"""Which prompts are read together: nothing lost, samples beside their prompt, memory kept to."""

from itertools import count

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig

from ste_plugin.engines import ChatRequest, Message, Sampling
from ste_plugin.engines.local.batches import (
    BatchBudget,
    Prompt,
    next_batch,
    sort_for_batching,
    split_into_windows,
)
from ste_plugin.engines.local.memory import automatic_budget, check_weights_fit, free_memory
from ste_plugin.errors import EngineError

CPU = torch.device("cpu")


def prompt(tokens: int, samples: int = 1, most: int = 8, choices: bool = False) -> Prompt:
    request = ChatRequest("m", (Message("user", "?"),), Sampling(max_new_tokens=most))
    return Prompt(
        [request.with_sample_index(i) for i in range(samples)],
        [1] * tokens,
        [7, 8] if choices else [],
    )


def batches(prompts: list[Prompt], budget: BatchBudget, full_rows: int = 8) -> list[list[Prompt]]:
    waiting, found = sort_for_batching(prompts), []
    while waiting:
        found.append(next_batch(waiting, budget, full_rows))
    return found


def questions(prompts: int, samples: int) -> list[ChatRequest]:
    first = [ChatRequest("m", (Message("user", str(n)),), Sampling()) for n in range(prompts)]
    return [request.with_sample_index(i) for request in first for i in range(samples)]


PROMPTS = st.lists(
    st.builds(
        prompt, st.integers(1, 90), st.integers(1, 9), st.sampled_from([8, 30]), st.booleans()
    )
)


@given(PROMPTS, st.integers(20, 900), st.integers(1, 12))
def test_every_sample_is_in_one_batch_which_holds_no_more_than_fits(prompts, limit, max_rows):
    budget = BatchBudget(limit, per_token=1, max_rows=max_rows)
    made = batches(prompts, budget)
    for batch in made:
        rows = sum(p.rows for p in batch)
        assert rows == 1 or budget.cost(rows, max(p.width for p in batch)) <= limit
        assert rows <= max_rows
        assert len({p.kind for p in batch}) == 1
    samples = sorted((len(p.ids), r.sample_index) for b in made for p in b for r in p.requests)
    assert samples == sorted((len(p.ids), r.sample_index) for p in prompts for r in p.requests)


@given(st.lists(st.integers(1, 90), max_size=30), st.integers(1, 9))
def test_samples_of_a_prompt_that_fit_together_are_never_divided(lengths, samples):
    prompts = [prompt(n, samples) for n in lengths]
    made = batches(prompts, BatchBudget(9 * 98, per_token=1))
    assert all(len(p.requests) == samples for batch in made for p in batch)


def test_a_prompt_with_more_samples_than_fit_is_divided():
    made = batches([prompt(12, samples=10)], BatchBudget(4 * 20, per_token=1))
    assert [len(p.requests) for batch in made for p in batch] == [4, 4, 2]


def test_a_worthwhile_batch_is_not_filled_up_with_short_prompts():
    prompts = [prompt(100) for _ in range(4)] + [prompt(10) for _ in range(4)]
    sizes = [[len(p.ids) for p in b] for b in batches(prompts, BatchBudget(1e9, 1), full_rows=4)]
    assert sizes == [[100] * 4, [10] * 4]
    assert len(batches(prompts, BatchBudget(1e9, 1), full_rows=8)) == 1


def test_half_the_budget_halves_the_batch_that_was_too_large():
    prompts = [prompt(20, most=12) for _ in range(10)]
    budget = BatchBudget(1e9, per_token=1)
    (batch,) = batches(prompts, budget)
    assert [len(b) for b in batches(prompts, budget.half_of(batch))] == [5, 5]


def test_a_window_keeps_the_samples_of_a_prompt_together():
    found = list(split_into_windows(questions(prompts=5, samples=3), rows=4))
    assert [[len(group) for group in window] for window in found] == [[3, 3], [3, 3], [3]]


def test_a_window_takes_hardly_more_requests_than_it_yields():
    taken = []
    coming = (r for r in questions(prompts=1000, samples=2) if taken.append(r) is None)
    window = next(split_into_windows(coming, rows=10))
    assert sum(map(len, window)) == 10
    assert len(taken) == 11


def test_endless_samples_of_one_prompt_come_in_windows():
    request = questions(1, 1)[0]
    found = split_into_windows((request.with_sample_index(i) for i in count()), rows=6)
    assert [[len(group) for group in next(found)] for _ in range(2)] == [[6], [6]]


def test_the_automatic_budget_counts_at_least_the_cache_of_keys_and_values():
    from transformers import DynamicCache, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    cache = DynamicCache(config=config)
    LlamaForCausalLM(config)(input_ids=torch.ones(2, 11, dtype=torch.long), past_key_values=cache)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    budget = automatic_budget(config, torch.float32, CPU)
    assert held <= budget.cost(2, 11) < 20 * held
    assert 0 < budget.limit <= free_memory(CPU)


def test_a_model_of_half_the_width_gets_more_rows():
    wide, narrow = (
        automatic_budget(LlamaConfig(hidden_size=size, num_attention_heads=32), torch.float16, CPU)
        for size in (4096, 2048)
    )
    assert narrow.cost(1, 1000) < wide.cost(1, 1000)


@pytest.mark.parametrize(
    ("weights", "dtype", "free", "words"),
    [
        (32.2e9, "float32", 20e9, ["32.2 GB in float32", "20.0 GB free", "dtype: bfloat16"]),
        (
            16.1e9,
            "bfloat16",
            12e9,
            ["quantised to 4 bits, about 5.2 GB", "tensor_parallel_size: 2"],
        ),
        (141e9, "bfloat16", 24e9, ["tensor_parallel_size: 8", "engine: http"]),
    ],
)
def test_weights_that_do_not_fit_say_what_is_needed_and_what_would_fit(weights, dtype, free, words):
    with pytest.raises(EngineError) as caught:
        check_weights_fit("some/model", int(weights), dtype, int(free), "cuda:0")
    for word in words:
        assert word in str(caught.value)
    if free > 0.4 * weights:
        assert ("quantised" in str(caught.value)) == (free > 0.3 * weights)


def test_weights_that_fit_pass():
    assert check_weights_fit("some/model", 10**9, "bfloat16", 2 * 10**9, "cuda:0") is None
