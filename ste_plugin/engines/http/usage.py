"""Tokens that servers count: whether a prompt was read whole, and estimates without a count."""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from ste_plugin.engines.http.response import Reply
from ste_plugin.errors import EngineError

_BYTES_PER_TOKEN = 3
"""About 4 in English and 3 in Chinese, a letter there: most texts are estimated too long, so that a
budget holds. Source: OpenAI's rule of thumb, 4 letters to a token."""
MIN_WORDS = 50
"""Shorter prompts say nothing: a chat template may be counted or not."""
TOKENS_PER_WORD = 0.7
"""Fewer is no tokenizer: they give a word 1.3 tokens, and those that join words (SuperBPE) 0.9."""
_FIRST, _SAME_COUNTS, _LENGTH_RATIO = 32, 6, 1.1
"""Of the first 32 prompts 6 of lengths so different have no number of tokens in common that none
exceeds. Later ones might: texts that their source has cut to so many tokens."""


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def with_estimates(reply: Reply, body: dict[str, Any]) -> Reply:
    """Return a reply whose tokens are estimated as far as the server counted none.

    A sample that was cut off by its limit has used that up.
    """
    written = 0
    if not reply.completion_tokens:
        limit = body.get("max_tokens", body.get("max_completion_tokens")) or 0
        for sample in reply.samples:
            tokens = estimate_tokens(sample.reasoning + sample.text)
            written += max(tokens, limit if sample.ending == "length" else 0)
    read = 0
    if not reply.prompt_tokens:
        read = sum(estimate_tokens(turn["content"]) for turn in body["messages"])
    if not written and not read:
        return reply
    return replace(
        reply,
        prompt_tokens=reply.prompt_tokens or read,
        completion_tokens=reply.completion_tokens or written,
        estimated=True,
    )


class TokensRead:
    """Whether a server reads whole prompts, by the tokens that it counts; threads share it."""

    def __init__(self) -> None:
        self._most = 0
        self._seen: set[int] = set()
        self._words_at_most: set[int] = set()
        """Words of the prompts with which most tokens were read, that many in each."""
        self._lock = Lock()

    def check(self, url: str, messages: Sequence[dict[str, str]], tokens: int) -> None:
        """Raise EngineError where a server has cut a prompt to its context, by what it counts.

        That is where it read far fewer tokens than there are words, and never more than that; or
        where it read the same number of prompts of very different lengths, and more of none.
        A server that counts none is taken as it is.
        """
        words = sum(len(turn["content"].split()) for turn in messages)
        if not tokens or words < MIN_WORDS:
            return
        with self._lock:
            self._seen.add(words)
            if tokens > self._most:
                self._most, self._words_at_most = tokens, set()
            if tokens == self._most:
                self._words_at_most.add(words)
            same = self._words_at_most
            is_cut = self._most < TOKENS_PER_WORD * words or (
                len(self._seen) <= _FIRST
                and len(same) >= _SAME_COUNTS
                and max(same) > _LENGTH_RATIO * min(same)
            )
        if is_cut:
            raise EngineError(
                f"{url}: the server read {tokens} tokens of a prompt of {words} words, and never "
                "more of any: it cuts prompts to its context and does not say so. Raise that "
                "(Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx in the model's Modelfile; llama.cpp: "
                "--ctx-size; others: their longest prompt)."
            )
