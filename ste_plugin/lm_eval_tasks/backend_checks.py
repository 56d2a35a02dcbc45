"""What a backend would silently do to our prompts: prevented or refused before generating."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ste_plugin.engines.base import Message
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.engines.render import merge_system
from ste_plugin.errors import ConfigError, DataError, EngineError
from ste_plugin.lm_eval_tasks.api_requests import is_api
from ste_plugin.lm_eval_tasks.backend_template import Decoder, sends_chats, unrenderable
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.records import ORDERS
from ste_plugin.text.sanitize import sanitize_for_tokenizer

Turns = Sequence[Mapping[str, Any]]


def backend_of(chat_template: Any) -> Any:
    """Return the backend, or None where lm-eval does not let us see it.

    lm-eval hands tasks no backend, but the chat template that it hands them is a backend's method.
    """
    return getattr(chat_template, "__self__", None)


def tokenizer_of(backend: Any) -> Callable[[str], Sequence[int]] | None:
    """Return the backend's own tokenizer, or None where it has none, as behind a chat API."""
    encode = getattr(backend, "tok_encode", None)
    # lm-eval's chat API returns the text itself, its completions API without a tokenizer a list
    return encode if callable(encode) and encode("A") not in ("A", ["A"]) else None


def counter_of(backend: Any, template: ChatTemplate | None) -> Callable[[Any], int] | None:
    """Return how many tokens a prompt has, or None where that cannot be known.

    A chat API counts with the tokenizer named in its model_args (tokenizer_backend=huggingface).
    """
    if encode := tokenizer_of(backend):
        return lambda prompt: len(encode(prompt))
    if template is None:
        return None
    return lambda chat: len(template.encode(template.prompt(_messages(json.loads(chat.prompt)))))


def ask_as_trained(backend: Any, template: ChatTemplate) -> None:
    """Make a backend with weights of its own read and write as training does.

    lm-eval's hf skips special tokens in replies, some of which are marks of thoughts; and before a
    prompt without one, hf and vllm put the token that begins texts.
    """
    if hasattr(backend, "tok_decode") and not isinstance(backend.tok_decode, Decoder):
        backend.tok_decode = Decoder(template, backend.tok_decode)
    asked = template.prompt([Message("user", "Name a fruit.")])
    encode = tokenizer_of(backend)
    if encode is None or list(encode(asked)) == template.encode(asked):
        return
    if backend.add_bos_token:
        raise ConfigError(
            "add_bos_token in the model_args puts a token before the prompt that the chat "
            "template does not, and that no judge is trained with. Leave it out."
        )
    backend.add_bos_token = False


def accepted_by(
    backend: Any,
    generation: dict[str, Any],
    template: ChatTemplate | None,
    settings: JudgeSettings,
) -> dict[str, Any]:
    """Return the generation settings that a backend accepts: OpenAI's own API refuses others.

    A server is told what its template shall get, and to keep marks that are special tokens.
    """
    if type(backend).__name__.startswith("OpenAI"):
        refused = ("repetition_penalty", "top_k")
        return {key: value for key, value in generation.items() if key not in refused}
    more: dict[str, Any] = {}
    if sends_chats(backend) and settings.chat_template_kwargs:
        more["chat_template_kwargs"] = dict(settings.chat_template_kwargs)
    if is_api(backend) and template and template.has_special_marks:
        more["skip_special_tokens"] = False
    return generation | more


def render(
    turns: Turns, chat_template: Callable[..., Any], template: ChatTemplate | None = None
) -> Any:
    """Return the templated prompt: a text, or what stands for a chat behind a chat API.

    System turns that the template refuses or drops are put before the first user turn.

    Raises: ConfigError where there is no template, or where it drops a part of the prompt.
    """
    if template and not sends_chats(backend_of(chat_template)):
        try:
            return template.prompt(_messages(turns))
        except EngineError as error:
            raise unrenderable(error) from error
    return _render_by(chat_template, without_control_tokens(turns, backend_of(chat_template)))


def _messages(turns: Turns) -> list[Message]:
    return [Message(turn["role"], turn["content"]) for turn in turns]


