"""Which requests stay together: those of one prompt, and those whose prompts begin alike."""

from collections import deque
from collections.abc import Iterable, Sequence

from ste_plugin.engines.base import ChatRequest

_MAX_GROUP = 64
"""Requests of a group: a prompt with more samples is divided."""


class RequestGroups:
    """Requests that follow each other and share a beginning, read group by group.

    One request more has been read than was taken: the first of the next group.
    """

    def __init__(self, requests: Iterable[ChatRequest]) -> None:
        self._requests = iter(requests)
        self._first: ChatRequest | None = None
        """The first request of the next group, if it has been read."""
        self._returned: deque[list[ChatRequest]] = deque()

    def put_back(self, requests: Sequence[ChatRequest]) -> None:
        """Take requests that are to be asked for again, before all others."""
        again = RequestGroups(requests)
        while group := again.take():
            self._returned.append(group)

    def take(self) -> list[ChatRequest]:
        """Return the next group; an empty list where there is none (any more)."""
        if self._returned:
            return self._returned.popleft()
        first = self._first or next(self._requests, None)
        self._first = None
        group = [] if first is None else [first]
        while group and (request := next(self._requests, None)):
            if len(group) >= _MAX_GROUP or _shared(request) != _shared(group[0]):
                self._first = request
                break
            group.append(request)
        return group


def _shared(request: ChatRequest) -> str:
    return request.affinity or request.prompt_key
