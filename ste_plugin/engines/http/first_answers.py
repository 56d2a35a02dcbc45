"""First prompts that get no answer, or none that was asked for: is it they, or the set-up?"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ste_plugin.engines.base import Completion
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import EngineError

logger = logging.getLogger(__name__)

_ENOUGH = 8
"""Prompts in vain one after another that are no chance; as many calls begin at once."""
_SHORT = 0.5
"""Share of the new tokens up to which a prompt is short: a context for two such is no luxury."""
_DROPPED = "A prompt is refused, and dropped and counted, while others are answered: %s"
_NO_VERDICT = "A reply names none of the choices, which is no verdict: %s"


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
    no_choice: str = ""
    """Where it names none of the choices that were asked for: the error of that."""

    @property
    def names_choice(self) -> bool:
        """Whether it gives one of the choices that were asked for."""
        return bool(self.call.first.choices) and any(c.text for c in self.completions)

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


@dataclass(slots=True)
class KnownAnswers:
    """What an engine's servers have answered so far; its stages share it, in threads of their own.

    Where two write at once the later answers tell it again.
    """

    new_tokens: int = 0
    """The most new tokens that they have let a prompt have."""
    name_choices: bool = False
    """Whether they have named one of the choices that they were asked for."""

    def update(self, answers: list[Answer]) -> None:
        """Add what answers tell."""
        self.new_tokens = max(self.new_tokens, *(a.new_tokens for a in answers), 0)
        self.name_choices |= any(a.names_choice for a in answers)


class FirstAnswers:
    """Holds a stage's refused prompts back until one that asks for as many new tokens is answered.

    Those whose refusal is unclear wait for the next answer of their server: where it gives none,
    something else is wrong than a prompt. So do replies without any of the choices that were asked
    for, until the engine has been given one.
    """

    def __init__(self, model: str, known: KnownAnswers) -> None:
        self._model, self._known = model, known
        self._held: list[Answer] = []
        self._answering: set[str] = set()
        """The servers that have answered in this stage."""
        self._told: set[str] = set()

    @property
    def undecided(self) -> bool:
        """Whether so many prompts are held back that the cause comes first."""
        return _are_no_chance(self._held)

    def release(self, answers: list[Answer]) -> list[Completion]:
        """Return the completions that may be stored now."""
        given = [a for a in answers if a.completions and a.refusal is None]
        self._known.update(given)
        answering = {a.server for a in given}
        self._answering |= answering
        held: list[Answer] = []
        free: list[Answer] = []
        for answer in (*self._held, *answers):
            (held if self._waits(answer, answering) else free).append(answer)
        self._held = held
        return self._completions(free)

    def _waits(self, answer: Answer, answering: Collection[str]) -> bool:
        """Return whether nothing tells yet what an answer is due to; `answering`: servers."""
        if answer.no_choice:
            return not self._known.name_choices
        if answer.is_unclear and answer.server not in answering:
            return True
        return answer.refusal is not None and answer.new_tokens > self._known.new_tokens

    def settle(self, fits: Callable[[Call], bool]) -> list[Completion]:
        """Return the completions that are held, once nothing is in flight; there may be none.

        `fits`: whether the server takes a prompt where a single token is to be written.
        Raises: EngineError where it takes short prompts, but no answers as long as they may be;
        where it refuses all, for a reason that is not known; and where none of the first replies
        names a choice.
        """
        too_long = [a for a in self._held if a.refusal and a.refusal.refused == "too_long"]
        shortest = min(too_long, key=lambda a: a.prompt_tokens, default=None)
        is_short = shortest and shortest.prompt_tokens <= _SHORT * shortest.new_tokens
        if shortest and is_short and fits(shortest.call):
            raise EngineError(self._no_room(shortest))
        for answer in self._held:
            if answer.is_unclear and (self.undecided or answer.server not in self._answering):
                raise EngineError(_words(answer))
        if _are_no_chance(without := [a for a in self._held if a.no_choice]):
            problem, _, cure = without[-1].no_choice.partition("\n")
            raise EngineError(f"{problem} So it was with all of the first {_ENOUGH}.\n{cure}")
        if _are_no_chance(refused := [a for a in self._held if a.refusal]):
            self._warn(refused)
        free, self._held = self._held, []
        self._known.update(free)
        return self._completions(free)

    def _completions(self, free: list[Answer]) -> list[Completion]:
        """Return what is held no longer, having told once of what gives no reply or verdict."""
        for answer in free:
            if answer.is_unclear:
                self._tell_once(_DROPPED, _words(answer).partition("\n")[0])
            if answer.no_choice:
                self._tell_once(_NO_VERDICT, answer.no_choice.replace("\n", " "))
        return [completion for answer in free for completion in answer.completions]

    def _tell_once(self, message: str, words: str) -> None:
        if message not in self._told:
            self._told.add(message)
            logger.warning(message, words)

    def _no_room(self, answer: Answer) -> str:
        return (
            f"model {self._model!r}: a prompt and {answer.new_tokens} new tokens are more than the "
            f"server's context; the prompt alone, of about {answer.prompt_tokens} tokens, fits. "
            f"It says: {_words(answer)}\nLower judging.max_new_tokens or pairs.max_new_tokens "
            f"(found: {answer.new_tokens}), or raise the server's context (vLLM: --max-model-len; "
            "SGLang: --context-length; llama.cpp: --ctx-size; Ollama: OLLAMA_CONTEXT_LENGTH)."
        )

    def _warn(self, refused: list[Answer]) -> None:
        """Tell a person of a run of refused prompts: each is dropped and counted."""
        answer = refused[-1]
        blocked = answer.refusal and answer.refusal.refused == "blocked"
        why = "blocks" if blocked else "finds too long for its context"
        message = "The server of %s %s all of the first %d prompts, and answered none. It says: %s"
        logger.warning(message, self._model, why, len(refused), _words(answer))


def _words(answer: Answer) -> str:
    return answer.refusal.words if answer.refusal else ""


def _are_no_chance(answers: list[Answer]) -> bool:
    return len({answer.call.first.prompt_key for answer in answers}) >= _ENOUGH
