"""Drawing only the votes that can still change a majority. Only lm-eval imports this module.

lm-eval asks for all samples at once. So the backend's `generate_until` is wrapped: it draws in waves,
and says of the samples that it left out that they were not drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance

from ste_plugin.lm_eval_tasks.replies import NOT_ASKED, NOT_DRAWN
from ste_plugin.lm_eval_tasks.votes import next_wave
from ste_plugin.records import Verdict

Votes = list[Verdict | None]


@dataclass
class VoteInstance(Instance):  # type: ignore[misc]
    """A request that is repeated until the majority of its replies is settled."""

    parse: Callable[[str], Verdict | None] = lambda _: None


@dataclass
class SkippedInstance(Instance):  # type: ignore[misc]
    """A request that must not reach the model."""


class Waves:
    """A backend's `generate_until` that knows polls; every other request goes through unchanged."""

    def __init__(self, generate: Callable[..., Sequence[str]]) -> None:
        self.generate = generate

    def __call__(self, requests: Sequence[Any], *args: Any, **settings: Any) -> list[str]:
        """Return a reply to every request, in their order.

        Requests that are no poll are answered together with the polls' first wave.
        """
        replies = [NOT_ASKED if isinstance(r, SkippedInstance) else NOT_DRAWN for r in requests]
        due = [
            i for i, r in enumerate(requests) if not isinstance(r, VoteInstance | SkippedInstance)
        ]
        polls = places_by_poll(requests)
        votes: list[Votes] = [[] for _ in polls]
        while due := sorted(
            due + [i for p, v in zip(polls, votes, strict=True) for i in wave(p, v)]
        ):
            texts = self.generate([requests[i] for i in due], *args, **settings)
            for i, text in zip(due, texts, strict=True):
                replies[i] = text
            votes = [cast(requests, replies, places) for places in polls]
            due = []
        return replies


def places_by_poll(requests: Sequence[Any]) -> list[list[int]]:
    """Return, of each poll, where among the requests its samples stand."""
    places: dict[int, list[int]] = {}
    for place, request in enumerate(requests):
        if isinstance(request, VoteInstance):
            places.setdefault(id(request), []).append(place)
    return list(places.values())


def wave(places: Sequence[int], votes: Votes) -> Sequence[int]:
    """Return the places of a poll to draw next."""
    return places[len(votes) :][: next_wave(votes, len(places))]


def cast(requests: Sequence[Any], replies: Sequence[str], places: Sequence[int]) -> Votes:
    """Return the votes of a poll so far."""
    return [requests[i].parse(replies[i]) for i in places if replies[i] != NOT_DRAWN]


def draw_in_waves(backend: Any) -> None:
    """Make a backend know polls, once, however many tasks ask for it."""
    if not isinstance(backend.generate_until, Waves):
        backend.generate_until = Waves(backend.generate_until)
