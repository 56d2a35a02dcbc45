"""Every request of the method: what a generator and a judge are asked, and so under which keys.

Whoever generates makes requests here, and so does whoever looks for what was asked before (`ste forget`):
two builders of one request would sooner or later give it two keys.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from msgspec.structs import replace

from ste_plugin.config import JudgingConfig, PairsConfig
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import ORDERS, ResponsePair, Verdict
from ste_plugin.text.sanitize import sanitize_for_model

Prompt = tuple[Message, ...]

_LABELLING = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=2048)


def user(text: str) -> Prompt:
    """Return a conversation of one user turn."""
    return (Message("user", text),)


class GeneratorRequests:
    """What one generator is asked for: labels of instructions, good answers, and worse ones."""

    def __init__(self, model: str, config: PairsConfig) -> None:
        """`model` is the identity of its weights, as in keys."""
        self._model = model
        self._system = (Message("system", config.system),) if config.system else ()
        self._sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)

    def label(self, prompt: Prompt, version: str) -> ChatRequest:
        """Return the request for an instruction's labels, drawn greedily."""
        return ChatRequest(self._model, prompt, _LABELLING, format_version=version)

    def answer(self, instruction: str) -> ChatRequest:
        """Return the request for a good answer."""
        return self._written(user(instruction), "answer")

    def worse_answer(self, prompt: Prompt, strategy: str, version: str) -> ChatRequest:
        """Return the request for one call of a pair strategy, of its name and version."""
        return self._written(prompt, f"{strategy}-{version}")

    def _written(self, prompt: Prompt, version: str) -> ChatRequest:
        """Return a request without control tokens of chat templates: a server would read them as such.

        The run's system turn goes before prompts without their own.
        """
        safe = tuple(Message(m.role, sanitize_for_model(m.content)) for m in prompt)
        turns = safe if safe[0].role == "system" else self._system + safe
        return ChatRequest(self._model, turns, self._sampling, format_version=version)


@dataclass(frozen=True)
class JudgeRequests:
    """What one judge is asked for: judgments, and verdicts that are forced behind what it wrote."""

    model: str
    """The identity of its weights, as in keys."""
    judge_format: JudgeFormat
    sampling: Sampling
    force_verdict: bool = False
    """Whether a letter is drawn where the judge states none."""

    @classmethod
    def of_config(cls, model: str, judge_format: JudgeFormat, config: JudgingConfig) -> Self:
        """Return what makes the requests of a run's `judging` settings."""
        longest = config.max_new_tokens or judge_format.max_new_tokens
        sampling = Sampling(config.temperature, config.top_p, longest)
        return cls(model, judge_format, sampling, config.force_verdict)

    @cached_property
    def _version(self) -> str:
        return self.judge_format.version

    @property
    def asks(self) -> bool:
        """Whether the judge writes by itself: not where nothing but a forced letter is wanted of it."""
        return self.judge_format.reasons or not self.force_verdict

    def judgment(self, pair: ResponsePair, gold: Verdict) -> ChatRequest:
        """Return the request for the first sample on a pair, the better response under the letter `gold`."""
        return self._shown(
            self.judge_format.render_pair(pair.instruction, pair.better, pair.worse, gold)
        )

    def judgment_of(self, instruction: str, answer_a: str, answer_b: str) -> ChatRequest:
        """Return the request for a judgment of two answers of which nobody knows the better one."""
        return self._shown(self.judge_format.render(instruction, answer_a, answer_b))

    def _shown(self, prompt: Prompt) -> ChatRequest:
        return ChatRequest(self.model, prompt, self.sampling, format_version=self._version)

    def forced(self, judgment: ChatRequest, prefix: str) -> ChatRequest:
        """Return the request for the letter that ends a judgment which begins with `prefix`."""
        return replace(judgment, prefix=prefix, choices=ORDERS)

    def forced_prefix(self, reply: Completion | None) -> str:
        """Return the words before a forced letter: what the judge wrote, if anything, then the closing."""
        if reply is None:
            return self.judge_format.forced_prefix("")
        return self.judge_format.forced_prefix(reply.text, cut_off=reply.finish_reason == "length")
