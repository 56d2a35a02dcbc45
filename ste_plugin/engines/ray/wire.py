"""What the driver and its replicas send each other, as bytes that every version of Python reads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.errors import EngineError


class Event(NamedTuple):
    """What a replica tells its driver from time to time."""

    taken: int
    """Requests that its engine has taken since the session began."""
    completions: list[Completion]
    lines: list[str]
    """For a person."""
    failure: tuple[str, str] | None
    """Class and message of the error that ended its engine."""


_event_decoder = msgspec.msgpack.Decoder(Event)
_request_decoder = msgspec.msgpack.Decoder(list[tuple[str, ChatRequest]])
_encode = msgspec.msgpack.Encoder().encode


def encode_requests(requests: Sequence[ChatRequest]) -> bytes:
    """Return requests with their prompts' keys, which are long to compute."""
    return _encode([(request.prompt_key, request) for request in requests])


def decode_requests(sent: bytes) -> list[ChatRequest]:
    """Return the requests."""
    return [request.with_prompt_key(key) for key, request in _request_decoder.decode(sent)]


def encode_event(event: Event) -> bytes:
    """Return an event as bytes. Raises: TypeError for a completion with another kind of value."""
    return _encode(event)


def decode_event(sent: Any) -> Event:
    """Return the event. Raises: EngineError for a completion with values of other kinds."""
    try:
        return _event_decoder.decode(sent)
    except msgspec.ValidationError as error:
        raise EngineError(f"An engine answered what is no completion: {error}. Fix it.") from error
