"""What lm-eval's API backends send to a server, and read of its replies. Only lm-eval imports this
module.

lm-eval sends every server the same names, hides finish reasons and reasoning, and of a refusal says
only its number. So four methods of such a backend are wrapped, once.
"""

import copy
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from ste_plugin.engines.http.fields import RequestFields
from ste_plugin.engines.http.refusal import read_refusal
from ste_plugin.engines.http.response import (
    RefusedReply,
    Reply,
    UnreadableReply,
    read_json,
    read_reply,
)
from ste_plugin.engines.http.usage import TokensRead
from ste_plugin.errors import ConfigError, HostError
from ste_plugin.lm_eval_tasks.whole_replies import ApiReply

logger = logging.getLogger(__name__)

LOOKED_AT = 4
"""Replies in a row that have reasoning and no answer, before a server is taken to give no other."""
_MAX_ADAPTED = 12
_MAX_SAID = 600
_SENT: ContextVar[dict[str, Any]] = ContextVar("sent")
"""The request of this thread or task that was made last."""


class Payload:
    """A backend's `_create_payload` that sends what the server takes."""

    def __init__(self, make: Callable[..., dict[str, Any]], omitted: Sequence[str]) -> None:
        self.make, self.fields = make, RequestFields({}, omitted)

    def __call__(self, *args: Any, **settings: Any) -> dict[str, Any]:
        """Return the JSON of a request; null and an empty list of stops say nothing, so neither is
        sent."""
        body = self.make(*args, **settings)
        if not body.get("stop", True):
            del body["stop"]
        sent = self.fields.apply(body)
        _SENT.set(sent)
        return sent

    def adapt(self, status: int, said: bytes) -> bool:
        """Learn from a refusal; return whether another request may be taken."""
        changed = self.fields.adapt(read_refusal(status, read_json(said)), _SENT.get())
        if changed:
            logger.warning("The server does not take a request as lm-eval makes it: %s.", changed)
        return bool(changed)


class ReplyParser:
    """A backend's `parse_generations` that keeps what was told beside the text."""

    def __init__(self, parse: Callable[..., Sequence[str]], url: str) -> None:
        self.parse, self.url = parse, url
        self.tokens_read = TokensRead()

    def __call__(self, outputs: Any, **settings: Any) -> Sequence[str]:
        """Return the replies of a response, or of several.

        Raises: HostError for an error; EngineError where the server has cut the prompt.
        """
        bodies = outputs if isinstance(outputs, list) else [outputs]
        if not all(map(is_readable, bodies)):
            return self.parse(outputs=outputs, **settings)
        replies = [read_body(body) for body in bodies]
        messages = _SENT.get({}).get("messages", ())
        self.tokens_read.check(self.url, messages, replies[-1].prompt_tokens)
        return [
            # one that has no finish reason at all is taken for finished: servers leave it out
            ApiReply(s.text, s.reasoning.strip(), cut=s.reason != "None" and s.ending != "stop")
            for reply in replies
            for s in reply.samples
        ]


class CheckedCall:
    """A backend's `model_call` that takes an error for what it is, so that lm-eval tries again."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Return the server's response. Raises: HostError for an error in it."""
        found = self.call(*args, **settings)
        if is_readable(found) and settings.get("generate", True):
            read_body(found)
        return found


class FirstRequests:
    """A backend's `generate_until` that asks alone first, to see what the server takes and says."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.generate = backend, backend.generate_until
        self.looked = False

    def __call__(self, requests: Sequence[Any], *args: Any, **settings: Any) -> list[str]:
        """Return a reply to every request, in their order.

        Raises: ConfigError in the server's words where it refuses, or where it gives no answers.
        """
        first = [] if self.looked else self.look(requests)
        self.looked = True
        rest = requests[len(first) :]
        return [*first, *(self.generate(rest, *args, **settings) if rest else [])]

    def look(self, requests: Sequence[Any]) -> list[str]:
        """Return the first reply; only where it has no answer some more."""
        replies: list[str] = []
        for request in requests[:LOOKED_AT]:
            reply = ask_alone(self.backend, request)
            if reply is None:
                return replies
            replies.append(reply)
            if not getattr(reply, "only_thought", False):
                return replies
        raise ConfigError(
            f"{self.backend.base_url}: the server's replies have reasoning (`reasoning_content`) "
            f"and no content, {len(replies)} of {len(replies)}: it takes the answer for a part of "
            "the thought. Mend or leave out the server's reasoning parser (vLLM: "
            "--reasoning-parser), or turn thinking off (chat_template_kwargs)."
        )


def ask_alone(backend: Any, request: Any) -> str | None:
    """Return the reply to one request; None where the server cannot be had just now.

    A name that the server does not take is left out from then on. Raises: ConfigError in the
    server's words for any other refusal.
    """
    import requests

    prompt, generation = request.args
    messages = [prompt]
    if backend.tokenized_requests:
        messages = backend.tok_encode(messages, add_special_tokens=backend.add_bos_token)
    for _ in range(_MAX_ADAPTED):
        try:
            found = backend.model_call(
                messages=messages, generate=True, gen_kwargs=copy.deepcopy(generation)
            )
            replies: Sequence[str] = backend.parse_generations(outputs=found, contexts=[prompt])
            return replies[0] if replies else None
        except requests.HTTPError as error:
            if not _adapt(backend, error.response):
                return None
        except (requests.RequestException, HostError):
            return None
    return None


def _adapt(backend: Any, response: Any) -> bool:
    """Return whether to ask again otherwise. Raises: ConfigError where nothing helps."""
    refusal = read_refusal(response.status_code, read_json(response.content))
    if backend._create_payload.adapt(response.status_code, response.content):
        return True
    if refusal.is_transient:
        return False
    raise ConfigError(
        f"{backend.base_url}: the server refuses ({response.status_code}): "
        f"{response.text.strip()[:_MAX_SAID]}\nMend what it names. A field of the request that it "
        "does not take can be left out: STE_JUDGE_OMIT (evaluation.omit)."
    )


def is_readable(body: Any) -> bool:
    """Return whether a response is one of OpenAI's kind, or an error in its place."""
    return isinstance(body, Mapping) and bool(body.get("choices") or body.get("error"))


def read_body(body: Mapping[str, Any]) -> Reply:
    """Return what a response says, of chats or completions.

    Raises: HostError where it is an error, or unreadable.
    """
    choices = [
        c if "message" in c else {**c, "message": {"content": c.get("text")}}
        for c in body.get("choices") or ()
    ]
    content = json.dumps({**body, "choices": choices}).encode()
    try:
        return read_reply(content, n=max(1, len(choices)), min_choices=1)
    except (RefusedReply, UnreadableReply) as error:
        raise HostError(f"The server's reply is an error: {str(error)[:_MAX_SAID]}") from error


def is_api(backend: Any) -> bool:
    """Return whether a backend asks a server over HTTP."""
    return all(hasattr(backend, name) for name in ("_create_payload", "model_call"))


def prepare_api(backend: Any, omitted: Sequence[str]) -> None:
    """Make an API backend send what its server takes, once, however many tasks ask for it."""
    if not isinstance(backend._create_payload, Payload):
        backend._create_payload = Payload(backend._create_payload, omitted)
        backend.parse_generations = ReplyParser(backend.parse_generations, backend.base_url)
        backend.model_call = CheckedCall(backend.model_call)
        backend.generate_until = FirstRequests(backend)
