"""How a sample gets its verdict: the judge states one, or a letter is forced after its words."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from ste_plugin.engines.base import UNUSABLE, ChatRequest, Completion
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.records import ResponsePair
from ste_plugin.sampling.judge_task import JudgeTask


class VerdictStep(Protocol):
    """One of the calls that a sample may take."""

    title: str
    """What the progress bar says."""

    def pending(self, task: JudgeTask) -> Sequence[int]:
        """Return the indices of the task's samples that this step asks for."""
        ...

    def requests(
        self, task: JudgeTask, pair: ResponsePair, samples: Sequence[int]
    ) -> Iterator[ChatRequest]:
        """Yield the requests for these samples, in their order."""
        ...

    def locate(self, task: JudgeTask, sample: int) -> tuple[int, str]:
        """Return the prompt key, as a number, of a sample's stored reply, and its prefix."""
        ...

    def settles(self, reply: Completion) -> bool:
        """Return whether nothing more is asked after this reply."""
        ...


class StatedVerdict:
    """The judge writes a judgment and states its verdict in it."""

    title = "judging"

    def __init__(self, requests: JudgeRequests) -> None:
        self._requests = requests

    def pending(self, task: JudgeTask) -> Sequence[int]:
        """Return the samples without an outcome."""
        return task.unread

    def requests(
        self, task: JudgeTask, pair: ResponsePair, samples: Sequence[int]
    ) -> Iterator[ChatRequest]:
        """Yield one prompt's samples."""
        request = _reuse_prompt_key(task, self._requests.judgment(pair, task.gold))
        return map(request.with_sample_index, samples)

    def locate(self, task: JudgeTask, sample: int) -> tuple[int, str]:
        """Return the key of the task's prompt; there is no prefix."""
        if not task.prompt_key:
            _reuse_prompt_key(task, self._requests.judgment(task.pair, task.gold))
        return task.prompt_key, ""

    def settles(self, reply: Completion) -> bool:
        """Return whether it ends with a verdict, where one can be forced; otherwise True.

        Not where the token limit cut it off behind one, which may not have been its last word.
        """
        requests = self._requests
        if not requests.force_verdict or reply.finish_reason in UNUSABLE:
            return True
        return reply.finish_reason == "stop" and requests.judge_format.parse(reply.text) is not None


class ForcedVerdict:
    """The letter alone is sampled, after the closing words of the format."""

    title = "forcing verdicts"

    def __init__(self, requests: JudgeRequests) -> None:
        self._requests = requests
        self._prefix = requests.forced_prefix(None)

    def pending(self, task: JudgeTask) -> Sequence[int]:
        """Return the samples without an outcome."""
        return task.unread

    def requests(
        self, task: JudgeTask, pair: ResponsePair, samples: Sequence[int]
    ) -> Iterator[ChatRequest]:
        """Yield one prompt's samples."""
        return map(_reuse_prompt_key(task, self._request(task, pair)).with_sample_index, samples)

    def locate(self, task: JudgeTask, sample: int) -> tuple[int, str]:
        """Return the key of the task's prompt, and the closing words."""
        if not task.prompt_key:
            _reuse_prompt_key(task, self._request(task, task.pair))
        return task.prompt_key, self._prefix

    def settles(self, reply: Completion) -> bool:
        """Return True: nothing comes after a letter."""
        return True

    def _request(self, task: JudgeTask, pair: ResponsePair) -> ChatRequest:
        return self._requests.forced(self._requests.judgment(pair, task.gold), self._prefix)


class ForcedAfterReasoning:
    """A letter is sampled after the reasoning of those samples that ended without a verdict."""

    title = ForcedVerdict.title

    def __init__(
        self, requests: JudgeRequests, stated: StatedVerdict, store: CompletionStore
    ) -> None:
        self._requests, self._stated, self._store = requests, stated, store

    def pending(self, task: JudgeTask) -> Sequence[int]:
        """Return the samples that were answered without a verdict."""
        replies = ((i, self._reasoning(task, i)) for i in task.unread)
        return [i for i, reply in replies if reply and not self._stated.settles(reply)]

    def requests(
        self, task: JudgeTask, pair: ResponsePair, samples: Sequence[int]
    ) -> Iterator[ChatRequest]:
        """Yield a prompt per sample, as each has reasoning of its own."""
        judgment = self._requests.judgment(pair, task.gold)
        for sample in samples:
            yield self._requests.forced(judgment, self._prefix(task, sample)).with_sample_index(
                sample
            )

    def locate(self, task: JudgeTask, sample: int) -> tuple[int, str]:
        """Return the key of the sample's own prompt, and its reasoning with the closing words."""
        prefix = self._prefix(task, sample)
        judgment = self._requests.judgment(task.pair, task.gold)
        return int(self._requests.forced(judgment, prefix).prompt_key, 16), prefix

    def settles(self, reply: Completion) -> bool:
        """Return True: nothing comes after a letter."""
        return True

    def _prefix(self, task: JudgeTask, sample: int) -> str:
        return self._requests.forced_prefix(self._reasoning(task, sample))

    def _reasoning(self, task: JudgeTask, sample: int) -> Completion | None:
        prompt, _ = self._stated.locate(task, sample)
        return self._store.read(prompt, sample)


def verdict_steps(requests: JudgeRequests, store: CompletionStore) -> tuple[VerdictStep, ...]:
    """Return the calls that a sample may take, in order, until a reply settles it."""
    if not requests.has_judgments:
        return (ForcedVerdict(requests),)
    stated = StatedVerdict(requests)
    if not requests.force_verdict:
        return (stated,)
    return stated, ForcedAfterReasoning(requests, stated, store)


def _reuse_prompt_key(task: JudgeTask, request: ChatRequest) -> ChatRequest:
    """Return the request with its prompt's key, which is computed once per task."""
    if task.prompt_key:
        return request.with_prompt_key(f"{task.prompt_key:016x}")
    task.prompt_key = request.prompt_number
    return request
