"""Our prompt against vLLM's own: `make test-vllm`. A new vLLM that asks otherwise fails here."""

import asyncio
import importlib
import importlib.util
import math
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Place, Sampling
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.decisions.engine import create
from ste_plugin.engines.decisions.question import read_question
from ste_plugin.engines.decisions.wire import decisions_body, systemone_body
from ste_plugin.judging.builtin import DECISION
from tests.helpers.local_vllm import vllm_served
from tests.helpers.tiny_model import save_tiny_qwen3

PLACES = {
    "decisions": "vllm.entrypoints.openai.decisions",
    "systemone": "vllm.entrypoints.generate.structured_decisions",
}
PAIRS = [
    ("Name a fruit.", "An apple.", "A spade."),
    ("Two lines:\n\none\ntwo", 'First.\n\nB: "Answer B"\n', "  Ünïcödé 漢字\t🎉 "),
    ("Question: x?", "<|im_end|>\n<think>\n\n</think>\n\nA", ""),
]


class Rendered(Exception):
    """Raised where vLLM would go on to run the model, with the tokens of its prompt."""


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory) -> Path:
    return save_tiny_qwen3(tmp_path_factory.mktemp("models") / "qwen3", initializer_range=0.2)


def vllm_module(form: str, name: str) -> Any:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed beside the tests: `make test-vllm` has it")
    try:
        return importlib.import_module(f"{PLACES[form]}.{name}")
    except ModuleNotFoundError:
        pytest.skip(f"this vLLM has no /v1/{form}")


def reader(form: str, tokenizer: Any) -> Any:
    """Return what reads a Qwen3 in vLLM, of which nothing runs but the rendering of prompts."""

    async def preprocess_chat(request: Any, messages: list[Any], **told: Any) -> Any:
        params = request.build_chat_params(told["default_template"], "auto")
        ids = tokenizer.apply_chat_template(
            messages, tokenize=True, return_dict=False, **params.chat_template_kwargs
        )
        raise Rendered(ids)

    strategies = vllm_module(form, "strategies")
    assert strategies.READ_STRATEGIES["Qwen3ForCausalLM"] is strategies.NextTokenStrategy
    renderer = SimpleNamespace(
        renderer=SimpleNamespace(get_tokenizer=lambda: tokenizer), preprocess_chat=preprocess_chat
    )
    model = SimpleNamespace(model_config=SimpleNamespace(supports_multimodal_inputs=False))
    return strategies.NextTokenStrategy(strategies.ReadContext(model, renderer, None, "auto", {}))


def asked_by_vllm(form: str, tokenizer: Any, body: dict[str, Any]) -> list[int]:
    """Return the tokens of the prompt that a request's JSON becomes."""
    strategy = reader(form, tokenizer)
    if form == "decisions":
        adapters, protocol = vllm_module(form, "adapters"), vllm_module(form, "protocol")
        request = protocol.DecisionRequest.model_validate(body)
        questions = [adapters.make_read_question(0, request.questions[0])]
        state = adapters.input_text(request.input)
    else:
        protocol, serving = vllm_module(form, "protocol"), vllm_module(form, "serving")
        request = protocol.StructuredDecisionRequest.model_validate(body)
        questions = serving.parse_questions(request, strategy.limits())
        state = strategy.render_state(request.state)
    unset = {"chat_template_kwargs": None, "lora_request": None, "priority": 0}
    reading = strategy.read(questions, None, state, request_id="r", **unset)
    with pytest.raises(Rendered) as rendered:
        asyncio.run(reading)
    return list(rendered.value.args[0])


def trained_on(tokenizer: Any, pair: tuple[str, str, str]) -> list[int]:
    """Return the tokens behind which a row's letter is learnt."""
    template = ChatTemplate(tokenizer)
    prompt, target = template.training_ids(DECISION.render(*pair), "A")
    ids = [*prompt, *target]
    end = len(template.encode("A" + template.layout.turn_end))
    return ids[:-end]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    ("form", "body"), [("decisions", decisions_body), ("systemone", systemone_body)]
)
def test_rows_have_the_very_tokens_that_vllm_asks_with(qwen3, form, body, pair):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(qwen3)
    (turn,) = DECISION.render(*pair)
    question = read_question(turn.content)
    assert asked_by_vllm(form, tokenizer, body("m", question)) == trained_on(tokenizer, pair)


@pytest.mark.slow
def test_a_real_server_answers_as_its_model_does_behind_the_rows_prompt(qwen3, tmp_path):
    with closing(vllm_served(qwen3, tmp_path, max_model_len=1024)) as server:
        base_url = server.start().base_url
        for pair in PAIRS:
            turns, how = DECISION.render(*pair), Sampling(0.0, 1.0, 1)
            asked = ChatRequest("m", turns, how, choices=("A", "B"))
            told, tokens = probability(qwen3, base_url, tmp_path, asked)
            expected, read = probability_of_row(qwen3, base_url, pair)
            assert tokens == read
            assert told == pytest.approx(expected, abs=1e-4)


def probability(model: Path, base_url: str, base: Path, asked: ChatRequest) -> tuple[float, int]:
    """Return the probability of A by the endpoint, and the tokens that it read."""
    options = {"base_url": base_url}
    config = ModelConfig(model=str(model), engine="decisions", options=options)
    with closing(create(config, Place(base, base))) as engine:
        (completion,) = engine.complete([asked])
        ((_, told),) = engine.choice_log_likelihoods([asked])
    return math.exp(told[0]), completion.prompt_tokens


def probability_of_row(model: Path, base_url: str, pair: tuple[str, str, str]) -> tuple[float, int]:
    """Return the same by the plain completion of a row's prompt, given as tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = trained_on(tokenizer, pair)
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]
    body = {"model": str(model), "prompt": ids, "max_tokens": 1, "temperature": 0}
    body |= {"logprob_token_ids": letters, "return_tokens_as_token_ids": True}
    answer = httpx.post(f"{base_url}/completions", json=body | {"logprobs": 2}, timeout=600).json()
    told = answer["choices"][0]["logprobs"]["top_logprobs"][0]
    a, b = (math.exp(told[f"token_id:{letter}"]) for letter in letters)
    return a / (a + b), len(ids)
