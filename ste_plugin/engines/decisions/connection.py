"""One question to one server, by the newest form of the endpoint that it has."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from ste_plugin.engines.decisions.question import Question
from ste_plugin.engines.decisions.refusals import NO_ENDPOINT, unsupported
from ste_plugin.engines.decisions.wire import FORMS, Decided, Form, read_decided
from ste_plugin.engines.http.connection import Body, Connections
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.errors import TransientError
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.http.refusal import Refusal, read_refusal
from ste_plugin.engines.http.response import Reply, UnreadableReply, read_json
from ste_plugin.engines.http.usage import estimate_tokens
from ste_plugin.errors import EngineError

logger = logging.getLogger(__name__)

_NO_SUCH_PLACE = (404, 405)
_NOT_IMPLEMENTED = 501


class FormsFound:
    """Which form each server was found to have; kept over stages, shared by threads."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, endpoint: Endpoint) -> Form | None:
        """Return the form to ask next, or None where the server has none."""
        place = self._places.get(endpoint.options.base_url, 0)
        return FORMS[place] if place < len(FORMS) else None

    def lacks(self, endpoint: Endpoint, form: Form) -> None:
        """Remember that a server does not have a form."""
        place = FORMS.index(form) + 1  # another thread may have found the same
        if place > self._places.get(endpoint.options.base_url, 0):
            self._places[endpoint.options.base_url] = place
            if place < len(FORMS):
                message = "%s: has no /%s; asked by the earlier form, /%s."
                later = FORMS[place].path
                logger.info(message, endpoint.options.base_url, form.path, later)


class DecisionConnections(Connections):
    """Connections to servers that answer questions."""

    def __init__(
        self,
        options: HttpOptions,
        keys: frozenset[str],
        max_connections: int,
        *,
        forms: FormsFound,
        diagnose: Callable[[], str],
    ) -> None:
        """`diagnose` says why a server may find the model unsupported, as far as that is known."""
        super().__init__(options, keys, max_connections)
        self._forms, self._diagnose = forms, diagnose

    def max_tokens(self, body: Body, n: int) -> float:
        """Return about how many tokens a call can use: a prompt and a letter."""
        question: Question = body["question"]
        return float(estimate_tokens(question.text) + 1)

    def exchange(self, endpoint: Endpoint, body: Body, n: int) -> Reply:
        """Return the answer to `body["question"]`, a `Decided`, or a reply without any.

        Raises: TransientError where a retry may help; EngineError where the server refuses;
        SessionClosed where the call was ended by `close`.
        """
        question: Question = body["question"]
        while form := self._forms.of(endpoint):
            url = f"{endpoint.options.base_url}/{form.path}"
            response = self._post(endpoint, url, form.body(str(body["model"]), question))
            content = self._without_keys(response.content)
            if response.is_success:
                return self._decided(endpoint, content, form, question)
            refusal = read_refusal(response.status_code, read_json(content))
            if not _is_no_such_place(refusal):
                return self._explained(endpoint, body, refusal, response.headers)
            self._forms.lacks(endpoint, form)
        url = endpoint.options.base_url
        begun = "" if url.endswith("/v1") else f"it does not end in /v1: write {url}/v1. Else "
        raise EngineError(f"{url}: {begun}{NO_ENDPOINT}")

    def _decided(
        self, endpoint: Endpoint, content: bytes, form: Form, question: Question
    ) -> Decided:
        try:
            reply = read_decided(content, form, question)
        except UnreadableReply as error:
            raise TransientError(str(error), error.hint) from error
        self._check_model(endpoint, reply.model)
        url, shown = endpoint.options.url, [{"content": question.text}]
        endpoint.tokens_read.check(url, shown, reply.prompt_tokens)
        if not reply.prompt_tokens:
            return replace(reply, prompt_tokens=estimate_tokens(question.text), estimated=True)
        return reply

    def _explained(self, endpoint: Endpoint, body: Body, refusal: Refusal, headers: Any) -> Reply:
        if refusal.status == _NOT_IMPLEMENTED:
            words = self.quote(refusal.message)
            raise EngineError(unsupported(endpoint.options, words, self._diagnose()))
        told: httpx.Headers = headers
        return self._refused(endpoint, body, 1, refusal, told)


def _is_no_such_place(refusal: Refusal) -> bool:
    """Return whether a server does not have an address, rather than the model."""
    if refusal.status not in _NO_SUCH_PLACE:
        return False
    about_model = "model" in refusal.fields or "model" in refusal.message.casefold()
    return not about_model
