"""Why a server did not answer: what may pass by itself, what will not, and what to do about it."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ste_plugin.engines.http.options import EndpointOptions
from ste_plugin.engines.http.refusal import Refusal
from ste_plugin.errors import EngineError

_MAX_RETRY_AFTER_S = 60.0
DOWN = 3
"""Sum of `down_score` in a row from which a server counts as down."""
_OVERLOADED = {408, 503, 504, 529}
_N = re.compile(r"\bn\b")
_NEW_TOKENS = re.compile(r"\bmax_(completion_|new_|output_)?tokens\b")
_RUN_AGAIN = "run the same command again."


class SessionClosed(Exception):
    """The engine was closed: nothing more is sent."""


class TransientError(Exception):
    """Something that may pass by itself, and what to do where it does not."""

    def __init__(
        self,
        problem: str,
        hint: str,
        *,
        down_score: int = 1,
        overloaded: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(problem)
        self.problem, self.hint, self.retry_after_s = problem, hint, retry_after_s
        self.down_score = down_score
        """How much it says that the server is down: 0 nothing, `DOWN` everything."""
        self.overloaded = overloaded
        """Whether the server would answer fewer calls."""

    @property
    def was_received(self) -> bool:
        """Whether the server can have read the call."""
        return self.down_score < DOWN


def refuses_samples(refusal: Refusal) -> bool:
    """Return whether the server refuses a call because of its `n`."""
    if refusal.status not in (400, 422):
        return False
    return "n" in refusal.fields or bool(_N.search(refusal.message))


def refusal_error(
    endpoint: EndpointOptions,
    refusal: Refusal,
    headers: Mapping[str, str],
    list_models: Callable[[], str],
    quote: Callable[[str], str],
) -> TransientError | EngineError:
    """Return the error for a refusal that no other request would change.

    `list_models` says which models there are; `quote` makes untrusted text fit to print.
    """
    status = refusal.status
    problem = f"HTTP {status}: {quote(refusal.message)}"
    if refusal.is_transient:
        return _transient(problem, status, headers.get("Retry-After", ""))
    if status == 404:
        hint = (
            "options.base_url should be what the server calls its base, most often ending in /v1, "
            f"and the model one that it serves; {quote(list_models())}."
        )
    elif status in (401, 403):
        hint = _key_hint(endpoint.api_key_env)
    elif 300 <= status < 400 and "Location" in headers:
        hint = f"Set options.base_url to where it leads: {quote(headers['Location'])}."
    elif refusal.named({"chat_template_kwargs"}):
        hint = "Set judge.chat_template_kwargs (or the generator's) to what its template knows."
    elif _NEW_TOKENS.search(refusal.message) or refusal.named({"max_tokens"}):
        hint = (
            "Lower judging.max_new_tokens or pairs.max_new_tokens to what the model may write in "
            "one reply."
        )
    else:
        hint = (
            "The server refuses this request: check the model's name, its options and its limits. "
            "options.omit leaves a field out of every request, options.extra_body adds some."
        )
    return EngineError(f"{endpoint.url} (model {endpoint.model!r}): {problem}\n{hint}")


def _transient(problem: str, status: int, retry_after: str) -> TransientError:
    pause_s = parse_retry_after_s(retry_after, datetime.now(UTC))
    if status == 429:
        hint = (
            "Lower options.concurrency, set options.requests_per_minute or tokens_per_minute to "
            "what the server allows, or raise options.max_attempts."
        )
        return TransientError(problem, hint, down_score=0, overloaded=True, retry_after_s=pause_s)
    hint = f"See the server's own log, then {_RUN_AGAIN}"
    return TransientError(problem, hint, overloaded=status in _OVERLOADED, retry_after_s=pause_s)


def no_reply_error(error: httpx.RequestError, timeout_s: float) -> TransientError:
    """Return the error for a call that got no whole reply."""
    name = type(error).__name__
    if isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout)):
        hint = (
            "Raise options.timeout_s, lower options.concurrency, or see what the server is doing."
        )
        return TransientError(f"{name} after {timeout_s:g} s", hint, overloaded=True)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        hint = (
            "Start the server, or set judge.options.base_url (or the generator's) to where it is."
        )
        return TransientError(f"{name}: {error}", hint, down_score=DOWN)
    hint = f"The connection ended before the reply did: see the server's own log, then {_RUN_AGAIN}"
    return TransientError(f"{name}: {error}", hint)


def _key_hint(variable: str | None) -> str:
    if variable:
        return f"Put a key that the server accepts into the environment variable {variable}."
    return "Name the environment variable that holds the API key in options.api_key_env."


def parse_retry_after_s(header: str, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for, 0 where it makes no sense, 60 at most.

    >>> parse_retry_after_s("2", datetime.now(UTC)), parse_retry_after_s("soon", datetime.now(UTC))
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
    return min(max(0.0, seconds), _MAX_RETRY_AFTER_S)
