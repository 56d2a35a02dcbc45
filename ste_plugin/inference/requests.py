"""Every request of the method: what generators and judges are asked, and under which keys.

Generation makes its requests here, and so does `ste forget`, which looks for what was asked before:
two builders of one request would sooner or later give it two keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from zlib import crc32

from msgspec.structs import replace

from ste_plugin.config import JudgingConfig, PairsConfig
from ste_plugin.engines.base import ChatRequest, Completion, Message, Sampling
from ste_plugin.judging import JudgeFormat
from ste_plugin.records import Instruction, ResponsePair, Verdict
from ste_plugin.text.sanitize import sanitize_for_model

Prompt = tuple[Message, ...]

_LABELLING = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=2048)


def user(text: str) -> Prompt:
    """Return a conversation of one user turn."""
    return (Message("user", text),)


def ask(instruction: Instruction, last: str | None = None) -> Prompt:
    """Return the turns that ask for an answer, as they were said.

    `last` stands in place of what the user says last: strategies ask for something else there.
    """
    if last is None:
        last = instruction.last_turn
    before = instruction.turns[:-1] if instruction.turns else ()
    return (*(Message(turn.role, turn.content) for turn in before), Message("user", last))


class GeneratorRequests:
    """What one generator is asked for: labels of instructions, good answers, and worse ones."""

    def __init__(self, model: str, config: PairsConfig) -> None:
        """`model` is the identity of the generator's weights, as in keys."""
        self._model = model
        self._systems = (config.system,) if isinstance(config.system, str) else config.system
        self._sampling = Sampling(config.temperature, config.top_p, config.max_new_tokens)

    def label(self, prompt: Prompt, version: str) -> ChatRequest:
        """Return the request for an instruction's labels, drawn greedily."""
        return ChatRequest(self._model, prompt, _LABELLING, format_version=version)

    def answer(self, instruction: Instruction) -> ChatRequest:
        """Return the request for a good answer."""
        return self._generation(ask(instruction), "answer")

    def worse_answer(self, prompt: Prompt, strategy: str, version: str) -> ChatRequest:
        """Return the request for one call of a pair strategy, of its name and version."""
        return self._generation(prompt, f"{strategy}-{version}")

    def _generation(self, prompt: Prompt, version: str) -> ChatRequest:
        """Return a request for a prompt, under the run's system turn unless it has its own.

        Control tokens of chat templates are made harmless: a server would read them as such.
        """
        sanitized = tuple(Message(m.role, sanitize_for_model(m.content)) for m in prompt)
        turns = sanitized if sanitized[0].role == "system" else self._system(sanitized) + sanitized
        return ChatRequest(self._model, turns, self._sampling, format_version=version)

    def _system(self, prompt: Prompt) -> Prompt:
        """Return the system turn of a prompt: of several, one that its text draws."""
        drawn = crc32(prompt[-1].content.encode("utf-8", "surrogatepass"))
        system = self._systems[drawn % len(self._systems)]
        return (Message("system", system),) if system else ()


@dataclass(frozen=True)
class JudgeRequests:
    """What one judge is asked for: judgments, and verdicts forced after what it wrote."""

    model: str
    """The identity of its weights, as in keys."""
    judge_format: JudgeFormat
    sampling: Sampling
    force_verdict: bool = False
    """Whether a letter is sampled where the judge states none."""
    draw: int = 0
    """How often the same was asked before: further draws have samples of their own."""

    @classmethod
    def of_config(
        cls, model: str, judge_format: JudgeFormat, config: JudgingConfig, draw: int = 0
    ) -> Self:
        """Return what makes the requests of a run's `judging` settings."""
        max_new_tokens = config.max_new_tokens or judge_format.max_new_tokens
        sampling = Sampling(config.temperature, config.top_p, max_new_tokens)
        return cls(model, judge_format, sampling, _is_forced(judge_format, config), draw)

    @classmethod
    def greedy(cls, model: str, judge_format: JudgeFormat, config: JudgingConfig) -> Self:
        """Return what asks as a run's `judging` settings say, for the likeliest reply alone."""
        sampled = cls.of_config(model, judge_format, config)
        sampling = Sampling(0.0, 1.0, sampled.sampling.max_new_tokens)
        return cls(model, judge_format, sampling, _is_forced(judge_format, config))

    @cached_property
    def _version(self) -> str:
        version = self.judge_format.version
        return f"{version}#{self.draw}" if self.draw else version

    @property
    def has_judgments(self) -> bool:
        """Whether the judge writes judgments at all, not only a forced letter."""
        return self.judge_format.reasons or not self.force_verdict

    def judgment(self, pair: ResponsePair, gold: Verdict) -> ChatRequest:
        """Return the request for a pair's first sample; `gold` is the letter of the better one."""
        judge_format = self.judge_format.for_row(pair.columns)
        prompt = judge_format.render_pair(pair.instruction, pair.better, pair.worse, gold)
        return self._judgment(prompt, pair.instruction_key)

    def judgment_of_answers(
        self,
        instruction: str,
        answer_a: str,
        answer_b: str,
        columns: Mapping[str, Any] | None = None,
    ) -> ChatRequest:
        """Return the request for a judgment of two answers without a known better one.

        Raises: ConfigError where `columns` lack one that the format shows.
        """
        judge_format = self.judge_format
        if columns is not None:
            judge_format = judge_format.for_row(columns)
        return self._judgment(judge_format.render(instruction, answer_a, answer_b))

    def _judgment(self, prompt: Prompt, affinity: str = "") -> ChatRequest:
        version = self._version
        return ChatRequest(
            self.model, prompt, self.sampling, format_version=version, affinity=affinity
        )

    def forced(self, judgment: ChatRequest, prefix: str) -> ChatRequest:
        """Return the request for the choice that ends a judgment which begins with `prefix`."""
        return replace(judgment, prefix=prefix, choices=tuple(self.judge_format.choices))

    def answer_back(self, judgment: ChatRequest, reply: str, words: str) -> ChatRequest:
        """Return the request for a second judgment: `words` are what a person says to the first.

        What the judge said is shown to it with control tokens of chat templates made harmless.
        """
        said = Message("assistant", sanitize_for_model(reply.strip()) or "…")
        return replace(judgment, messages=(*judgment.messages, said, Message("user", words)))

    def forced_prefix(self, reply: Completion | None) -> str:
        """Return the words before a forced letter: what the judge wrote, then the closing."""
        if reply is None:
            return self.judge_format.forced_prefix("")
        return self.judge_format.forced_prefix(reply.text, cut_off=reply.finish_reason == "length")


def _is_forced(judge_format: JudgeFormat, config: JudgingConfig) -> bool:
    return config.force_verdict or judge_format.only_choices
