"""The settings of an HTTP engine, and the API key they name."""

import os
import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import httpx
from pydantic import ConfigDict, Field, ValidationError, field_validator

from ste_plugin.config import Positive, Strict
from ste_plugin.errors import ConfigError

Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Prefill = Literal["ask", "vllm", "vllm-guided-choice"]

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class HttpOptions(Strict):
    """`options:` of an `engine: http`."""

    # A key that was put in the wrong place must not be printed with the complaint about it.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    """Where the server's `/chat/completions` and `/models` lie: `http://localhost:8000/v1`."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the API key."""
    revision: str = "main"
    """Name of the weights behind the model's name; change it when the server changes them."""
    concurrency: Positive = 32
    """Calls in flight at once."""
    timeout_s: Seconds = 600.0
    """How long one call may stay silent."""
    max_attempts: Positive = 6
    """Tries of one call, the first included."""
    backoff_s: Seconds = 0.5
    """Pause before the second try; it doubles with every further one, up to 30 s."""
    samples: bool = True
    """Whether the server answers `n` samples in one call."""
    prefill: Prefill = "ask"
    """How a reply is continued and a choice is drawn.

    `vllm`: the server goes on from the assistant's own words, held to the choices.
    `vllm-guided-choice`: the same, for vLLM before 0.12.
    `ask`: any server; the choice is asked for in one more user turn, and read from the reply.
    """

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL as error:
            raise ValueError("expected an address such as http://localhost:8000/v1") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(
                "expected an address with http:// or https://, as http://localhost:8000/v1"
            )
        if url.userinfo or url.query or url.fragment:
            raise ValueError(
                "expected scheme, host, port and path only; a key goes into an environment variable "
                "that api_key_env names"
            )
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _name_not_key(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError(
                "expected the name of an environment variable in capitals, such as JUDGE_API_KEY; "
                "what was found is not shown, as it may be the key itself"
            )
        return value

    @property
    def url(self) -> str:
        """Where chat requests are posted."""
        return f"{self.base_url}/chat/completions"


def read_options(raw: dict[str, Any]) -> HttpOptions:
    """Return the checked settings.

    Raises: ConfigError naming each wrong one, the nearest right name, and no value.
    """
    try:
        return HttpOptions(**raw)
    except ValidationError as error:
        told = "\n".join(f"  {_told(e['loc'], e['type'], e['msg'])}" for e in error.errors())
    # Outside `except`: pydantic's error holds the values, and one of them may be a key.
    raise ConfigError(f"engine http, options to mend:\n{told}")


def _told(where: tuple[str | int, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        near = get_close_matches(name, HttpOptions.model_fields, n=1, cutoff=0.5)
        known = ", ".join(HttpOptions.model_fields)
        return f"{name}: unknown; " + (
            f"did you mean {near[0]!r}?" if near else f"there are: {known}"
        )
    if kind == "missing":
        return f"{name}: missing; where the server is, such as http://localhost:8000/v1"
    return f"{name}: {message.removeprefix('Value error, ')}"


def read_api_key(variable: str | None) -> str:
    """Return the key in that environment variable, or '' where none is named.

    Raises: ConfigError naming the variable where it is unset or holds what no header can carry.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"engine http, options.api_key_env: the environment variable {variable} is not set. "
            f"Set it (`export {variable}=...`), or leave api_key_env out for a server without keys."
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(
            f"engine http, options.api_key_env: the value of {variable} holds spaces, line breaks or "
            "letters beyond ASCII, which no API key does. Set it again."
        )
    return key