def _render_by(chat_template: Callable[..., Any], turns: Turns) -> Any:
    """Return what a backend without a tokenizer of its own makes of the turns."""
    from jinja2 import TemplateError

    try:
        prompt = chat_template(turns, add_generation_prompt=True)
    except (ValueError, TemplateError) as error:
        raise unrenderable(error) from error
    if not isinstance(prompt, str):
        return require_chat(prompt, chat_template)
    missing = [turn for turn in turns if turn["content"].strip() not in prompt]
    if any(turn["role"] == "system" for turn in missing):
        merged = merge_system(_messages(turns))
        return _render_by(chat_template, [{"role": m.role, "content": m.content} for m in merged])
    if missing:
        raise ConfigError(
            "This model's chat template leaves out a part of the prompt: "
            f"{missing[0]['content'][:60]!r}. Judging would be without it. Use another template."
        )
    return prompt


def without_control_tokens(turns: Turns, backend: Any) -> Turns:
    """Return the turns without what the backend's own tokenizer would take for control tokens."""
    tokenizer: Any = getattr(backend, "tokenizer", None)
    if not hasattr(tokenizer, "added_tokens_decoder"):
        return turns
    return [
        {**turn, "content": sanitize_for_tokenizer(tokenizer, turn["content"])} for turn in turns
    ]


def require_chat(prompt: Any, chat_template: Any) -> Any:
    """Return a chat that is no text. Raises: ConfigError where the backend sends texts only."""
    encode = getattr(backend_of(chat_template), "tok_encode", None)
    if callable(encode) and encode("A") != "A":
        raise ConfigError(
            "This backend sends chats as they are to an API that takes texts. Give "
            "local-completions a tokenizer of its own (tokenizer_backend=huggingface,"
            "tokenizer=MODEL, and no tokenized_requests=False), or use local-chat-completions."
        )
    return prompt


def tokens_needed(
    requests: Iterable[Any], count: Callable[[Any], int], max_new_tokens: int
) -> dict[str, int]:
    """Return id of the pair → tokens of its longest prompt with what follows it."""
    following = {"generate_until": max_new_tokens, "loglikelihood": 1}
    prompts = {(r.doc["id"], r.args[0], following[r.request_type]) for r in requests}
    needed: dict[str, int] = {}
    for pair_id, prompt, tokens in prompts:
        needed[pair_id] = max(count(prompt) + tokens, needed.get(pair_id, 0))
    return needed


def too_long(needed: Mapping[str, int], context_tokens: int | None) -> dict[str, int]:
    """Return the pairs that need more tokens than the context has, with how many.

    `needed` is as `tokens_needed` returns it. Without a known context nothing is too long.
    """
    if context_tokens is None:
        return {}
    return {pair_id: tokens for pair_id, tokens in needed.items() if tokens > context_tokens}


def refuse_too_long(
    unfit: Mapping[str, int], pairs: int, context_tokens: int | None, where: str
) -> None:
    """Raise DataError about pairs that do not fit: backends cut from the left, the rubric first."""
    longest = max(unfit, key=lambda pair_id: unfit[pair_id])
    raise DataError(
        f"{where}: {len(unfit)} of {pairs} pairs ({len(unfit) / pairs:.1%}) do not fit the "
        f"model's context of {context_tokens} tokens; the longest, {longest!r}, needs "
        f"{unfit[longest]} with its reply.\n"
        "Raise max_length in the model_args if the model has more, lower max_new_tokens "
        "(STE_JUDGE_MAX_NEW_TOKENS), leave such pairs out of the figures (STE_JUDGE_TOO_LONG=drop "
        "reports their rate), or remove them: "
        f"{', '.join(list(unfit)[:10])}{', …' if len(unfit) > 10 else ''}"
    )


def require_counter(needed: bool) -> None:
    """Raise ConfigError where tokens must be counted and cannot be."""
    if needed:
        raise ConfigError(
            "STE_JUDGE_TOO_LONG=drop needs to count tokens, and the tokenizer behind a chat API is "
            "not known. Name it in the model_args (tokenizer_backend=huggingface,tokenizer=MODEL,"
            "max_length=TOKENS), or unset STE_JUDGE_TOO_LONG: the server refuses what does not fit."
        )


def refuse_merging(
    encode: Callable[[str], Sequence[int]], opening: str, choices: Iterable[str] = ORDERS
) -> None:
    """Raise ConfigError where a choice after the closing words is not one token of its own.

    The likelihoods of A and B would then be of different things.
    """
    alone = encode(opening)
    for choice in choices:
        if added_token(alone, encode(opening + choice)) is None:
            raise ConfigError(
                f"This model's tokenizer makes {opening[-20:] + choice!r} into other tokens than "
                "the same without its last letter, so verdicts cannot be forced. Unset "
                "STE_JUDGE_FORCE (force_verdict: false) and the mode `likelier`, or use a judge "
                "format with other closing words."
            )
