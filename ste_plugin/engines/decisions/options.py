"""The settings of an engine that asks the decisions endpoint."""

from typing import Annotated, Any

from pydantic import Field

from ste_plugin.engines.http.options import EndpointOptions, HttpOptions, ServerOptions
from ste_plugin.text.settings_errors import validate_settings


class DecisionOptions(ServerOptions):
    """`options:` of an `engine: decisions`."""

    label_mass: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Prompts at which the letters have less than this share of the model's probability are counted
    and warned of: the model wanted to write something else there."""

    def as_http(self) -> HttpOptions:
        """Return what the parts of `engine: http` are given: all samples of a prompt in a call."""
        own = self.model_dump(exclude={"label_mass"})
        return HttpOptions(prefill="vllm", samples=True, **own)


class DecisionEndpoint(EndpointOptions):
    """A server that is asked for decisions."""

    @property
    def url(self) -> str:
        """Where questions are posted."""
        return f"{self.base_url}/decisions"


def read_options(raw: dict[str, Any]) -> DecisionOptions:
    """Return the checked settings. Raises: ConfigError naming each wrong one, and no value."""
    return validate_settings(DecisionOptions, raw, "options of engine decisions", show=False)
