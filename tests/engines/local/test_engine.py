"""The local engine on a tiny real model: what transformers would write, whatever the batches."""

from contextlib import closing
from itertools import count, islice

import pytest
import torch

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Completion, Message, Sampling
from ste_plugin.engines.local import engine as local
from ste_plugin.engines.local import loading
from ste_plugin.engines.local.decoding import prefill
from ste_plugin.engines.local.loading import LoadedModel, load
from ste_plugin.engines.local.model import LocalEngine
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.errors import ConfigError, EngineError
from tests.helpers.builders import HERE

RUBRIC = "Two assistants answered the same instruction; decide which serves the person better. "
TEXTS = (
    RUBRIC + "[Instruction] Name a fruit. [Answer A] An apple. [Answer B] A spade.",
    RUBRIC + "[Instruction] Name a tool.",
    RUBRIC + "[Instruction] Name a fruit. [Answer A] A spade. [Answer B] An apple.",
    "Name a fruit.",
)


@pytest.fixture(scope="module")
def loaded(tiny_model) -> LoadedModel:
    return load(str(tiny_model), LocalOptions())


def asked(texts=TEXTS, samples=1, temperature=0.0, top_p=1.0, most=12, **more) -> list[ChatRequest]:
    how = Sampling(temperature, top_p, most)
    return [
        ChatRequest("m", (Message("user", text),), how, i, **more)
        for text in texts
        for i in range(samples)
    ]


def answers(
    loaded: LoadedModel, requests: list[ChatRequest], say=print, **options
) -> dict[str, Completion]:
    engine = LocalEngine(loaded, LocalOptions(**options), say)
    found = list(engine.complete(requests))
    assert len(found) == len({c.key for c in found})
    return {c.key: c for c in found}


def texts_of(found: dict[str, Completion], requests: list[ChatRequest]) -> list[str]:
    return [found[r.key].text for r in requests]


class SmallMemory:
    """A device that runs out of memory at more than `rows` sequences, around a real model."""

    def __init__(self, model, rows: int) -> None:
        self._model, self._rows = model, rows

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def __call__(self, input_ids: torch.Tensor, **more):
        if len(input_ids) > self._rows:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._model(input_ids=input_ids, **more)


def with_memory(loaded: LoadedModel, rows: int) -> LoadedModel:
    model = SmallMemory(loaded.model, rows)
    return LoadedModel(loaded.path, loaded.tokenizer, model, loaded.device)


def test_greedy_answers_are_those_of_transformers_own_generation(loaded, tiny_model):
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    found = answers(loaded, asked())
    for request in asked():
        turns = [{"role": "user", "content": request.messages[0].content}]
        ids = loaded.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        wrote = plain.generate(**ids, max_new_tokens=12, do_sample=False)[
            0, ids["input_ids"].shape[1] :
        ]
        assert found[request.key].text == loaded.tokenizer.decode(wrote, skip_special_tokens=True)


def test_what_prompts_begin_with_in_common_is_read_once_to_the_same_result(loaded):
    beginning = list(range(10, 40))
    prompts = [[*beginning, 5, 6, 7, 8], [*beginning, 9], [*beginning, 50, 51]]
    with torch.inference_mode():
        together = prefill(loaded.model, prompts)
        alone = torch.cat([prefill(loaded.model, [ids]).logits for ids in prompts])
    assert together.mask[:, :30].all()
    assert together.mask[:, 30:].tolist() == [[1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]]
    assert torch.allclose(together.logits, alone, atol=1e-4)


def test_the_batch_size_changes_no_sample(loaded):
    requests = asked(samples=3, temperature=1.0, top_p=0.9)
    small = answers(loaded, requests, max_batch_tokens=100)
    assert texts_of(small, requests) == texts_of(answers(loaded, requests), requests)
    assert len(set(texts_of(small, requests))) > 6


