"""Drawing only the votes that can still change a majority. Only lm-eval imports this module.

lm-eval asks for all samples at once. So the backend's `generate_until` is wrapped: it draws in
waves, and says of the samples that it left out that they were not drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance

from ste_plugin.judging.verdict import Said
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED, NOT_DRAWN
from ste_plugin.lm_eval_tasks.votes import Votes, next_wave


@dataclass
class VoteInstance(Instance):  # type: ignore[misc]
    """A request that is repeated until the majority of its replies is settled."""

    parse: Callable[[str], Said] = lambda _: None


@dataclass
class SkippedInstance(Instance):  # type: ignore[misc]
    """A request that must not reach the model."""


class Waves:
    """A backend's `generate_until` that stops votes early; all else goes through unchanged."""

    def __init__(self, generate: Callable[..., Sequence[str]]) -> None:
        self.generate = generate

    def __call__(self, requests: Sequence[Any], *args: Any, **settings: Any) -> list[str]:
        """Return a reply to every request, in their order.

        Requests that are no vote are answered together with the first wave of the votes.
        """
        replies = [NOT_ASKED if isinstance(r, SkippedInstance) else NOT_DRAWN for r in requests]
        ours = VoteInstance | SkippedInstance
        due = [i for i, request in enumerate(requests) if not isinstance(request, ours)]
        samples = samples_by_vote(requests)
        while due := sorted(due + [i for s in samples for i in due_of(s, requests, replies)]):
            texts = self.generate([requests[i] for i in due], *args, **settings)
            for i, text in zip(due, texts, strict=True):
                replies[i] = text
            due = []
        return replies


def samples_by_vote(requests: Sequence[Any]) -> list[list[int]]:
    """Return, of each vote, the indices of its samples among the requests."""
    indices: dict[int, list[int]] = {}
    for i, request in enumerate(requests):
        if isinstance(request, VoteInstance):
            indices.setdefault(id(request), []).append(i)
    return list(indices.values())


def due_of(
    samples: Sequence[int], requests: Sequence[Any], replies: Sequence[str]
) -> Sequence[int]:
    """Return the samples of a vote to draw next, as indices; none when its majority is settled."""
    votes: Votes = [requests[i].parse(replies[i]) for i in samples if replies[i] != NOT_DRAWN]
    return samples[len(votes) :][: next_wave(votes, len(samples))]


def draw_in_waves(backend: Any) -> None:
    """Make a backend stop votes early, once, however many tasks ask for it."""
    if not isinstance(backend.generate_until, Waves):
        backend.generate_until = Waves(backend.generate_until)
