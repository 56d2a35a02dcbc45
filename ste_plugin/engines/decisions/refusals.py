"""What keeps a model from answering by the decisions endpoint, in words with a cure."""

import json
from collections.abc import Iterable
from pathlib import Path
from string import ascii_uppercase, digits

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Message
from ste_plugin.engines.chat import NO_THINKING, ChatTemplate
from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.engines.decisions.question import Question, read_question
from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import ConfigError, EngineError

_LETTERS = ("A", "B")
_ALL_LABELS = (*ascii_uppercase, *digits, "yes", "no")
"""Of all kinds of questions: vLLM 0.32 and 0.33 refuse a model of which one is no single token."""
_PROBE = (Message("user", "x"),)
_BY_CHAT = (
    "engine: http with options.prefill: vllm and chat_template_kwargs: {enable_thinking: false}, "
    "or engine: vllm, serve or local: all of them ask judging.format: decision at the same place"
)
NO_ENDPOINT = (
    "the server has neither /decisions nor its earlier form /systemone; expected vLLM 0.33 or "
    "later (0.32 has the earlier form), with base_url ending in /v1. Update the server, or judge "
    f"by {_BY_CHAT}."
)


def unsupported(endpoint: EndpointOptions, words: str, cause: str) -> str:
    """Return what to do where a server has the endpoint, and not for this model."""
    known = f"Here that is: {cause}" if cause else "The server's own log, at level debug, says why."
    return (
        f"{endpoint.url} (model {endpoint.model!r}): HTTP 501: {words}\n"
        "Stock vLLM answers decisions for Qwen3ForCausalLM, Qwen3.5 and Gemma 4, not for Llama; "
        "with --logprobs-mode raw_logprobs (the default) or processed_logprobs; and where letters "
        f"are single tokens behind the prompt. {known}\nTrain a Qwen3 seed, or judge this model by "
        f"{_BY_CHAT}."
    )


def diagnose(model: ModelConfig, base: Path, template: ChatTemplate | None) -> str:
    """Return why the endpoint does not support a model, as far as its folder tells; else ''."""
    try:
        config = json.loads((Path(model_path(model, base)) / "config.json").read_bytes())
        (architecture,) = config["architectures"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if not str(architecture).startswith(("Qwen3", "Gemma4")):
        return f"an architecture that it refuses, {architecture}."
    if template and (letter := _merging_label(template, _ALL_LABELS)):
        return f"a tokenizer that does not write {letter} behind the prompt as one token."
    return f"not the architecture, {architecture}; look at the server's --logprobs-mode."


def check_template(model: ModelConfig, template: ChatTemplate | None) -> None:
    """Raise ConfigError where the endpoint would ask elsewhere than where a letter comes next.

    `template`: the model's own, rendered with `NO_THINKING`, where its folder is at hand.
    """
    told = model.chat_template_kwargs
    if others := {k: v for k, v in told.items() if NO_THINKING.get(k) is not v}:
        raise ConfigError(
            f"chat_template_kwargs: found {others} with engine decisions, whose endpoint takes "
            "none and switches thinking off itself. Leave them out, and start the server with "
            "--default-chat-template-kwargs where the judge was trained with them; a judge that is "
            "to think is one for engine http or vllm."
        )
    if template is None:
        return
    if template.opens_thinking:
        raise ConfigError(
            f"{model.model}: its chat template opens a thought that enable_thinking: false does "
            "not switch off, so that a letter never comes next, and the endpoint would read the "
            "first token of a thought. Use a model whose thinking can be switched off, as Qwen3, "
            "or one without any, as Qwen3-Instruct-2507."
        )
    if letter := _merging_label(template, _LETTERS):
        raise ConfigError(
            f"{model.model}: its tokenizer does not write {letter} behind the prompt as one token "
            "of its own, so that it has no probability as the reply's first token. Use another "
            "model, or a judge format with closing words (verdict)."
        )


def _merging_label(template: ChatTemplate, labels: Iterable[str]) -> str:
    """Return the first label that is no token of its own behind the prompt, or ''."""
    prompt = template.answer_prompt(_PROBE, "")
    ids = template.encode(prompt)
    return next(
        (label for label in labels if added_token(ids, template.encode(prompt + label)) is None), ""
    )


_FORMAT = 'Set judging.format: decision (--format decision, format="decision")'


def question_of(request: ChatRequest, model: str) -> Question:
    """Return the question that a request asks.

    Raises: EngineError where it wants text, or is not asked as the endpoint asks.
    """
    if not request.choices:
        raise EngineError(
            f"model {model!r}: engine decisions answers by probabilities of letters and writes no "
            f"text, and a text is asked for. {_FORMAT} for a judge that answers by a letter; a "
            "judge that reasons, or a model that writes answers, needs engine: http, serve, vllm "
            "or local. Judges of a cascade that need different ones are named in its file."
        )
    is_one_turn = len(request.messages) == 1 and request.messages[0].role == "user"
    question = read_question(request.messages[0].content) if is_one_turn else None
    if question is None or request.prefix or question.letters != request.choices:
        raise EngineError(
            f"model {model!r}: engine decisions asks one question of its own form, and this "
            f"request (format {request.format_version or 'unknown'}) is another: the letter would "
            f"be read where this judge was not trained to give it. {_FORMAT} for a judge trained "
            "in it, or engine: http, serve, vllm or local for this one."
        )
    return question
