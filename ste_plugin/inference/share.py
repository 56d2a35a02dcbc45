"""Which requests of a wave this process answers, where others are answered elsewhere."""

from typing import Protocol

from ste_plugin.engines.base import ChatRequest


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
