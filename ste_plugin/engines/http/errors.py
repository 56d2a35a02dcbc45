"""Why a server did not answer: what may pass by itself, what will not, and what to do about it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.errors import EngineError

_LONGEST_RETRY_AFTER_S = 60.0
DOWN = 3
"""Strikes in a row from which a server counts as down."""
_BUSY = {408, 503, 504, 529}
_TOO_LONG = re.compile(r"context[ _-]?(length|window|size)", re.IGNORECASE)
_N = re.compile(r"\bn\b")


class Transient(Exception):
    """Something that may pass by itself, and what to do where it does not."""

    def __init__(
        self, found: str, cure: str, *, strikes: int = 1, busy: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(found)
        self.found, self.cure, self.retry_after_s = found, cure, retry_after_s
        self.strikes = strikes
        """How much it says that the server is down: 0 nothing, `DOWN` everything."""
        self.busy = busy
        """Whether the server would answer fewer calls."""

    @property
    def unheard(self) -> bool:
        """Whether nobody was there to read the call."""
        return self.strikes >= DOWN


def too_long(response: httpx.Response) -> bool:
    """Return whether the server refuses a prompt because its context has no room for it."""
    return response.status_code in (400, 413, 422) and bool(_TOO_LONG.search(message(response)))


def refuses_samples(response: httpx.Response) -> bool:
    """Return whether the server refuses a call because of its `n`."""
    return response.status_code in (400, 422) and bool(_N.search(message(response)))


def refusal(
    endpoint: EndpointOptions,
    response: httpx.Response,
    served: Callable[[], str],
    shown: Callable[[str], str],
) -> Transient | EngineError:
    """Return the error for an unsuccessful response.

    `served` tells which models there are; `shown` makes a stranger's text fit to print.
    """
    status, found = response.status_code, f"HTTP {response.status_code}: {shown(message(response))}"
    if status in (408, 409, 429) or status >= 500:
        return _transient(found, response)
    if status == 404:
        cure = (
            "options.base_url should be what the server calls its base, most often ending in /v1, and "
            f"the model one that it serves; {shown(served())}."
        )
    elif status in (401, 403):
        cure = _key_cure(endpoint.api_key_env)
    elif response.has_redirect_location:
        cure = f"Set options.base_url to where it leads: {shown(response.headers['Location'])}."
    else:
        cure = (
            "The server refuses this request: check the model's name, its options and its limits."
        )
    return EngineError(f"{endpoint.url} (model {endpoint.model!r}): {found}\n{cure}")


def _transient(found: str, response: httpx.Response) -> Transient:
    status = response.status_code
    asked = retry_after_s(response.headers.get("Retry-After", ""), datetime.now(UTC))
    if status == 429:
        cure = (
            "Lower options.concurrency, set options.requests_per_minute or tokens_per_minute to what "
            "the server allows, or raise options.max_attempts."
        )
        return Transient(found, cure, strikes=0, busy=True, retry_after_s=asked)
    cure = "See the server's own log, then run the same command again."
    return Transient(found, cure, busy=status in _BUSY, retry_after_s=asked)


def silence(error: httpx.RequestError, timeout_s: float) -> Transient:
    """Return the failure for a call that got no whole reply."""
    name = type(error).__name__
    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        cure = (
            "Raise options.timeout_s, lower options.concurrency, or see what the server is doing."
        )
        return Transient(f"{name} after {timeout_s:g} s", cure, busy=True)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        cure = (
            "Start the server, or set judge.options.base_url (or the generator's) to where it is."
        )
        return Transient(f"{name}: {error}", cure, strikes=DOWN)
    cure = (
        "The connection ended before the reply did: see the server's own log, then run the same "
        "command again."
    )
    return Transient(f"{name}: {error}", cure)


def _key_cure(variable: str | None) -> str:
    if variable:
        return f"Put a key that the server accepts into the environment variable {variable}."
    return "Name the environment variable that holds the API key in options.api_key_env."


def message(response: httpx.Response) -> str:
    """Return what a refusal says, out of whatever JSON the server wraps it in."""
    try:
        found = response.json()
    except ValueError:
        return response.text
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]
    if isinstance(found, dict):
        said = (found.get(key) for key in ("message", "error", "detail"))
        return str(next((s for s in said if s), found))
    return str(found)


def retry_after_s(header: str, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for, 0 where it makes no sense, 60 at most.

    >>> retry_after_s("2", datetime.now(UTC)), retry_after_s("soon", datetime.now(UTC))
    (2.0, 0.0)
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER_S)