@pytest.fixture
def hybrid(loaded) -> LoadedModel:
    """A model with layers that keep a state of the text instead of its keys and values."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = Lfm2Config(
        vocab_size=len(loaded.tokenizer),
        num_key_value_heads=2,
        layer_types=["conv", "full_attention", "conv"],
        num_hidden_layers=3,
        **shape,
    )
    model = Lfm2ForCausalLM(config).eval()
    return LoadedModel(loaded.path, loaded.tokenizer, model, loaded.device)


def test_a_model_that_keeps_states_writes_the_same_samples_in_any_batch(hybrid):
    texts = ["Name a fruit.", "Name a tool, and say what it is for.", TEXTS[0]]
    requests = asked(texts, samples=5, temperature=1.0)
    ends = torch.arange(0, len(hybrid.tokenizer), 4)  # so that samples end at different steps
    together, alone = LocalEngine(hybrid, LocalOptions()), LocalEngine(hybrid, LocalOptions())
    together._stop_ids = alone._stop_ids = ends
    found = {c.key: c for c in together.complete(requests)}
    assert len({c.completion_tokens for c in found.values()}) > 3
    assert found.keys() == {r.key for r in requests}
    for request in requests:
        (single,) = alone.complete([request])
        assert single.text == found[request.key].text


def test_a_prompt_read_in_two_batches_is_paid_for_twice(loaded):
    requests = asked(["Name a fruit."], samples=4)
    whole, halves = (answers(loaded, requests, max_batch_tokens=n) for n in (4096, 70))
    assert [c.prompt_tokens for c in whole.values()].count(0) == 3
    assert [c.prompt_tokens for c in halves.values()].count(0) == 2


def test_later_samples_of_choices_are_drawn_without_a_second_reading(loaded):
    requests = asked(samples=6, temperature=1.0, prefix="It is [[", choices=("A", "B"))
    engine = LocalEngine(loaded, LocalOptions())
    found = [c for c in engine.complete(requests[::2]) if c.text]
    engine._model = None
    found += engine.complete(requests[1::2])
    assert {c.key: c for c in found}.keys() == {r.key for r in requests}
    at_once = answers(loaded, requests)
    assert {c.key: c.text for c in found} == {key: c.text for key, c in at_once.items()}


def test_too_little_memory_makes_smaller_batches_and_loses_nothing(loaded):
    requests = asked(samples=2, temperature=1.0) + asked(prefix="It is [[", choices=("A", "B"))
    said: list[str] = []
    found = answers(with_memory(loaded, rows=2), requests, said.append)
    assert texts_of(found, requests) == texts_of(answers(loaded, requests), requests)
    assert [line.partition("continuing with ")[2] for line in said][-1] == "2. Nothing is lost."
    assert len(said) == len(set(said)) <= 3


def test_no_memory_for_a_single_sample_ends_with_what_to_do(loaded):
    with pytest.raises(EngineError, match=r"one sample of \d+ tokens.*smaller max_new_tokens"):
        answers(with_memory(loaded, rows=0), asked())


def test_what_came_before_memory_ran_out_for_good_was_yielded(loaded):
    long, short = asked(["Name a fruit. " * 30]), asked(["Greet me."], most=5)
    small = with_memory(loaded, rows=1)
    small.model._rows = 1
    engine = LocalEngine(small, LocalOptions())
    coming = engine.complete(long + short)
    assert next(coming).key in {r.key for r in long + short}
    small.model._rows = 0
    with pytest.raises(EngineError):
        next(coming)


def test_requests_are_taken_as_batches_have_space(loaded):
    taken = []
    (request,) = asked(["Name a fruit."], most=1)
    endless = (r for r in map(request.with_sample_index, count()) if taken.append(r) is None)
    engine = LocalEngine(loaded, LocalOptions())
    assert len(list(islice(engine.complete(endless), 3))) == 3
    assert len(taken) < 1000


def test_a_prompt_longer_than_the_context_is_cut_by_length(loaded):
    (found,) = answers(loaded, asked(["fruit " * 5000])).values()
    assert (found.text, found.finish_reason, found.completion_tokens) == ("", "too_long", 0)


def test_the_threads_of_the_options_are_used(tiny_model):
    before = torch.get_num_threads()
    try:
        load(str(tiny_model), LocalOptions(threads=2))
        assert torch.get_num_threads() == 2
        load(str(tiny_model), LocalOptions(threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_an_unknown_option_names_those_that_there_are(tiny_model):
    model = ModelConfig(model=str(tiny_model), engine="local", options={"batch": 3})
    with pytest.raises(ConfigError, match=r"batch: unknown key; there are: revision.*threads"):
        local.create(model, HERE)


def test_a_folder_without_a_model_is_an_engine_error(tmp_path):
    model = ModelConfig(model=str(tmp_path), engine="local")
    with (
        closing(local.create(model, HERE)) as engine,
        pytest.raises(EngineError, match="config.json"),
    ):
        list(engine.complete(asked()))


@pytest.mark.parametrize(("multiplies", "warnings"), [(False, 1), (True, 0)])
def test_bfloat16_is_warned_of_on_a_cpu_that_emulates_it(
    tiny_model, monkeypatch, caplog, multiplies, warnings
):
    monkeypatch.setattr(loading, "multiplies_bfloat16", lambda: multiplies)
    load(str(tiny_model), LocalOptions(dtype="bfloat16", device="cpu"))
    load(str(tiny_model), LocalOptions(device="cpu"))
    said = [r.getMessage() for r in caplog.records if "bfloat16" in r.getMessage()]
    assert len(said) == warnings
    assert all(str(tiny_model) in line and "set float32" in line for line in said)
