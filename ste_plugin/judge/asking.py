"""Asking a judge about pairs in both orders: stated verdicts, forced ones, and likelihoods."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ste_plugin.engines.base import UNUSABLE, ChatRequest, Completion, Engine
from ste_plugin.engines.choice_likelihoods import choice_log_likelihoods, count_tokens
from ste_plugin.errors import EngineError
from ste_plugin.inference.dispatch import take_apart
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judge.comparison import Reply, Tokens
from ste_plugin.judge.texts import Texts
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.verdict import without_verdicts
from ste_plugin.lm_eval_tasks.votes import next_wave
from ste_plugin.text.sanitize import has_control_tokens
from ste_plugin.text.thinking import without_marks

logger = logging.getLogger(__name__)

_ENDED = {
    "length": "cut off by the token limit, so that its verdict does not count",
    **{reason: f"{why}, so that there is no verdict" for reason, why in UNUSABLE.items()},
}
_PARSER = "or a server's reasoning parser that takes the answer for one"
_NO_END = f"a thought that never ends, {_PARSER}"
_NO_ANSWER = f"a thought with nothing behind it, {_PARSER}, so that there is no verdict"


@dataclass(slots=True)
class Sample:
    """One sample of one prompt, as far as it has come."""

    request: ChatRequest
    stated: Completion | None = None
    forced: Completion | None = None
    letter: ChatRequest | None = None
    """The request for a letter behind what it wrote, where one is asked for."""
    log_likelihoods: tuple[float, ...] | None = None
    """Of the format's choices there."""
    measured: int = 0
    """Tokens of the prompt behind which they were measured, where the engine counts them."""

    @property
    def tokens(self) -> Tokens:
        """What was read and written for it."""
        replies = [reply for reply in (self.stated, self.forced) if reply is not None]
        return Tokens(
            self.measured + sum(reply.prompt_tokens for reply in replies),
            sum(reply.completion_tokens for reply in replies),
        )

    @property
    def is_unusable(self) -> bool:
        """Whether nothing more can be asked about its prompt."""
        return self.stated is not None and self.stated.finish_reason in UNUSABLE

    @property
    def is_too_long(self) -> bool:
        """Whether its prompt does not fit the model's context."""
        replies = (self.stated, self.forced)
        return any(reply is not None and reply.finish_reason == "too_long" for reply in replies)


