"""lm-eval's hf reads each prompt once, to the same figures."""

import math
import subprocess
import sys

import pytest
import torch
import transformers

from ste_plugin.lm_eval_tasks import task as tasks
from tests.helpers.scripted_judge import run_task, written


@pytest.fixture(scope="module")
def backend(tiny_model):
    from lm_eval.models.huggingface import HFLM

    return lambda **settings: HFLM(pretrained=str(tiny_model), device="cpu", **settings)


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def measured(model, pairs, **settings):
    """The metrics, the replies and the likelihoods of a judge, and how many tokens it read."""
    tasks.share_prompts(model, [])  # it reads two prompts on trial
    read = []
    forward = model.model.forward

    def counted(input_ids=None, **more):
        read.append(input_ids.numel())
        return forward(input_ids=input_ids, **more)

    model.model.forward = counted
    counted.__wrapped__ = forward  # so that its parameters are seen
    metrics, samples = run_task(model, pairs, **settings)
    model.model.forward = forward
    said = [reply for s in samples for reply in s["filtered_resps"]]
    return metrics, said, sum(read)


def alike(one, other):
    return one == other or (
        not isinstance(one, str) and math.isclose(float(one[0]), float(other[0]), abs_tol=1e-3)
    )


@pytest.mark.parametrize(
    ("settings", "share"), [({"force": True}, 0.6), ({}, 0.9), ({"votes": 4}, 0.5)]
)
def test_a_prompt_is_read_once_and_the_figures_are_the_same(
    backend, pairs, monkeypatch, settings, share
):
    ours = measured(backend(batch_size=4), pairs, **settings)
    monkeypatch.setattr(tasks, "share_prompts", lambda *_: None)
    theirs = measured(backend(batch_size=4), pairs, **settings)
    assert ours[0] == pytest.approx(theirs[0], abs=1e-5)  # likelihoods are rounded otherwise
    assert len(ours[1]) == len(theirs[1])
    assert all(map(alike, ours[1], theirs[1]))
    assert ours[2] < share * theirs[2]


def test_several_tasks_make_a_model_share_prompts_once(backend, pairs):
    model = backend(batch_size=2)
    first = run_task(model, pairs, force=True)[0]
    wrapped = model._model_generate
    assert run_task(model, pairs, force=True)[0] == first
    assert model._model_generate is wrapped


def test_a_model_that_attends_to_a_window_is_left_as_it_is(backend):
    model = backend(batch_size=2)
    model.model.config.sliding_window = 8
    model.model.config.layer_types = ["sliding_attention"] * model.model.config.num_hidden_layers
    before = model._model_generate
    tasks.share_prompts(model, [])
    assert model._model_generate == before


TINY = {"vocab_size": 999, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
MODELS = {
    "MptConfig": {"vocab_size": 999, "d_model": 32, "n_layers": 2, "n_heads": 4},
    "GPTNeoConfig": {
        "vocab_size": 999,
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
    },
    "OpenAIGPTConfig": {"vocab_size": 999, "n_embd": 32, "n_layer": 2, "n_head": 4},
    "BertConfig": TINY,
    "LlamaConfig": {
        **TINY,
        "intermediate_size": 64,
        "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_whose_state_depends_on_what_follows_is_left_as_it_is(backend, name):
    model, config = backend(batch_size=2), getattr(transformers, name)(**MODELS[name])
    model._model = transformers.AutoModelForCausalLM.from_config(config).eval()
    before = model._model_generate
    tasks.share_prompts(model, [])
    assert model._model_generate == before


def test_a_model_that_reads_otherwise_on_trial_is_left_as_it_is(backend, monkeypatch):
    model = backend(batch_size=2)
    forward = model.model.forward

    def counts_padding(input_ids=None, attention_mask=None, **more):
        out = forward(input_ids=input_ids, attention_mask=attention_mask, **more)
        if attention_mask is not None and not attention_mask.all():
            out.logits *= 1.1
        return out

    counts_padding.__wrapped__ = forward
    monkeypatch.setattr(model.model, "forward", counts_padding)
    before = model._model_generate
    tasks.share_prompts(model, [])
    assert model._model_generate == before


@pytest.mark.parametrize("told", ["num_beams=2", "no_repeat_ngram_size=3,do_sample=False"])
def test_other_ways_of_generating_are_lm_evals_own(backend, pairs, monkeypatch, told):
    settings = {"force": True, "lm_eval_settings": {"gen_kwargs": told}}
    ours = measured(backend(batch_size=4), pairs, **settings)
    monkeypatch.setattr(tasks, "share_prompts", lambda *_: None)
    theirs = measured(backend(batch_size=4), pairs, **settings)
    assert ours[0] == theirs[0]
    assert all(map(alike, ours[1], theirs[1]))


def test_a_judge_behind_a_server_is_measured_where_there_is_no_torch():
    hidden = "import sys; sys.modules['torch'] = None; import ste_plugin.lm_eval_tasks.task"
    assert subprocess.run([sys.executable, "-c", hidden], check=False).returncode == 0


def test_letters_behind_an_opening_of_several_tokens_are_those_of_the_whole_text(backend):
    model = backend(batch_size=4)
    tasks.share_prompts(model, [("Name a fruit.", "Name a fruit. It is [[", "A")])
    ids = torch.tensor([model.tok_encode("Name a fruit.")])
    model._model_generate(ids, ids.shape[1] + 1, [], attention_mask=torch.ones_like(ids))
    (found,) = model._model_generate.scored.values()
    before, after = model._encode_pair("Name a fruit. It is [[", "A")
    (alone,) = type(model)._loglikelihood_tokens(model, [(("", ""), before, after)])
    assert math.isclose(found[0], alone[0], abs_tol=1e-3)
    assert found[1] == alone[1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_letters_of_half_precision_weights_are_scored_in_float32(tiny_model, dtype):
    from ste_plugin.engines.local.decoding import exact_head

    load = transformers.AutoModelForCausalLM.from_pretrained
    model = load(tiny_model, dtype=getattr(torch, dtype)).eval()
    ids = torch.tensor([[5, 7, 11]])
    with torch.no_grad():
        coarse = model(ids, output_hidden_states=True)
        with exact_head(model):
            fine = model(ids).logits
        with exact_head(model, [9, 4]):
            letters = model(ids).logits
        again = model(ids).logits
    weight = model.get_output_embeddings().weight
    expected = coarse.hidden_states[-1].double() @ weight.double().T
    assert torch.allclose(fine.double(), expected, atol=1e-5)
    assert not torch.allclose(coarse.logits.double(), expected, atol=1e-5)
    assert torch.allclose(letters[..., [4, 9]].double(), expected[..., [4, 9]], atol=1e-5)
    assert torch.equal(again, coarse.logits)  # only for as long as it is looked at


def test_a_bfloat16_judge_s_letters_lie_closer_together_than_its_own_logits(tiny_model, pairs):
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(tiny_model), device="cpu", batch_size=4, dtype="bfloat16")
    _, samples = run_task(model, pairs, force=True)
    scores = [float(reply[0]) for s in samples for reply in s["filtered_resps"] if len(reply) == 2]
    assert scores
    assert any(torch.tensor(score).bfloat16().item() != score for score in scores)
