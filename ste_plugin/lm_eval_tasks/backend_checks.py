"""What a backend would do to our prompts without a word: refused before anything is generated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ste_plugin.errors import ConfigError, DataError


def tokenizer_of(chat_template: Any) -> Callable[[str], Sequence[int]] | None:
    """Return the backend's own tokenizer, or None where it has none.

    lm-eval hands tasks no backend, but the chat template that it hands them is a backend's method.
    """
    encode = getattr(getattr(chat_template, "__self__", None), "tok_encode", None)
    return encode if callable(encode) else None


def context_tokens_of(chat_template: Any) -> int | None:
    """Return the longest context of the backend in tokens, or None where it does not say."""
    length = getattr(getattr(chat_template, "__self__", None), "max_length", None)
    return length if isinstance(length, int) else None


def refuse_too_long(
    lengths: Mapping[str, int], max_new_tokens: int, context_tokens: int, where: str
) -> None:
    """Raise DataError where prompt and reply together exceed the model's context.

    `lengths` is id of the pair → tokens of its longest prompt. Backends cut such prompts from the
    left, so that the rubric goes first.
    """
    too_long = {key: n for key, n in lengths.items() if n + max_new_tokens > context_tokens}
    if not too_long:
        return
    longest = max(too_long, key=lambda key: too_long[key])
    raise DataError(
        f"{where}: {len(too_long)} of {len(lengths)} pairs do not fit the model's context of "
        f"{context_tokens} tokens; the longest, {longest!r}, has a prompt of {too_long[longest]} and "
        f"{max_new_tokens} are kept for the reply.\n"
        "Lower max_new_tokens (STE_JUDGE_MAX_NEW_TOKENS), raise max_length in the model_args, or "
        f"remove these pairs: {', '.join(list(too_long)[:10])}{', …' if len(too_long) > 10 else ''}"
    )


def refuse_merging(encode: Callable[[str], Sequence[int]], opening: str) -> None:
    """Raise ConfigError where a letter after the closing words is not one token of its own.

    The likelihoods of A and B would then be of different things.
    """
    alone = list(encode(opening))
    for letter in "AB":
        together = list(encode(opening + letter))
        if together[:-1] != alone:
            raise ConfigError(
                f"This model's tokenizer makes {opening[-20:] + letter!r} into other tokens than the "
                "same without its last letter, so verdicts cannot be forced. Unset STE_JUDGE_FORCE "
                "(force_verdict: false), or use a judge format with other closing words."
            )
