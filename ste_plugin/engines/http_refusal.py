"""Why a server did not answer: what may pass by itself, what will not, and what to do about it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ste_plugin.engines.http_options import HttpOptions
from ste_plugin.errors import EngineError

_LONGEST_RETRY_AFTER_S = 60.0
_TOO_LONG = re.compile(r"context[ _-]?(length|window|size)", re.IGNORECASE)


class Transient(Exception):
    """Something that may pass by itself, and what to do where it does not."""

    def __init__(self, found: str, cure: str, retry_after_s: float = 0.0) -> None:
        super().__init__(found)
        self.found, self.cure, self.retry_after_s = found, cure, retry_after_s


def too_long(response: httpx.Response) -> bool:
    """Return whether the server refuses a prompt because its context has no room for it."""
    return response.status_code in (400, 413, 422) and bool(_TOO_LONG.search(message(response)))


def refusal(
    model: str,
    options: HttpOptions,
    response: httpx.Response,
    served: Callable[[], str],
    shown: Callable[[str], str],
) -> Transient | EngineError:
    """Return the error for an unsuccessful response.

    `served` tells which models there are; `shown` makes a stranger's text fit to print.
    """
    status, found = response.status_code, f"HTTP {response.status_code}: {shown(message(response))}"
    if status in (408, 409, 429) or status >= 500:
        cure = (
            "Lower options.concurrency, or raise options.max_attempts."
            if status == 429
            else "See the server's own log, then run the same command again."
        )
        asked = retry_after_s(response.headers.get("Retry-After", ""), datetime.now(UTC))
        return Transient(found, cure, asked)
    if status == 404:
        cure = (
            "options.base_url should be what the server calls its base, most often ending in /v1, and "
            f"the model one that it serves; {shown(served())}."
        )
    elif status in (401, 403):
        cure = _key_cure(options.api_key_env)
    elif response.has_redirect_location:
        cure = f"Set options.base_url to where it leads: {shown(response.headers['Location'])}."
    else:
        cure = (
            "The server refuses this request: check the model's name, its options and its limits."
        )
    return EngineError(f"{options.url} (model {model!r}): {found}\n{cure}")


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
