"""The settings of an HTTP engine, and the API keys that they name."""

import os
import re
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ste_plugin.config import Positive, Strict
from ste_plugin.engines.http.fields import FIXED
from ste_plugin.engines.http.prices import Prices
from ste_plugin.errors import ConfigError
from ste_plugin.text.redaction import register_secret
from ste_plugin.text.settings_errors import validate_settings

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def _check_address(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError("expected an address such as http://localhost:8000/v1") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(
            "expected an address with http:// or https://, as http://localhost:8000/v1"
        )
    if url.port is not None and url.port > 65535:
        raise ValueError("expected a port up to 65535, as in http://localhost:8000/v1")
    if url.userinfo or url.query or url.fragment:
        raise ValueError(
            "expected scheme, host, port and path only; a key goes into an environment variable "
            "that api_key_env names"
        )
    return value.rstrip("/")


def _check_variable_name(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(
            "expected the name of an environment variable in capitals, such as JUDGE_API_KEY; "
            "what was found is not shown, as it may be the key itself"
        )
    return value


Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Weight = Annotated[float, Field(gt=0.0, le=1000.0)]
Address = Annotated[str, AfterValidator(_check_address)]
VariableName = Annotated[str, AfterValidator(_check_variable_name)]
Prefill = Literal["ask", "vllm", "vllm-guided-choice"]


class EndpointOptions(Strict):
    """One of several servers; settings that are left out are those of all."""

    # A key that was put in the wrong place must not be printed with the complaint about it.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: Address
    """Where its `/chat/completions` and `/models` lie: `http://localhost:8000/v1`."""
    weight: Weight = 1.0
    """Its share of the calls, below its limit: weight 2 has twice as many in flight."""
    model: str | None = None
    """The model's name there, if it differs."""
    api_key_env: VariableName | None = None
    """Name of the environment variable that holds its API key."""
    requests_per_minute: Positive | None = None
    """Most calls begun in a minute there."""
    tokens_per_minute: Positive | None = None
    """Most tokens read and written in a minute there."""

    @property
    def url(self) -> str:
        """Where chat requests are posted."""
        return f"{self.base_url}/chat/completions"


class ServerOptions(Strict):
    """Where servers are, and how much each of them is asked at a time."""

    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: Address | None = None
    """Where the server's API lies: `http://localhost:8000/v1`."""
    endpoints: tuple[EndpointOptions, ...] | None = None
    """Several servers of the same weights, in place of `base_url`."""
    api_key_env: VariableName | None = None
    """Name of the environment variable that holds the API key."""
    revision: str = "main"
    """Name of the weights behind the model's name; change it when the server changes them."""
    accept_model: tuple[str, ...] = ()
    """Names that replies may give for the model, beside its own, with or without a version."""
    concurrency: Positive = 128
    """Most calls in flight at an endpoint of weight 1; fewer where the server is overloaded."""
    requests_per_minute: Positive | None = None
    """Most calls begun per minute, at each endpoint."""
    tokens_per_minute: Positive | None = None
    """Most tokens read and generated per minute, at each endpoint."""
    prices: Prices | None = None
    """What tokens cost, for the report."""
    timeout_s: Seconds = 600.0
    """How long one call may stay silent."""
    max_attempts: Positive = 6
    """Attempts of one call per endpoint, the first included; and how often in a row an endpoint may
    be found down before it is given up."""
    backoff_s: Seconds = 0.5
    """Pause before the second attempt; it doubles with every further one, up to 30 s."""

    @model_validator(mode="after")
    def _has_one_address(self) -> "ServerOptions":
        if self.base_url is None and not self.endpoints:
            raise ValueError(
                "base_url: missing; where the server is, such as http://localhost:8000/v1 (or "
                "endpoints, for several)"
            )
        if self.base_url is not None and self.endpoints is not None:
            raise ValueError("base_url, endpoints: expected one of them, found both")
        return self

    def resolve_endpoints(self, model: str) -> tuple[EndpointOptions, ...]:
        """Return every server with all its settings; `model` is its name where it has no other."""
        shared = {
            "model": model,
            "api_key_env": self.api_key_env,
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_minute": self.tokens_per_minute,
        }
        endpoints = self.endpoints or (EndpointOptions(base_url=self.base_url or ""),)
        return tuple(
            e.model_copy(update={k: v for k, v in shared.items() if getattr(e, k) is None})
            for e in endpoints
        )


class HttpOptions(ServerOptions):
    """`options:` of an `engine: http`."""

    samples: Literal[True, False, "auto"] = "auto"
    """Whether a server answers `n` samples in one call; `auto` tries, until one does not."""
    prefill: Prefill = "ask"
    """How a reply is continued and a choice is drawn.

    `vllm`: the server continues the assistant's own turn, restricted to the choices.
    `vllm-guided-choice`: the same, for vLLM before 0.12.
    `ask`: any server; the choice is asked for in one more user turn, and read from the reply.
    """

    extra_body: dict[str, Any] = Field(default_factory=dict, examples=[{"reasoning_effort": "low"}])
    """Fields added to every request, in place of ours of that name: `{reasoning_effort: low}`."""
    omit: tuple[str, ...] = ()
    """Fields left out of every request: `[seed]`. What a server refuses is found out without."""

    @model_validator(mode="after")
    def _leaves_the_request(self) -> "HttpOptions":
        for option, names in (("extra_body", self.extra_body), ("omit", self.omit)):
            if fixed := sorted(FIXED.intersection(names)):
                raise ValueError(
                    f"{option}: {', '.join(fixed)} may not be changed here, as the run says which "
                    "model is asked what and how often (samples: false sends no n)"
                )
        return self


def read_options(raw: dict[str, Any]) -> HttpOptions:
    """Return the checked settings.

    Raises: ConfigError naming each wrong one, the nearest right name, and no value.
    """
    return validate_settings(HttpOptions, raw, "options of engine http", show=False)


def read_api_key(variable: str | None, engine: str = "http") -> str:
    """Return the key in that environment variable, or '' where none is named.

    Raises: ConfigError naming the variable where it is unset or holds what no header can carry.
    """
    if variable is None:
        return ""
    register_secret(variable)
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"options of engine {engine}: api_key_env: the environment variable {variable} is not "
            f"set. Set it (`export {variable}=...`), or leave api_key_env out for a server without "
            "keys."
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(
            f"options of engine {engine}: api_key_env: the value of {variable} holds spaces, line "
            "breaks or letters beyond ASCII, which no API key does. Set it again."
        )
    return key
