"""One call to one server, and what came of it."""

import json
from typing import Any

import httpx

from ste_plugin.engines.http.client import Client
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import Transient, refusal, refuses_samples, silence, too_long
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.http.response import (
    NO_SAMPLES,
    TOO_LONG,
    Reply,
    UnreadableReply,
    read_reply,
    same_model,
)
from ste_plugin.errors import EngineError

_SHOWN = 300
Body = dict[str, Any]


class Connections:
    """Connections to servers, usable from many threads until closed."""

    def __init__(self, options: HttpOptions, keys: frozenset[str], most: int) -> None:
        self._options, self._keys = options, keys
        self._client = Client(options.timeout_s, most)

    def close(self) -> None:
        """End every call, even those that wait for an answer; calling it twice is harmless."""
        self._client.close()

    def exchange(self, endpoint: Endpoint, body: Body, n: int) -> Reply:
        """Return the reply to one call for n samples.

        Raises: Transient where asking again may help; EngineError where the server refuses; Closed
        where the call was ended from here.
        """
        # What UTF-8 cannot hold (a lone surrogate) becomes '?': no server would take it.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"} | _authorization(endpoint)
        try:
            response = self._client.request(
                "POST", endpoint.options.url, content=content, headers=headers
            )
        except httpx.RequestError as error:
            raise silence(error, self._options.timeout_s) from error
        if response.is_success:
            return self._read(endpoint, self._without_keys(response.content), n)
        if too_long(response):
            return TOO_LONG
        if n > 1 and self._options.samples == "auto" and refuses_samples(response):
            return NO_SAMPLES
        raise refusal(endpoint.options, response, lambda: self._served(endpoint), self.shown)

    def shown(self, text: str) -> str:
        """Return the beginning of a stranger's text on one line, without our keys."""
        for key in self._keys:
            text = text.replace(key, "[API key]")
        return " ".join(text.split())[:_SHOWN]

    def _without_keys(self, content: bytes) -> bytes:
        """Return a reply in which the server does not tell us our own key, which would go on file."""
        for key in self._keys:
            content = content.replace(key.encode(), b"[API key]")
        return content

    def _read(self, endpoint: Endpoint, content: bytes, n: int) -> Reply:
        try:
            reply = read_reply(content, n, 1 if self._options.samples == "auto" else n)
        except UnreadableReply as error:
            cure = (
                "A server that gives one sample a call needs options.samples: false."
                if n > 1
                else "options.base_url must lead to an OpenAI-compatible server."
            )
            raise Transient(str(error), cure) from error
        asked = (endpoint.options.model or "", *self._options.accept_model)
        if reply.model and not any(same_model(name, reply.model) for name in asked):
            told = self.shown(reply.model)
            raise EngineError(
                f"{endpoint.options.url}: asked for the model {asked[0]!r}, answered by one named "
                f"{told!r}.\nIf these are the same weights, set options.accept_model: [{told!r}]; if "
                "not, set the model's name to one that the server has."
            )
        return reply

    def _served(self, endpoint: Endpoint) -> str:
        """Return in words what the server says it serves."""
        url = f"{endpoint.options.base_url}/models"
        try:
            found = self._client.request("GET", url, headers=_authorization(endpoint))
            names = sorted(str(model["id"]) for model in found.json()["data"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return f"GET {url} gives no list of models, so base_url is the first suspect"
        return f"GET {url} lists: {', '.join(names) or 'none'}"


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
