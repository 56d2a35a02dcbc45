"""Which requests of a wave this process answers, where others are answered elsewhere."""

from typing import Protocol

from ste_plugin.engines.base import ChatRequest
from ste_plugin.inference.budget import Budget


class WaveEnded(Exception):
    """Requests were left to others: nothing more can be asked before these are answered."""

    def __init__(self, title: str, left: int) -> None:
        super().__init__(f"{title}: {left} requests are left to others")
        self.title, self.left = title, left


class Share(Protocol):
    """The part of a run's requests that this process answers.

    A wave is what a stage asks at once: the requests after it depend on their answers.
    """

    def takes(self, request: ChatRequest) -> bool:
        """Return whether a request without an answer is to be asked here."""
        ...

    def end_wave(self, title: str) -> None:
        """Go on to the next wave; `title` is the stage's. Raises: WaveEnded."""
        ...


class Everything:
    """The share of a process that answers all requests itself."""

    def takes(self, _: ChatRequest) -> bool:
        """Return True."""
        return True

    def end_wave(self, title: str) -> None:
        """Do nothing: all requests are answered."""


EVERYTHING = Everything()


class Part:
    """One of several parts of a run's requests, by their prompts; each is another process's."""

    def __init__(self, number: int, count: int) -> None:
        """`number` is from 1 to `count`."""
        self.number, self.count = number, count
        self.budget = Budget()
        self._left = 0
        self.taken = 0
        """How many requests were asked here."""

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"

    def takes(self, request: ChatRequest) -> bool:
        """Return whether a request is this part's: all samples of a prompt are in one."""
        is_ours = request.prompt_number % self.count == self.number - 1
        self._left += not is_ours
        self.taken += is_ours
        return is_ours

    def end_wave(self, title: str) -> None:
        """Raise WaveEnded where other parts have not answered theirs, or the budget is used up."""
        if self._left or self.budget.stopped:
            raise WaveEnded(title, self._left)