class Asker:
    """Asks one judge, as a run's settings say."""

    def __init__(
        self,
        requests: JudgeRequests,
        samples: int,
        likelihoods: bool = True,
        *,
        early_stop: bool = False,
    ) -> None:
        """`likelihoods`: whether to look at those of the letters, where the engine can tell.

        `early_stop`: draw no sample that could not change the verdict of most.
        """
        self._requests, self._samples = requests, samples
        # a mean of ratings is never settled before its last one
        self._in_waves = early_stop and not requests.judge_format.pointwise
        self._likelihoods = likelihoods and bool(requests.judge_format.choices)
        self._told_of_shares = self._told_of_samples = False

    def ask(self, engine: Engine, prompts: Sequence[Texts]) -> list[list[Sample]]:
        """Return the samples of each prompt, whose answers are in the order of being shown.

        A prompt that occurs twice is asked about once.
        Raises: EngineError where the model or server cannot answer.
        """
        planned = [self._planned(texts) for texts in prompts]
        drawn: list[list[Sample]] = [[] for _ in planned]
        while wave := self._add_wave(planned, drawn):
            if self._requests.has_judgments:
                self._state(engine, wave)
            if self._requests.force_verdict:
                self._force(engine, [s for s in wave if self._is_silent(s)])
        samples = [sample for each in drawn for sample in each]
        if self._likelihoods:
            self._measure(engine, [s for s in samples if self._has_letter(s)])
        return drawn

    def reply(self, sample: Sample) -> Reply:
        """Return what a sample says."""
        judge_format, stated, forced = self._requests.judge_format, sample.stated, sample.forced
        thinking = stated.thinking.strip() if stated else ""
        if forced is not None and sample.letter is not None and forced.finish_reason == "stop":
            text = judge_format.forced_text(sample.letter.prefix, forced.text)
            return Reply(text.strip(), judge_format.parse(text), thinking)
        reply = stated or forced
        if reply is None:
            return Reply("", None)
        text, problem = reply.text.strip(), _ENDED.get(reply.finish_reason, "")
        if not problem and thinking and not text:
            problem = _NO_ANSWER if re.search(r"</\w+>$", thinking) else _NO_END
        said = None if problem else judge_format.parse(reply.text)
        return Reply(text, said, thinking, problem)

    def too_long(self, engine: Engine, sample: Sample) -> str:
        """Return by how much a prompt is too long for the model, as far as its engine can tell."""
        unfit = sample.letter if sample.forced is not None else None
        known = count_tokens(engine, unfit or sample.request)
        if known is None:
            return "the prompt is too long for the model's context. Shorten the answers."
        prompt, answer, context = known
        return (
            f"too long for the model's context by {prompt + answer - context} tokens: the prompt "
            f"has {prompt}, the judgment may have {answer}, and {context} fit. Shorten the texts, "
            "lower max_new_tokens, or use a judge with a longer context."
        )

    def _add_wave(
        self, planned: Sequence[Sequence[Sample]], drawn: Sequence[list[Sample]]
    ) -> list[Sample]:
        """Add to what is drawn of each prompt what is to be drawn next, and return all of that."""
        wave: list[Sample] = []
        for samples, so_far in zip(planned, drawn, strict=True):
            due = len(samples) - len(so_far)
            if self._in_waves:
                due = next_wave([self.reply(s).said for s in so_far], len(samples))
            following = samples[len(so_far) :][:due]
            so_far += following
            wave += following
        return wave

    def _planned(self, texts: Texts) -> list[Sample]:
        request = self._requests.judgment_of_answers(*texts)
        return [Sample(request.with_sample_index(i)) for i in range(self._samples)]

    def _state(self, engine: Engine, samples: Sequence[Sample]) -> None:
        answered = self._complete(engine, samples, lambda sample: sample.request)
        for sample in samples:
            sample.stated = answered[sample.request.key]

    def _force(self, engine: Engine, samples: Sequence[Sample]) -> None:
        letters = {id(sample): self._add_letter(sample) for sample in samples}
        answered = self._complete(engine, samples, lambda sample: letters[id(sample)])
        for sample in samples:
            sample.forced = answered[letters[id(sample)].key]

    def _is_silent(self, sample: Sample) -> bool:
        """Return whether a verdict is to be forced."""
        if sample.stated is None:
            return True
        return not sample.is_unusable and self.reply(sample).said is None

    def _has_letter(self, sample: Sample) -> bool:
        """Return whether a letter's likelihood is what the judge thinks: behind a verdict, stated
        or forced, an even one too.

        Not behind a thought with control tokens, which would end it and put others' words there.
        """
        if sample.forced is not None:
            return sample.forced.finish_reason == "stop"
        if sample.stated is None or self.reply(sample).said is None:
            return False
        return not has_control_tokens(without_marks(sample.stated.thinking))

    def _measure(self, engine: Engine, samples: Sequence[Sample]) -> None:
        letters = [sample.letter or self._add_letter(sample) for sample in samples]
        told = self._likelihoods_of(engine, _once(letters))
        if told is None:
            self._likelihoods = False
            return
        self._tell_of_samples()
        for sample, letter in zip(samples, letters, strict=True):
            sample.log_likelihoods = told.get(letter.key)
            known = count_tokens(engine, letter)
            sample.measured = known[0] if known else 0

    def _likelihoods_of(
        self, engine: Engine, letters: Sequence[ChatRequest]
    ) -> Mapping[str, tuple[float, ...]] | None:
        """Return key → log-likelihoods; None where the engine sees none.

        A letter may have no token of its own behind some words. The others are told all the same,
        so that what is said of a pair does not depend on those that it is asked with.
        """
        try:
            return choice_log_likelihoods(engine, letters)
        except EngineError as error:
            if len(letters) == 1:
                self._tell_of_shares(error)
                return {}
            half = len(letters) // 2
            parts = [self._likelihoods_of(engine, p) for p in (letters[:half], letters[half:])]
            return {key: each for part in parts if part for key, each in part.items()}

    def _tell_of_shares(self, error: EngineError) -> None:
        """Say once that some probabilities are shares of replies."""
        if not self._told_of_shares:
            logger.warning("A probability is a share of replies: %s", error)
        self._told_of_shares = True

    def _tell_of_samples(self) -> None:
        """Say once that several samples add nothing to what likelihoods tell."""
        if self._samples > 1 and not self._requests.has_judgments and not self._told_of_samples:
            logger.warning(
                "samples: found %d, of a judge that writes a letter alone (format %s), whose "
                "likelihoods are told. Samples draw letters by these: they change no probability, "
                "and leave the verdict to chance. Leave samples out.",
                self._samples,
                self._requests.judge_format.name,
            )
            self._told_of_samples = True

    def _add_letter(self, sample: Sample) -> ChatRequest:
        stated, thought = sample.stated, ""
        if stated is not None and self.reply(sample).said is not None:
            own = before_verdict(self._requests.judge_format, stated.text)
            thought = stated.thinking
            stated = replace(stated, text=own)  # the closing words are put behind it again
        prefix = self._requests.forced_prefix(stated)
        sample.letter = replace(self._requests.forced(sample.request, prefix), thought=thought)
        return sample.letter

    def _complete(
        self,
        engine: Engine,
        samples: Sequence[Sample],
        request_of: Callable[[Sample], ChatRequest],
    ) -> Mapping[str, Completion]:
        """Return key → completion. Raises: EngineError where one is missing."""
        requests = _once(map(request_of, samples))
        answered = {c.key: c for c in map(take_apart, engine.complete(requests))}
        if missing := [r for r in requests if r.key not in answered]:
            raise EngineError(
                f"The engine left {len(missing)} of {len(requests)} requests unanswered. Ask again."
            )
        return answered


def before_verdict(judge_format: JudgeFormat, text: str) -> str:
    """Return what a reply says before its verdict and the words that lead up to it."""
    said = without_verdicts(text, judge_format.mark)
    return said.removesuffix(judge_format.closing.rstrip("[ ")).rstrip()


def _once(requests: Iterable[ChatRequest]) -> list[ChatRequest]:
    """Return the requests in their order, each key once."""
    return list({request.key: request for request in requests}.values())
