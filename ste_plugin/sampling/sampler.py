"""Sampling judgments: every pair in both presentation orders, in waves, until each is settled."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from ste_plugin.context import Iteration
from ste_plugin.engines.base import ChatRequest, Completion, Sampling
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import fill
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.example import Example
from ste_plugin.records import ORDERS, Drop, Judgment, ResponsePair
from ste_plugin.sampling.judge_task import CORRECT, NEITHER, WRONG, JudgeTask
from ste_plugin.sampling.stopping_rules import Rule

DropReason = Callable[[Judgment, ResponsePair], str | None]
Due = Callable[[JudgeTask], Sequence[int]]
"""A question → the numbers of its samples to ask for."""
Prefix = Callable[[JudgeTask, int], str]
"""A question and the number of a sample → words to put in the judge's mouth."""


class JudgmentSampler:
    """Asks one judge for judgments and reads them back, completion by completion."""

    def __init__(self, iteration: Iteration, file: CompletionStore, reason: DropReason) -> None:
        """`reason` tells why a judgment must not be trained on, or None: such a one settles nothing."""
        context, config = iteration.context, iteration.context.config.judging
        self._session, self._judge = context, iteration.judge
        self._file, self._reason = file, reason
        self._judge_format: JudgeFormat = context.judge_format
        self._version = self._judge_format.version
        self._model = model_identity(iteration.judge, context.base)
        self._sampling = Sampling(
            config.temperature,
            config.top_p,
            config.max_new_tokens or self._judge_format.max_new_tokens,
        )
        self._forces = config.force_verdict
        self._asks = self._judge_format.reasons or not config.force_verdict

    def sample(self, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int) -> None:
        """Draw samples of every question until the rule, or the budget, says that it is enough."""
        wave = tasks
        while wave := [q for q in wave if q.want(rule(q.counts(), max_samples))]:
            self.draw(wave)
            if self.stopped:
                return

    def draw(self, wave: Sequence[JudgeTask]) -> None:
        """Draw the samples that these questions want."""
        if self._asks:
            self._fill("judging", wave, lambda q: q.unread, lambda *_: "")
        if self._forces:
            self._fill("forcing verdicts", wave, self._owed, self._prefix)
        for task in wave:  # what was on file before, or answers a question with the same words
            for sample in task.unread:
                if found := self._read(task, sample):
                    self._settle(task, sample, found, task.pair)

    def judgments(self, task: JudgeTask) -> list[Judgment | Drop]:
        """Return what came of a question's samples, in their order; cut-off replies are a Drop."""
        samples = range(len(task.outcomes))
        return [found for i in samples if (found := self._read(task, i)) is not None]

    def unfit(self, judgment: Judgment, pair: ResponsePair) -> str | None:
        """Return why a judgment must not be trained on, or None."""
        return "no verdict" if judgment.verdict is None else self._reason(judgment, pair)

    def example(self, task: JudgeTask, read: Mapping[int, Judgment]) -> Example:
        """Return a question with a correct sample as training takes it; `read`: its judgments by number.

        Of several correct (or wrong) samples it is the one with the lowest number.
        """
        correct, wrong = task.first(CORRECT), task.first(WRONG)
        if correct is None:
            raise ValueError(f"{task.key}: no correct sample")
        other = None if wrong is None else read[wrong]
        return Example(task.pair, task.gold, self._judge_format, read[correct], other)

    def example_reply(self, tasks: Sequence[JudgeTask]) -> str:
        """Return the end of one reply, to show what the judge says."""
        for task in tasks:
            for i in range(len(task.outcomes)):
                if reply := self._said(task, i):
                    return reply.text.strip()[-160:]
        return ""

    @property
    def stopped(self) -> bool:
        """Return whether the budget left samples out."""
        return self._session.budget.stopped

    def _fill(self, title: str, wave: Sequence[JudgeTask], due: Due, prefix: Prefix) -> None:
        """Ask for those samples that the file lacks; prompts are rendered as the engine takes them."""
        context, asked = self._session, dict[str, _Asked]()

        def wanted() -> Iterator[ChatRequest]:
            for task in wave:
                if samples := due(task):
                    for one in self._requests(task, samples, prefix):
                        key = one.request.key
                        # two strategies may make the very same pair: it is asked about once
                        if key in asked or self._file.holds(one.prompt, one.request.sample_index):
                            bar.step()
                        else:
                            asked[key] = one
                            yield one.request

        def took(reply: Completion) -> None:
            if one := asked.pop(reply.key, None):
                self._take(one, reply)

        total = sum(len(task.unread) for task in wave)
        with context.progress.bar(title, total) as bar:
            engine = context.models.use(self._judge)
            fill(engine, wanted(), self._file, bar, context.budget, title, took)

    def _requests(
        self, task: JudgeTask, samples: Sequence[int], prefix: Prefix
    ) -> Iterator["_Asked"]:
        pair, request, prompt = task.pair, None, 0
        for sample in samples:
            words = prefix(task, sample)
            if request is None or request.prefix != words:
                request = self._request(task, pair, words)
                prompt = int(request.prompt_key, 16)
            yield _Asked(task, pair, prompt, request.with_sample_index(sample))

    def _take(self, asked: "_Asked", reply: Completion) -> None:
        """Settle a sample as soon as it is answered; one whose verdict is to be forced waits for that."""
        task, request = asked.task, asked.request
        if request.prefix or not self._to_force(reply):
            judgment = self._judgment(task, request.sample_index, reply, request.prefix)
            self._settle(task, request.sample_index, judgment, asked.pair)

    def _request(self, task: JudgeTask, pair: ResponsePair, prefix: str) -> ChatRequest:
        """Return the request for a judgment or, after a prefix, for the letter that ends it."""
        turns = self._judge_format.render_pair(pair.instruction, pair.better, pair.worse, task.gold)
        request = ChatRequest(
            self._model, turns, self._sampling, 0, prefix, ORDERS if prefix else (), self._version
        )
        if prefix and self._asks:  # a prefix of the sample's own
            return request
        if task.prompt_key:
            return request.with_prompt_key(f"{task.prompt_key:016x}")
        task.prompt_key = int(request.prompt_key, 16)
        return request

    def _prompt_key(self, task: JudgeTask, prefix: str = "") -> int:
        """Return the number that a prompt's key is."""
        if task.prompt_key and not (prefix and self._asks):
            return task.prompt_key
        return int(self._request(task, task.pair, prefix).prompt_key, 16)

    def _said(self, task: JudgeTask, sample: int) -> Completion | None:
        """Return what the judge said by itself, if it was asked."""
        return self._file.read(self._prompt_key(task), sample) if self._asks else None

    def _prefix(self, task: JudgeTask, sample: int) -> str:
        """Return the words to put in the judge's mouth: its own, then the closing ones."""
        reply = self._said(task, sample)
        said, cut = (reply.text, reply.finish_reason == "length") if reply else ("", False)
        return self._judge_format.forced_prefix(said, cut_off=cut)

    def _owed(self, task: JudgeTask) -> list[int]:
        """Return the samples whose verdict is to be forced: not those that were never answered."""
        if not self._asks:
            return list(task.unread)
        said = ((i, self._said(task, i)) for i in task.unread)
        return [i for i, reply in said if reply and self._to_force(reply)]

    def _to_force(self, reply: Completion) -> bool:
        return self._forces and self._judge_format.parse(reply.text) is None

    def _read(self, task: JudgeTask, sample: int) -> Judgment | Drop | None:
        """Return the judgment of a sample: its own words, or the forced ones where these are there."""
        reply, prefix = self._said(task, sample), ""
        if self._forces and (reply is None or self._to_force(reply)):
            prefix = self._prefix(task, sample)
            reply = self._file.read(self._prompt_key(task, prefix), sample)
        return None if reply is None else self._judgment(task, sample, reply, prefix)

    def _judgment(
        self, task: JudgeTask, sample: int, reply: Completion, prefix: str
    ) -> Judgment | Drop:
        if reply.finish_reason == "length":
            return Drop("judging", reply.key, "judgment cut off by the token limit")
        text = (
            self._judge_format.forced_text(prefix, reply.text) if prefix else reply.text
        ).strip()
        pair, verdict = task.pair_key, task.verdict(sample) or self._judge_format.parse(text)
        return Judgment(reply.key, pair, task.gold, sample, text, verdict, bool(prefix))

    def _settle(
        self, task: JudgeTask, sample: int, found: Judgment | Drop, pair: ResponsePair
    ) -> None:
        if isinstance(found, Drop) or self.unfit(found, pair):
            task.settle(sample, NEITHER)
        else:
            task.settle(sample, CORRECT if found.correct else WRONG)


class _Asked(msgspec.Struct, frozen=True):
    """What an engine works on."""

    task: JudgeTask
    pair: ResponsePair
    prompt: int
    """The number that the request's prompt key is."""
    request: ChatRequest


def no_verdict(judge_format: JudgeFormat, replies: int, shown: str) -> JudgeError:
    """Return the error for a judge that never states a verdict, with one of its replies."""
    return JudgeError(
        f"The judge stated no verdict in any of {replies} replies in the format {judge_format.name!r}; "
        f"expected [[A]] or [[B]], one reply ended: {shown!r}.\nUse a stronger seed model, or a "
        "shorter format (judging.format: brief), or set judging.force_verdict: true."
    )
