"""Sampling judgments: every pair in both presentation orders, in waves, until each is settled."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from ste_plugin.context import Iteration
from ste_plugin.engines.base import UNUSABLE, ChatRequest, Completion
from ste_plugin.engines.identity import model_identity
from ste_plugin.errors import JudgeError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.dispatch import dispatch
from ste_plugin.inference.probe_checks import Stage
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.example import Example
from ste_plugin.judging.verdict import letter_of
from ste_plugin.records import Drop, Judgment, ResponsePair, Verdict
from ste_plugin.sampling.judge_task import CORRECT, NEITHER, WRONG, JudgeTask
from ste_plugin.sampling.stopping_rules import Rule
from ste_plugin.sampling.verdict_steps import VerdictStep, verdict_steps

DropReason = Callable[[Judgment, ResponsePair], str | None]

ChooseJudgment = Callable[[Sequence[Judgment]], Judgment]
"""Several correct judgments of one task, as training learns them, in the order of their samples →
the one to learn."""


def first_judgment(judgments: Sequence[Judgment]) -> Judgment:
    """Return the first: as samples are independent, a draw at random."""
    return judgments[0]


class JudgmentSampler:
    """Samples judgments of one judge, and reads them back completion by completion."""

    def __init__(self, iteration: Iteration, store: CompletionStore, dropped: DropReason) -> None:
        """`dropped` returns why a judgment must not be trained on, or None.

        A dropped judgment settles no task.
        """
        context = iteration.context
        self._context, self._judge = context, iteration.judge
        self._store, self._own_drop_reason = store, dropped
        self._judge_format: JudgeFormat = context.judge_format
        model = model_identity(iteration.judge, context.base)
        requests = JudgeRequests.of_config(
            model, self._judge_format, context.config.judging, iteration.draw
        )
        self._steps = verdict_steps(requests, store)
        self._probe = context.probes.of(self._probed_stage(requests))

    def sample(self, tasks: Sequence[JudgeTask], rule: Rule, max_samples: int) -> None:
        """Draw samples of every task until the rule finds it settled, or the budget is used up.

        Raises: WaveEnded where some are left to others; those of all other tasks are drawn.
        """
        wave = tasks
        while wave := [
            t
            for t in wave
            if not (t.refused or t.is_left) and t.add_samples(rule(t.counts(), max_samples))
        ]:
            self.draw(wave)
            if self.stopped:
                break
        self.end_wave()

    def end_wave(self) -> None:
        """Raise WaveEnded where the samples of some tasks are left to others."""
        self._context.share.end_wave(self._steps[0].title)

    def draw(self, wave: Sequence[JudgeTask]) -> None:
        """Draw the samples that these tasks have no outcome of."""
        for step in self._steps:
            self._dispatch(step, wave)
        for task in wave:  # what was stored before, or was asked for by a task with the same prompt
            for sample in task.unread:
                if result := self._read(task, sample):
                    self._set_outcome(task, sample, result, task.pair)

    def judgments(self, task: JudgeTask) -> list[Judgment | Drop]:
        """Return the judgments of a task's samples, in their order; a cut-off reply is a Drop."""
        samples = range(len(task.outcomes))
        return [result for i in samples if (result := self._read(task, i)) is not None]

    def drop_reason(self, judgment: Judgment, pair: ResponsePair) -> str | None:
        """Return why a judgment must not be trained on, or None."""
        return "no verdict" if judgment.verdict is None else self._own_drop_reason(judgment, pair)

    def example(
        self,
        task: JudgeTask,
        judgments: Mapping[int, Judgment],
        choose: ChooseJudgment = first_judgment,
    ) -> Example:
        """Return the training example of a task with a correct sample; `judgments` are by index.

        Of several correct ones `choose` picks; of several wrong ones it is the first.
        """
        correct, wrong = (
            [self._learnt(judgments[sample]) for sample in task.samples_with(outcome)]
            for outcome in (CORRECT, WRONG)
        )
        if not correct:
            raise ValueError(f"{task.key}: no correct sample")
        right_judgment, wrong_judgment = choose(correct), first_judgment(wrong) if wrong else None
        return Example(task.pair, task.gold, self._judge_format, right_judgment, wrong_judgment)

    def constructed(self, task: JudgeTask, judgments: Mapping[int, Judgment]) -> Example:
        """Return the example of a task whose reply is the right letter, whatever was sampled.

        The first sample that may be used stands for it; one that is wrong is what not to say.
        """
        at = min(sample for sample in judgments if task.verdict(sample))
        judge_format, drawn = self._judge_format, judgments[at]
        text = judge_format.forced_text(judge_format.forced_prefix(""), task.gold).strip()
        right = replace(drawn, text=text, thinking="", verdict=task.gold, forced=True)
        wrong = task.samples_with(WRONG)
        wrong_judgment = self._learnt(judgments[wrong[0]]) if wrong else None
        return Example(task.pair, task.gold, judge_format, right, wrong_judgment)

    def _learnt(self, judgment: Judgment) -> Judgment:
        """Return a judgment as training is to learn it: with its thinking, or without."""
        keeps = self._context.config.dataset.thinking == "keep"
        return judgment if keeps or not judgment.thinking else replace(judgment, thinking="")

    def example_reply(self, tasks: Sequence[JudgeTask]) -> str:
        """Return the end of one reply, for error messages."""
        step = self._steps[0]
        for task in tasks:
            for sample in range(len(task.outcomes)):
                prompt, prefix = step.locate(task, sample)
                if not prefix and (reply := self._store.read(prompt, sample)):
                    return reply.text.strip()[-160:]
        return ""

    @property
    def stopped(self) -> bool:
        """Return whether the budget has left samples out."""
        return self._context.budget.stopped

    def _dispatch(self, step: VerdictStep, wave: Sequence[JudgeTask]) -> None:
        """Ask for the samples that are not stored; requests are made as the engine takes them."""
        context, in_flight = self._context, dict[str, InFlight]()
        probe = self._probe if step is self._steps[0] else None

        def missing() -> Iterator[ChatRequest]:
            for task in wave:
                if samples := step.pending(task):
                    pair = task.pair
                    for request in step.requests(task, pair, samples):
                        key = request.key
                        # two strategies may make the very same pair: it is asked about once
                        if key in in_flight or self._holds(request):
                            bar.step()
                            if probe:
                                probe.recall(request, self._store)
                        elif context.share.takes(request):
                            in_flight[key] = InFlight(task, pair, request)
                            yield request

        def on_completion(reply: Completion) -> None:
            if (asked := in_flight.pop(reply.key, None)) and step.settles(reply):
                self._settle(asked, reply)

        total = sum(len(task.unread) for task in wave)
        with context.progress.bar(step.title, total) as bar:
            engine = context.models.use(self._judge)
            dispatch(
                engine,
                missing(),
                self._store,
                bar,
                context.budget,
                step.title,
                on_completion,
                probe,
            )

    def _settle(self, asked: "InFlight", reply: Completion) -> None:
        """Set the outcome of a sample whose reply has come."""
        sample, prefix = asked.request.sample_index, asked.request.prefix
        judgment = self._judgment(asked.task, sample, reply, prefix)
        self._set_outcome(asked.task, sample, judgment, asked.pair)

    def _probed_stage(self, requests: JudgeRequests) -> Stage:
        """Return what the first of its answers are looked at for."""
        return Stage(
            self._steps[0].title,
            self._judge.model,
            "judging.max_new_tokens",
            may_be_empty=requests.force_verdict,
            error=JudgeError,
            parse=self._judge_format.parse if requests.has_judgments else None,
        )

    def _holds(self, request: ChatRequest) -> bool:
        return self._store.holds(request.prompt_number, request.sample_index)

    def _read(self, task: JudgeTask, sample: int) -> Judgment | Drop | None:
        """Return the judgment of a sample, or None where nothing settles it yet."""
        found = self._find(task, sample)
        return self._judgment(task, sample, *found) if found else None

    def _find(self, task: JudgeTask, sample: int) -> tuple[Completion, str] | None:
        """Return the first stored reply that settles a sample, and its prefix."""
        for step in self._steps:
            prompt, prefix = step.locate(task, sample)
            reply = self._store.read(prompt, sample)
            if reply and step.settles(reply):
                return reply, prefix
        return None

    def _judgment(
        self, task: JudgeTask, sample: int, reply: Completion, prefix: str
    ) -> Judgment | Drop:
        if reply.finish_reason == "length":
            return Drop("judging", reply.key, "judgment cut off by the token limit")
        if reply.finish_reason in UNUSABLE:
            task.refused |= reply.finish_reason != "broken"
            return Drop("judging", reply.key, f"judgment {UNUSABLE[reply.finish_reason]}")
        text = (
            self._judge_format.forced_text(prefix, reply.text) if prefix else reply.text
        ).strip()
        pair, verdict = task.pair_key, self._verdict(task, sample, text)
        return Judgment(
            reply.key, pair, task.gold, sample, text, verdict, bool(prefix), reply.thinking
        )

    def _verdict(self, task: JudgeTask, sample: int, text: str) -> Verdict | None:
        judge_format = self._judge_format
        return task.verdict(sample) or letter_of(
            judge_format.decide(judge_format.parse(text), None)
        )

    def _set_outcome(
        self, task: JudgeTask, sample: int, result: Judgment | Drop, pair: ResponsePair
    ) -> None:
        if isinstance(result, Drop) or self.drop_reason(result, pair):
            task.set_outcome(sample, NEITHER)
        else:
            task.set_outcome(sample, CORRECT if result.correct else WRONG)


class InFlight(msgspec.Struct, frozen=True):
    """A request that the engine has not answered yet, and what it is for."""

    task: JudgeTask
    pair: ResponsePair
    request: ChatRequest


_NO_VERDICT = (
    "The judge stated no verdict in any of",
    "Use a stronger seed model, or a shorter format (judging.format: brief), or set "
    "judging.force_verdict: true.",
)
_NO_HIGHER_SCORE = (
    "The judge gave no pair's two answers different scores in any of",
    "Use a stronger seed model, or a format that compares both answers (judging.format: brief). "
    "Where replies end without a score, set judging.force_verdict: true.",
)


def no_verdict_error(judge_format: JudgeFormat, replies: int, example: str) -> JudgeError:
    """Return the error for a judge that never states a verdict, with the end of one reply."""
    found, advice = _NO_HIGHER_SCORE if judge_format.pointwise else _NO_VERDICT
    return JudgeError(
        f"{found} {replies} replies in the format {judge_format.name!r}; expected "
        f"{judge_format.wanted}, one reply ended: {example!r}.\n{advice}"
    )
