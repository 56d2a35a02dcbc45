"""How many tokens and minutes a run may still use."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
RAISE_IT = (
    "The budget is used up: raise budget.max_tokens_total or budget.max_minutes, and give the same "
    "command again; what was answered is kept."
)
"""What to do where a budget left too little to go on with."""


class Budget:
    """What is left of a run's tokens and minutes; without limits it is never used up."""

    def __init__(
        self,
        tokens: int | None = None,
        minutes: float | None = None,
        now: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`say` shows a person one line."""
        self._tokens, self._now, self._say = tokens, now, say
        self._has_told = False
        self._deadline = None if minutes is None else now() + minutes * 60
        self.stopped = False
        """Whether anything was left out because the budget was used up."""

    @property
    def used_up(self) -> bool:
        """Return whether nothing more may be started."""
        late = self._deadline is not None and self._now() >= self._deadline
        return late or (self._tokens is not None and self._tokens <= 0)

    def spend(self, tokens: int, *, estimated: bool = False) -> None:
        """Count tokens that were generated; a person is told once where they are estimates."""
        if self._tokens is None:
            return
        self._tokens -= tokens
        if estimated and not self._has_told:
            self._has_told = True
            self._say(
                "Tokens are not counted by what generates them: budget.max_tokens_total is kept by "
                "estimates."
            )

    def limit(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items until the budget is used up."""
        if self._tokens is None and self._deadline is None:
            yield from items
            return
        for item in items:
            if self.used_up:
                self.stopped = True
                return
            yield item
