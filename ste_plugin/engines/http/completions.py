"""Turning a server's replies into completions: thinking apart from answers, tokens shared out."""

from dataclasses import replace
from typing import Literal

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Completion
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.response import Reply, Said
from ste_plugin.text.thinking import (
    Split,
    closes_unopened,
    in_tags,
    split_thinking,
    with_families,
)

_REFUSED: dict[str, Literal["too_long", "blocked", "refused"]] = {
    "too_long": "too_long",
    "blocked": "blocked",
    "unclear": "refused",
}
"""Why a prompt is refused → the finish reason."""


class ThoughtReader:
    """Takes the replies of one model apart into thinking and answer; threads share it."""

    def __init__(self, model: ModelConfig, template: ChatTemplate | None = None) -> None:
        """`template` is the model's own, where its folder is here."""
        own = model.thinking
        self._marks = with_families((own.open, own.close) if own else None)
        self._prompt_opens = template is not None and template.opens_thinking
        """Whether the chat template begins each reply's thought; else its replies tell."""
        self._told_apart = False
        """Whether the server takes thoughts out of replies: what it leaves is within none."""
        self._is_off = template is not None and template.ends_thinking
        self.thinks_though_off = False
        """Whether a model thought behind a prompt that, by its own template, ends all thinking."""

    def split(self, said: Said, *, continued: bool = False) -> Split:
        """Return a reply taken apart; `continued`: it goes on from words of the assistant's.

        A closing mark without an opening one tells that the prompt opens the thought: later replies
        that are cut off before any mark never end theirs, unless the server tells thoughts apart.
        One that ended by itself answers: its thought may have been empty, and taken out.
        """
        split = self._split(said, continued=continued)
        self.thinks_though_off |= self._is_off and bool(split.thinking)
        return split

    def _split(self, said: Said, *, continued: bool) -> Split:
        split = split_thinking(said.text, self._marks)
        if said.reasoning:
            self._told_apart = True
            return split._replace(thinking=in_tags(said.reasoning) + split.thinking)
        opened = self._prompt_opens and not self._told_apart and not continued
        if not split.thinking and opened and said.ending != "stop":
            return split_thinking(said.text, self._marks, opened=True)
        if split.ended and closes_unopened(split.thinking, self._marks, split.said):
            self._prompt_opens = True
        return split


def take_answers(call: Call, reply: Reply) -> tuple[Call, Reply, list[Call]]:
    """Return what a reply answers of a call, and a call for each sample that is still owed.

    Those are the samples that the server did not give, or broke off by an error of its own.
    """
    if call.greedy:
        return call, reply, []
    kept = [i for i, said in enumerate(reply.samples) if said.ending != "failed"]
    requests = tuple(call.requests[i] for i in kept)
    samples = tuple(reply.samples[i] for i in kept)
    owed = [Call((r,)) for i, r in enumerate(call.requests) if i not in kept]
    return Call(requests), replace(reply, samples=samples), owed


def to_completions(call: Call, reply: Reply, thoughts: ThoughtReader) -> list[Completion]:
    """Return a completion for each request; the tokens add up to what the server counted.

    The first counts the prompt's tokens, and the remainder of those that do not divide. Where one
    text answers all, the others count none. A prompt that is refused is answered by none.
    """
    if reply.prompt_is_refused:
        refused = _REFUSED[reply.refused]
        return [Completion(r.key, "", refused, 0, 0) for r in call.requests]
    share, remainder = divmod(reply.completion_tokens, max(1, len(reply.samples)))
    completions = []
    for i, request in enumerate(call.requests):
        said = reply.samples[i if len(reply.samples) > 1 else 0]
        tokens = (share if i < len(reply.samples) else 0) + (remainder if i == 0 else 0)
        prompt_tokens = 0 if i else reply.prompt_tokens
        split = thoughts.split(said, continued=bool(request.prefix or request.choices))
        reason = "broken" if said.ending == "failed" else said.ending
        completions.append(
            Completion(request.key, split.said, reason, prompt_tokens, tokens, split.thinking)
        )
    return completions
