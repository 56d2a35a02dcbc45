"""What counted tokens cost."""

from typing import Annotated, Any

from pydantic import Field

from ste_plugin.config import Strict

Price = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Prices(Strict):
    """`options.prices` of an engine, in whatever currency."""

    prompt_per_million: Price
    """Of a million tokens read."""
    completion_per_million: Price
    """Of a million tokens generated."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what so many tokens cost.

        >>> Prices(prompt_per_million=2.5, completion_per_million=10).cost(200_000, 50_000)
        1.0
        """
        prompt = prompt_tokens * self.prompt_per_million
        return (prompt + completion_tokens * self.completion_per_million) / 1e6


def read_prices(options: dict[str, Any]) -> Prices | None:
    """Return the prices among a model's options, which its engine has checked, or None."""
    prices = options.get("prices")
    return None if prices is None else Prices(**prices)
