"""How much one server takes, and how much one request may ask."""

from typing import Annotated

from pydantic import Field

from ste_plugin.config import Positive, Strict


class Limits(Strict):
    """Bounds of a server; what is beyond them is refused, so that the rest is answered."""

    max_waiting: Positive = 256
    """Most comparisons that wait; further ones are refused with 429."""
    max_batch: Positive = 64
    """Most comparisons that go to the judge at once."""
    max_pairs: Positive = 64
    """Most pairs in one request."""
    max_chars: Positive = 100_000
    """Most characters of a prompt, and of an answer."""
    max_body_bytes: Positive = 8 << 20
    """Of one request."""
    max_connections: Positive = 1024
    """Most connections at once; further ones are refused with 503."""
    body_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """How long the body of a request may take to arrive."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """How long a request may take, waiting included; 504 after that."""
