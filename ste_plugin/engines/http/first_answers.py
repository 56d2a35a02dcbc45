"""Prompts that a server refuses before it has answered any: is it the prompts, or is it us?"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ste_plugin.engines.base import Completion
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.response import Reply
from ste_plugin.errors import EngineError

_ENOUGH = 8
"""Prompts refused one after another that are no chance; as many calls begin at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave."""

    call: Call
    completions: list[Completion]
    owed: list[Call] = field(default_factory=list)
    """Calls that are still to be made for what it did not give."""
    refusal: Reply | None = None
    """Where the server refused the prompt."""


class FirstAnswers:
    """Holds refused prompts back until the first prompt is answered, or enough are refused."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._has_answered = False
        self._held: list[Answer] = []

    def begin_stage(self) -> None:
        """Forget what is held."""
        self._held = []

    @property
    def undecided(self) -> bool:
        """Whether so many prompts are refused, and none answered, that no more should be sent."""
        return len({a.call.first.prompt_key for a in self._held}) >= _ENOUGH

    def release(self, answers: list[Answer]) -> list[Completion]:
        """Return the completions that may be stored now."""
        self._has_answered |= any(a.completions and a.refusal is None for a in answers)
        if self._has_answered:
            answers, self._held = [*self._held, *answers], []
        else:
            self._held += [a for a in answers if a.refusal]
            answers = [a for a in answers if a.refusal is None]
        return [completion for answer in answers for completion in answer.completions]

    def settle(self, fits: Callable[[Call], bool]) -> list[Completion]:
        """Return the completions that are held once nothing else is in flight.

        `fits`: whether the server takes a prompt if it need not answer at length.
        Raises: EngineError where prompts do fit and their answers do not, or too many are refused.
        """
        too_long = [a for a in self._held if a.refusal and a.refusal.refused == "too_long"]
        if too_long:
            shortest = min(too_long, key=lambda a: _words(a.call))
            if fits(shortest.call):
                raise EngineError(self._no_room(shortest))
        if self.undecided:
            raise EngineError(self._all_refused(self._held[-1]))
        held, self._held = self._held, []
        return [completion for answer in held for completion in answer.completions]

    def _no_room(self, answer: Answer) -> str:
        new_tokens = answer.call.first.sampling.max_new_tokens
        return (
            f"model {self._model!r}: a prompt and {new_tokens} new tokens are more than the "
            f"server's context, though the prompt's {_words(answer.call)} words fit. "
            f"It says: {_said(answer)}\nLower judging.max_new_tokens or pairs.max_new_tokens "
            f"(found: {new_tokens}), or raise the server's context (vLLM: --max-model-len; SGLang: "
            "--context-length; llama.cpp: --ctx-size; Ollama: OLLAMA_CONTEXT_LENGTH)."
        )

    def _all_refused(self, answer: Answer) -> str:
        if answer.refusal and answer.refusal.refused == "blocked":
            kind = "are blocked by a filter"
            cure = "Take another server or model, or turn its filter off where you may"
        else:
            kind = (
                f"are too long for the server's context, this one with {_words(answer.call)} words"
            )
            cure = "Raise the server's context, or leave long instructions out"
        return (
            f"model {self._model!r}: the first {len(self._held)} prompts {kind}. None was "
            f"answered. It says: {_said(answer)}\n{cure}."
        )


def _said(answer: Answer) -> str:
    return answer.refusal.words if answer.refusal else ""


def _words(call: Call) -> int:
    return sum(len(message.content.split()) for message in call.first.messages)
