"""One call to one server, and what came of it."""

import json
import logging
from dataclasses import replace
from typing import Any

import httpx

from ste_plugin.engines.http.client import Client
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import (
    TransientError,
    no_reply_error,
    refusal_error,
    refuses_samples,
)
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.http.refusal import Refusal, read_refusal
from ste_plugin.engines.http.response import (
    FIELDS_REFUSED,
    PROMPT_BLOCKED,
    PROMPT_TOO_LONG,
    PROMPT_UNCLEAR,
    SAMPLES_REFUSED,
    RefusedReply,
    Reply,
    UnreadableReply,
    read_json,
    read_reply,
    same_model,
)
from ste_plugin.engines.http.usage import estimate_tokens, with_estimates
from ste_plugin.errors import EngineError
from ste_plugin.text.redaction import is_secret_value

logger = logging.getLogger(__name__)

_MAX_QUOTED = 300
_MAY_BE_THE_PROMPT = (400, 422)
"""Statuses of refusals that say nothing of their reason, and may be about one prompt alone."""
_CHANGED = "%s: refused a request (%s). From here on: %s."
Body = dict[str, Any]


class Connections:
    """Connections to servers, usable from many threads until closed."""

    def __init__(self, options: HttpOptions, keys: frozenset[str], max_connections: int) -> None:
        self._options = options
        # A local server's `EMPTY` or `x` is no secret, and stands in many an answer.
        self._keys = frozenset(filter(is_secret_value, keys))
        self._client = Client(options.timeout_s, max_connections)

    def close(self) -> None:
        """End every call, even those that wait for an answer; calling it twice is harmless."""
        self._client.close()

    def exchange(self, endpoint: Endpoint, body: Body, n: int) -> Reply:
        """Return the reply to one call for n samples.

        Raises: TransientError where a retry may help; EngineError where the server refuses;
        SessionClosed where the call was ended by `close`.
        """
        response = self._post(endpoint, endpoint.options.url, body)
        content = self._without_keys(response.content)
        try:
            if not response.is_success:
                raise RefusedReply(read_refusal(response.status_code, read_json(content)))
            reply = self._read(endpoint, content, n)
        except RefusedReply as refused:
            return self._refused(endpoint, body, n, refused.refusal, response.headers)
        endpoint.tokens_read.check(endpoint.options.url, body["messages"], reply.prompt_tokens)
        return with_estimates(reply, body)

    def max_tokens(self, body: Body, n: int) -> float:
        """Return about how many tokens a call can use."""
        read = sum(estimate_tokens(turn["content"]) for turn in body["messages"])
        return float(read + n * body["max_tokens"])

    def _post(self, endpoint: Endpoint, url: str, body: Body) -> httpx.Response:
        # What UTF-8 cannot hold (a lone surrogate) becomes '?': no server would take it.
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"} | _authorization(endpoint)
        try:
            return self._client.request("POST", url, content=content, headers=headers)
        except httpx.RequestError as error:
            raise no_reply_error(error, self._options.timeout_s) from error

    def _refused(
        self, endpoint: Endpoint, body: Body, n: int, refusal: Refusal, headers: httpx.Headers
    ) -> Reply:
        """Return what a refusal says about this prompt, or about how to ask; else raise it."""
        words = self.quote(refusal.message)
        if refusal.is_blocked:
            return replace(PROMPT_BLOCKED, words=words)
        if refusal.is_too_long:
            return replace(PROMPT_TOO_LONG, words=words)
        if (change := endpoint.fields.adapt(refusal, body)) is not None:
            if change:
                logger.warning(_CHANGED, endpoint.options.url, words, change)
            return FIELDS_REFUSED
        if n > 1 and self._options.samples == "auto" and refuses_samples(refusal):
            return SAMPLES_REFUSED
        error = refusal_error(
            endpoint.options, refusal, headers, lambda: self._list_models(endpoint), self.quote
        )
        if refusal.status in _MAY_BE_THE_PROMPT:
            return replace(PROMPT_UNCLEAR, words=str(error))
        raise error

    def quote(self, text: str) -> str:
        """Return the beginning of an untrusted text on one line, without our keys."""
        for key in self._keys:
            text = text.replace(key, "[API key]")
        return " ".join(text.split())[:_MAX_QUOTED]

    def _without_keys(self, content: bytes) -> bytes:
        """Return a reply without our own key, should it repeat that: replies are kept on disk."""
        for key in self._keys:
            content = content.replace(key.encode(), b"[API key]")
        return content

    def _read(self, endpoint: Endpoint, content: bytes, n: int) -> Reply:
        try:
            reply = read_reply(content, n, 1 if self._options.samples == "auto" else n)
        except UnreadableReply as error:
            hint = error.hint or (
                "A server that gives one sample a call needs options.samples: false."
                if n > 1
                else "options.base_url must lead to an OpenAI-compatible server."
            )
            raise TransientError(str(error), hint) from error
        self._check_model(endpoint, reply.model)
        return reply

    def _check_model(self, endpoint: Endpoint, reported: str) -> None:
        requested = endpoint.options.model or ""
        accepted = (requested, *self._options.accept_model)
        if reported and not any(same_model(name, reported) for name in accepted):
            name = self.quote(reported)
            raise EngineError(
                f"{endpoint.options.url}: asked for the model {requested!r}, answered by one named "
                f"{name!r}.\nIf these are the same weights, set options.accept_model: [{name!r}]; "
                "if not, set the model's name to one that the server has."
            )

    def _list_models(self, endpoint: Endpoint) -> str:
        """Return in words what the server says it serves."""
        url = f"{endpoint.options.base_url}/models"
        try:
            response = self._client.request("GET", url, headers=_authorization(endpoint))
            names = sorted(str(model["id"]) for model in response.json()["data"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return f"GET {url} gives no list of models, so base_url is the first suspect"
        return f"GET {url} lists: {', '.join(names) or 'none'}"


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
