"""What lm-eval's API backends send to a server, and read of its replies. Only lm-eval imports this
module.

lm-eval sends every server the same names, hides finish reasons and reasoning, and of a refusal says
only its number. So four methods of such a backend are wrapped, once.
"""

import copy
import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ste_plugin.errors import ConfigError, HostError
from ste_plugin.lm_eval_tasks.whole_replies import ApiReply

logger = logging.getLogger(__name__)

LOOKED_AT = 4
"""Replies in a row that have reasoning and no answer, before a server is taken to give no other."""
_FINISHED = (None, "", "stop", "eos", "eos_token", "stop_sequence", "end_turn")
_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_FIXED = ("model", "messages", "prompt")
_MAX_REFUSALS = 12
_TRANSIENT = (408, 409, 425, 429)


class Payload:
    """What is sent: all that lm-eval makes of a request, but what the server does not take."""

    def __init__(self, make: Callable[..., dict[str, Any]]) -> None:
        self.make = make
        self.omitted: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.names: tuple[str, ...] = ()
        """Of the last request."""

    def __call__(self, *args: Any, **settings: Any) -> dict[str, Any]:
        """Return the JSON of a request; null and an empty list of stops say nothing, so neither is
        sent."""
        made = self.make(*args, **settings).items()
        body = {
            self.renamed.get(name, name): value
            for name, value in made
            if name not in self.omitted and value is not None and (name, value) != ("stop", [])
        }
        self.names = tuple(body)
        return body

    def adapt(self, refusal: str) -> bool:
        """Leave out or rename what a refusal names; return whether there is anything."""
        sendable = [name for name in self.names if name not in _FIXED]
        name = refused_name(refusal, sendable)
        if name is None or name in self.renamed.values():
            return False
        if name in _RENAMED:
            self.renamed[name] = _RENAMED[name]
            logger.warning("The server does not take %s: sending %s.", name, _RENAMED[name])
        else:
            self.omitted.add(name)
            logger.warning("The server does not take %s: its own default counts.", name)
        return True


def refused_name(refusal: str, names: Collection[str]) -> str | None:
    """Return which of the names of a request its refusal is about: as `param`, else the first."""
    try:
        found = json.loads(refusal)
    except ValueError:
        found = None
    error = found.get("error", found) if isinstance(found, dict) else None
    param = str(error.get("param") or "") if isinstance(error, dict) else ""
    if param.rpartition(".")[2] in names:
        return param.rpartition(".")[2]
    places = {n: m.start() for n in names if (m := re.search(rf"(?<!\w){n}(?!\w)", refusal))}
    return min(places, key=lambda name: places[name], default=None)


class ReplyParser:
    """A backend's `parse_generations` that keeps what was told beside the text."""

    def __init__(self, parse: Callable[..., Sequence[str]]) -> None:
        self.parse = parse

    def __call__(self, outputs: Any, **settings: Any) -> Sequence[str]:
        """Return the replies of a response, or of several. Raises: HostError for an error."""
        bodies = outputs if isinstance(outputs, list) else [outputs]
        if not all(isinstance(b, Mapping) and _choices(b) for b in bodies):
            refuse_errors(bodies)
            return self.parse(outputs=outputs, **settings)
        refuse_errors(bodies)
        return [read_choice(choice) for body in bodies for choice in _choices(body)]


class CheckedCall:
    """A backend's `model_call` that takes an error for what it is, so that lm-eval tries again."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Return the server's response. Raises: HostError for an error in it."""
        found = self.call(*args, **settings)
        refuse_errors([found])
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
    for _ in range(_MAX_REFUSALS):
        try:
            found = backend.model_call(
                messages=messages, generate=True, gen_kwargs=copy.deepcopy(generation)
            )
            return backend.parse_generations(outputs=found, contexts=[prompt])[0] or ""
        except requests.HTTPError as error:
            if not _adapt(backend, error.response):
                return None
        except (requests.RequestException, HostError):
            return None
    return None


def _adapt(backend: Any, response: Any) -> bool:
    """Return whether to ask again in other words. Raises: ConfigError where nothing helps."""
    status, told = response.status_code, response.text
    if not 400 <= status < 500 or status in _TRANSIENT:
        return False
    if status in (400, 422) and backend._create_payload.adapt(told):
        return True
    raise ConfigError(
        f"{backend.base_url}: the server refuses ({status}): {told.strip()[:600]}\n"
        "Mend what it names; a name of the request that it does not take can be left out "
        "(STE_JUDGE_OMIT)."
    )


def read_choice(choice: Mapping[str, Any]) -> ApiReply:
    """Return what a choice says, in chats and completions, and what was told beside it."""
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {"content": choice.get("text")}
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    thought = message.get("reasoning_content") or message.get("reasoning") or _texts(parts, True)
    thought = thought if isinstance(thought, str) else ""
    return ApiReply(
        _texts(parts, False), thought.strip(), choice.get("finish_reason") not in _FINISHED
    )


def _texts(parts: Iterable[Any], thinking: bool) -> str:
    """Return the text of a content's parts, of those that are thought or of the others."""
    texts = []
    for part in parts:
        if isinstance(part, str) and not thinking:
            texts.append(part)
        elif isinstance(part, Mapping) and ("thinking" in part) == thinking:
            inner = part.get("thinking" if thinking else "text")
            texts.append(_texts(inner, False) if isinstance(inner, list) else str(inner or ""))
    return "".join(texts)


def refuse_errors(bodies: Iterable[Any]) -> None:
    """Raise HostError where a response of status 200 is an error."""
    for body in bodies:
        found = [body, *_choices(body)] if isinstance(body, Mapping) else []
        for error in (part["error"] for part in found if part.get("error")):
            raise HostError(f"The server replied with an error: {json.dumps(error)[:600]}")


def _choices(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a response's choices in their order."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(c, Mapping) for c in choices):
        return []
    return sorted(choices, key=lambda choice: choice.get("index") or 0)


def is_api(backend: Any) -> bool:
    """Return whether a backend asks a server over HTTP."""
    return all(hasattr(backend, name) for name in ("_create_payload", "model_call"))


def prepare_api(backend: Any, omitted: Iterable[str]) -> None:
    """Make an API backend send what its server takes, once, however many tasks ask for it."""
    if not isinstance(backend._create_payload, Payload):
        backend._create_payload = Payload(backend._create_payload)
        backend.parse_generations = ReplyParser(backend.parse_generations)
        backend.model_call = CheckedCall(backend.model_call)
        backend.generate_until = FirstRequests(backend)
    backend._create_payload.omitted |= set(omitted)
