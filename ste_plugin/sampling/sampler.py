"""Sampling judgments: every pair in both presentation orders, in waves, until each is settled."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from ste_plugin.context import Iteration
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import fill
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.example import Example
from ste_plugin.records import Drop, Judgment, ResponsePair
from ste_plugin.sampling.judge_task import CORRECT, NEITHER, WRONG, JudgeTask
from ste_plugin.sampling.stopping_rules import Rule
from ste_plugin.sampling.verdict_steps import VerdictStep, verdict_steps

DropReason = Callable[[Judgment, ResponsePair], str | None]


class JudgmentSampler:
    """Asks one judge for judgments and reads them back, completion by completion."""

    def __init__(self, iteration: Iteration, store: CompletionStore, reason: DropReason) -> None:
        """`reason` tells why a judgment must not be trained on, or None: such a one settles nothing."""
        context = iteration.context
        self._context, self._judge = context, iteration.judge
        self._store, self._reason = store, reason
        self._judge_format: JudgeFormat = context.judge_format
        model = model_identity(iteration.judge, context.base)
        requests = JudgeRequests.of_config(model, self._judge_format, context.config.judging)
        self._steps = verdict_steps(requests, store)

    def sample(self, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int) -> None:
        """Draw samples of every question until the rule, or the budget, says that it is enough."""
        wave = tasks
        while wave := [q for q in wave if q.want(rule(q.counts(), max_samples))]:
            self.draw(wave)
            if self.stopped:
                return

    def draw(self, wave: Sequence[JudgeTask]) -> None:
        """Draw the samples that these questions want."""
        for step in self._steps:
            self._fill(step, wave)
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
        step = self._steps[0]
        for task in tasks:
            for sample in range(len(task.outcomes)):
                prompt, prefix = step.locate(task, sample)
                if not prefix and (reply := self._store.read(prompt, sample)):
                    return reply.text.strip()[-160:]
        return ""

    @property
    def stopped(self) -> bool:
        """Return whether the budget left samples out."""
        return self._context.budget.stopped

    def _fill(self, step: VerdictStep, wave: Sequence[JudgeTask]) -> None:
        """Ask for those samples that the file lacks; prompts are rendered as the engine takes them."""
        context, asked = self._context, dict[str, _Asked]()

        def missing() -> Iterator[ChatRequest]:
            for task in wave:
                if samples := step.pending(task):
                    pair = task.pair
                    for request in step.requests(task, pair, samples):
                        key = request.key
                        # two strategies may make the very same pair: it is asked about once
                        if key in asked or self._holds(request):
                            bar.step()
                        else:
                            asked[key] = _Asked(task, pair, request)
                            yield request

        def take(reply: Completion) -> None:
            if (one := asked.pop(reply.key, None)) and step.settles(reply):
                index, prefix = one.request.sample_index, one.request.prefix
                judgment = self._judgment(one.task, index, reply, prefix)
                self._settle(one.task, index, judgment, one.pair)

        total = sum(len(task.unread) for task in wave)
        with context.progress.bar(step.title, total) as bar:
            engine = context.models.use(self._judge)
            fill(engine, missing(), self._store, bar, context.budget, step.title, take)

    def _holds(self, request: ChatRequest) -> bool:
        return self._store.holds(int(request.prompt_key, 16), request.sample_index)

    def _read(self, task: JudgeTask, sample: int) -> Judgment | Drop | None:
        """Return the judgment of a sample, from the first reply on file that settles it."""
        for step in self._steps:
            prompt, prefix = step.locate(task, sample)
            reply = self._store.read(prompt, sample)
            if reply and step.settles(reply):
                return self._judgment(task, sample, reply, prefix)
        return None

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
    request: ChatRequest


def no_verdict(judge_format: JudgeFormat, replies: int, shown: str) -> JudgeError:
    """Return the error for a judge that never states a verdict, with one of its replies."""
    return JudgeError(
        f"The judge stated no verdict in any of {replies} replies in the format {judge_format.name!r}; "
        f"expected [[A]] or [[B]], one reply ended: {shown!r}.\nUse a stronger seed model, or a "
        "shorter format (judging.format: brief), or set judging.force_verdict: true."
    )
