"""Batch files: requests as OpenAI's batch API and vLLM's `run-batch` take them, and their answers.

A line is a call of the HTTP engine, written and read by its own code. Its `custom_id` names the
requests that it answers.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.engines.http.connection import Body
from ste_plugin.engines.http.engine import HttpEngine
from ste_plugin.engines.http.refusal import Refusal, read_refusal, status_of
from ste_plugin.engines.http.request import Call, plan_calls
from ste_plugin.engines.http.response import (
    PROMPT_BLOCKED,
    PROMPT_TOO_LONG,
    RefusedReply,
    Reply,
    UnreadableReply,
    read_json,
    read_reply,
    same_model,
)
from ste_plugin.engines.http.usage import with_estimates

URL = "/v1/chat/completions"
_ID = re.compile(r"([0-9a-f]{16})-(0|[1-9]\d{0,8})(?:x([1-9]\d{0,8}))?")
_MAX_QUOTED = 200
_NO_CHOICE = "its reply names none of the choices, or several"


class UnansweredCall(Exception):
    """A line that holds no answer, and why: its requests are to be asked again."""


@dataclass(frozen=True, slots=True)
class CallId:
    """The samples of one prompt that a line asks for, as its `custom_id` names them."""

    prompt: int
    """The prompt's key as a number."""
    first: int
    """Index of the first sample."""
    count: int = 1

    @classmethod
    def of(cls, call: Call) -> "CallId":
        """Return the id of a call."""
        first = call.first
        return cls(first.prompt_number, first.sample_index, len(call.requests))

    @classmethod
    def parse(cls, text: object) -> "CallId | None":
        """Return the id that a line gives, or None where it is none of ours."""
        match = _ID.fullmatch(text) if isinstance(text, str) else None
        return match and cls(int(match[1], 16), int(match[2]), int(match[3] or 1))

    def __str__(self) -> str:
        several = f"x{self.count}" if self.count > 1 else ""
        return f"{self.prompt:016x}-{self.first}{several}"

    @property
    def samples(self) -> range:
        """The indices of the samples."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True)
class Response:
    """What a line says came of a call."""

    status: int
    """As of HTTP; 0 where nothing was answered at all."""
    body: Any
    """The server's JSON, or the farm's own error."""

    @property
    def refusal(self) -> Refusal | None:
        """What it says in place of an answer, or None for a success."""
        return None if self.status == 200 else read_refusal(self.status, self.body)


def refused_reply(refusal: Refusal) -> Reply:
    """Return the reply for a prompt that gets no answer, however often it is asked.

    Raises: UnansweredCall for any other refusal.
    """
    if refusal.is_blocked:
        return PROMPT_BLOCKED
    if refusal.is_too_long:
        return PROMPT_TOO_LONG
    words = " ".join(refusal.message.split())[:_MAX_QUOTED]
    raise UnansweredCall(f"HTTP {refusal.status}: {words}" if refusal.status else words)


def read_response(row: dict[str, Any]) -> Response:
    """Return what a line of answers holds.

    Source: OpenAI's batch API (`response`, `error`), and vLLM's `run-batch`, whose errors lie under
    `error` or in the response's body, with or without a wrapper of their own. Gateways leave the
    status out, write it or the body as text, or give the body in place of the response.
    """
    response, error = row.get("response"), row.get("error")
    if isinstance(response, dict) and not _says_anything(error):
        if "choices" in response:
            return Response(200, response)
        body = response.get("body")
        body = read_json(body.encode("utf-8", "replace")) if isinstance(body, str) else body
        is_answer = isinstance(body, dict) and "choices" in body
        return Response(_status(response, 200 if is_answer else 0), body)
    known = _status(response, 0) if isinstance(response, dict) else 0
    status = known if known != 200 and known else status_of(error, 0)
    return Response(status, error or "neither a response nor an error")


def _says_anything(error: Any) -> bool:
    """Return whether there is an error; some write an empty one beside every answer."""
    return any(error.values()) if isinstance(error, dict) else bool(error)


def _status(response: dict[str, Any], otherwise: int) -> int:
    """Return the status that a response gives, as a number or a text."""
    status = str(response.get("status_code"))
    return int(status) if re.fullmatch(r"\d{3}", status) else otherwise


class BatchFormat:
    """How one model's calls are written as lines, and how lines of answers are read."""

    def __init__(self, engine: HttpEngine, *, for_openai: bool = False) -> None:
        """`for_openai`: leave out what OpenAI's own servers do not know."""
        self._engine = engine
        if for_openai:
            engine.endpoint.fields.assume_openai()

    def plan(self, requests: Iterable[ChatRequest]) -> Iterator[Call]:
        """Yield the calls that ask for all requests."""
        options = self._engine.options
        return plan_calls(requests, lambda: bool(options.samples), options.prefill)

    def encode(self, call: Call) -> bytes:
        """Return a call as a line. Raises: EngineError for what cannot be asked."""
        outbox = _Outbox(self._engine)
        try:
            self._engine.reply(outbox.post, call)
        except _Posted as posted:
            row = {
                "custom_id": str(CallId.of(call)),
                "method": "POST",
                "url": URL,
                "body": posted.body,
            }
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            return line.encode("utf-8", "replace") + b"\n"
        raise AssertionError("an engine answers nothing by itself")

    def read(self, call: Call, response: Response) -> list[Completion]:
        """Return the completions that a response gives, as the HTTP engine reads it.

        Raises: UnansweredCall where it gives none; EngineError where no such answer can be used.
        """
        reply = self._engine.reply(_Inbox(self._engine, response).post, call)
        answer = self._engine.read(call, reply)
        if answer.no_choice:
            raise UnansweredCall(_NO_CHOICE)
        if not answer.completions:
            raise UnansweredCall("all of its choices were broken off")
        return answer.completions


