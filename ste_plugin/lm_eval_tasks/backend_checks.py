"""What a backend would silently do to our prompts: prevented or refused before generating."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ste_plugin.engines.choice_tokens import added_token
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.records import ORDERS
from ste_plugin.text.sanitize import sanitize_for_tokenizer

Turns = Sequence[Mapping[str, str]]


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


def counter_of(backend: Any) -> Callable[[Any], int] | None:
    """Return how many tokens a prompt has, or None where that cannot be known.

    A chat API counts with the tokenizer named in its model_args (tokenizer_backend=huggingface).
    """
    tokenizer: Any = getattr(backend, "tokenizer", None)
    if encode := tokenizer_of(backend):
        return lambda prompt: len(encode(prompt))
    if not hasattr(tokenizer, "apply_chat_template"):
        return None

    def count(chat: Any) -> int:
        turns = json.loads(chat.prompt)
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


def accepted_by(backend: Any, generation: dict[str, Any]) -> dict[str, Any]:
    """Return the generation settings that a backend accepts: OpenAI's own API refuses others."""
    is_openai = type(backend).__name__.startswith("OpenAI")
    refused = ("repetition_penalty", "top_k") if is_openai else ()
    return {key: value for key, value in generation.items() if key not in refused}


def render(turns: Turns, chat_template: Callable[..., Any]) -> Any:
    """Return the templated prompt: a text, or what stands for a chat behind a chat API.

    System turns that the template refuses or drops are put before the first user turn.

    Raises: ConfigError where there is no template, or where it drops a part of the prompt.
    """
    from jinja2 import TemplateError

    turns = without_control_tokens(turns, backend_of(chat_template))
    try:
        prompt = chat_template(turns, add_generation_prompt=True)
    except (ValueError, TemplateError) as error:  # of transformers
        if isinstance(error, TemplateError) and any(turn["role"] == "system" for turn in turns):
            return render(merge_system(turns), chat_template)
        raise ConfigError(
            f"This model's tokenizer cannot render a chat ({str(error).splitlines()[0]}). Use the "
            "tokenizer of an instruction-tuned model, add a chat_template to its "
            "tokenizer_config.json, or leave out --apply_chat_template."
        ) from error
    if not isinstance(prompt, str):
        return require_chat(prompt, chat_template)
    missing = [turn for turn in turns if turn["content"].strip() not in prompt]
    if any(turn["role"] == "system" for turn in missing):
        return render(merge_system(turns), chat_template)
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


def merge_system(turns: Turns) -> list[dict[str, str]]:
    """Return the turns without a system turn: its words open the first turn of the user."""
    opening = [turn["content"] for turn in turns if turn["role"] == "system"]
    first, *rest = (dict(turn) for turn in turns if turn["role"] != "system")
    return [first | {"content": "\n\n".join([*opening, first["content"]])}, *rest]


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


def refuse_merging(encode: Callable[[str], Sequence[int]], opening: str) -> None:
    """Raise ConfigError where a letter after the closing words is not one token of its own.

    The likelihoods of A and B would then be of different things.
    """
    alone = encode(opening)
    for letter in ORDERS:
        if added_token(alone, encode(opening + letter)) is None:
            raise ConfigError(
                f"This model's tokenizer makes {opening[-20:] + letter!r} into other tokens than "
                "the same without its last letter, so verdicts cannot be forced. Unset "
                "STE_JUDGE_FORCE (force_verdict: false) and the mode `likelier`, or use a judge "
                "format with other closing words."
            )
