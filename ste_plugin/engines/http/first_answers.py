"""Prompts that a server refuses before it has answered any: is it the prompts, or what is asked?"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from ste_plugin.engines.base import Completion
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import EngineError

logger = logging.getLogger(__name__)

_ENOUGH = 8
"""Prompts refused one after another that are no chance; as many calls begin at once."""
_SHORT = 0.5
"""Share of the new tokens up to which a prompt is short: a context for two such is no luxury."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave."""

    call: Call
    completions: list[Completion]
    owed: list[Call] = field(default_factory=list)
    """Calls that are still to be made for what it did not give."""
    refusal: Reply | None = None
    """Where the server refused the prompt."""
    server: str = ""
    """The URL that gave it."""

    @property
    def new_tokens(self) -> int:
        """The most tokens that the call lets each sample have."""
        return self.call.first.sampling.max_new_tokens

    @property
    def is_unclear(self) -> bool:
        """Whether the server refused the prompt for a reason that is not known."""
        return self.refusal is not None and self.refusal.refused == "unclear"

    @property
    def prompt_tokens(self) -> int:
        """About how long the prompt is."""
        return sum(estimate_tokens(message.content) for message in self.call.first.messages)


class FirstAnswers:
    """Holds refused prompts back until one that asks for as many new tokens is answered.

    Those whose refusal is unclear wait for the next answer of their server: where it gives none,
    something else is wrong than a prompt.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._answered_up_to = 0
        """The most new tokens that the server has let a prompt have, as far as is known."""
        self.begin_stage()

    def begin_stage(self) -> None:
        """Forget what is held."""
        self._held: list[Answer] = []
        self._answering: set[str] = set()
        """The servers that have answered in this stage."""
        self._told_of_unclear = False

    @property
    def undecided(self) -> bool:
        """Whether so many prompts are refused, and none answered, that the cause comes first."""
        return len({answer.call.first.prompt_key for answer in self._held}) >= _ENOUGH

    def release(self, answers: list[Answer]) -> list[Completion]:
        """Return the completions that may be stored now."""
        given = [a for a in answers if a.completions and a.refusal is None]
        self._answered_up_to = max(self._answered_up_to, *(a.new_tokens for a in given), 0)
        answering = {a.server for a in given}
        self._answering |= answering
        held: list[Answer] = []
        free: list[Answer] = []
        for answer in (*self._held, *answers):
            is_early = answer.refusal and answer.new_tokens > self._answered_up_to
            waits = is_early or (answer.is_unclear and answer.server not in answering)
            (held if waits else free).append(answer)
        self._held = held
        return self._completions(free)

    def settle(self, fits: Callable[[Call], bool]) -> list[Completion]:
        """Return the completions that are held, once nothing is in flight; there may be none.

        `fits`: whether the server takes a prompt where a single token is to be written.
        Raises: EngineError where it takes short prompts, but no answers as long as they may be; and
        where it refuses all, for a reason that is not known.
        """
        too_long = [a for a in self._held if a.refusal and a.refusal.refused == "too_long"]
        shortest = min(too_long, key=lambda a: a.prompt_tokens, default=None)
        is_short = shortest and shortest.prompt_tokens <= _SHORT * shortest.new_tokens
        if shortest and is_short and fits(shortest.call):
            raise EngineError(self._no_room(shortest))
        for answer in self._held:
            if answer.is_unclear and (self.undecided or answer.server not in self._answering):
                raise EngineError(_words(answer))
        if self.undecided:
            self._warn(self._held[-1])
        free, self._held = self._held, []
        self._answered_up_to = max(self._answered_up_to, *(a.new_tokens for a in free), 0)
        return self._completions(free)

    def _completions(self, free: list[Answer]) -> list[Completion]:
        """Return what is held no longer, having told once of a refusal that is unclear."""
        unclear = next((answer for answer in free if answer.is_unclear), None)
        if unclear and not self._told_of_unclear:
            self._told_of_unclear = True
            message = "A prompt is refused, and dropped and counted, while others are answered: %s"
            logger.warning(message, _words(unclear).partition("\n")[0])
        return [completion for answer in free for completion in answer.completions]

    def _no_room(self, answer: Answer) -> str:
        return (
            f"model {self._model!r}: a prompt and {answer.new_tokens} new tokens are more than the "
            f"server's context; the prompt alone, of about {answer.prompt_tokens} tokens, fits. "
            f"It says: {_words(answer)}\nLower judging.max_new_tokens or pairs.max_new_tokens "
            f"(found: {answer.new_tokens}), or raise the server's context (vLLM: --max-model-len; "
            "SGLang: --context-length; llama.cpp: --ctx-size; Ollama: OLLAMA_CONTEXT_LENGTH)."
        )

    def _warn(self, answer: Answer) -> None:
        """Tell a person of a run of refused prompts: each is dropped and counted."""
        blocked = answer.refusal and answer.refusal.refused == "blocked"
        why = "blocks" if blocked else "finds too long for its context"
        message = "The server of %s %s all of the first %d prompts, and answered none. It says: %s"
        logger.warning(message, self._model, why, len(self._held), _words(answer))


def _words(answer: Answer) -> str:
    return answer.refusal.words if answer.refusal else ""