class _Posted(Exception):
    """The body of a call that an engine has posted."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body


class _Outbox:
    """Takes calls, and raises each."""

    def __init__(self, engine: HttpEngine) -> None:
        self._endpoint = engine.endpoint

    def post(self, body: Body, n: int) -> Reply:
        """Raise the body as the server would get it."""
        raise _Posted(self._endpoint.fields.apply(body | {"model": self._endpoint.options.model}))


class _Inbox:
    """Gives the reply of one response, once."""

    def __init__(self, engine: HttpEngine, response: Response) -> None:
        self._endpoint, self._options = engine.endpoint, engine.options
        self._response: Response | None = response

    def post(self, body: Body, n: int) -> Reply:
        """Return the reply. Raises: UnansweredCall where it is none, or is asked for again."""
        response, self._response = self._response, None
        if response is None:
            raise UnansweredCall(_NO_CHOICE)
        own_body = self._endpoint.fields.apply(body | {"model": self._endpoint.options.model})
        try:
            if response.refusal:
                raise RefusedReply(response.refusal)
            reply = self._read(response, n)
        except RefusedReply as refused:
            return refused_reply(refused.refusal)
        self._endpoint.tokens_read.check("batch file", own_body["messages"], reply.prompt_tokens)
        return with_estimates(reply, own_body)

    def _read(self, response: Response, n: int) -> Reply:
        """Return what a success holds. Raises: RefusedReply for an error in its place."""
        try:
            content = json.dumps(response.body).encode()
            reply = read_reply(content, n, 1 if self._options.samples == "auto" else n)
        except UnreadableReply as error:
            raise UnansweredCall(str(error)[:_MAX_QUOTED]) from error
        self._check_model(reply.model)
        return reply

    def _check_model(self, reported: str) -> None:
        requested = self._endpoint.options.model or ""
        accepted = (requested, *self._options.accept_model)
        if reported and not any(same_model(name, reported) for name in accepted):
            name = reported[:_MAX_QUOTED]
            raise UnansweredCall(
                f"answered by the model {name!r}, asked for {requested!r} (options.accept_model: "
                f"[{name!r}] says that these are the same weights)"
            )
