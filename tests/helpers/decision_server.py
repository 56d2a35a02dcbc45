"""A stand-in for vLLM's decisions endpoint on 127.0.0.1, in both of its forms.

It takes and gives the fields of vLLM 0.33's source (`/v1/decisions`), refuses all others as that
does, and those of 0.32 (`/v1/systemone`); `tests/engines/decisions/test_vllm.py` asks vLLM itself.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Prefers = Callable[[str], tuple[float, float]]
"""The question's input → probability of the first option, and mass of all letters together."""

_REQUEST = {"model", "input", "questions", "safety_identifier", "joint", "cache_salt"}
_QUESTION = {"type", "name", "instructions", "choices"}
_EARLIER = {"model", "state", "questions", "instructions", "chat_template_kwargs", "cache_salt"}


@dataclass
class DecisionServer:
    """What a server is told to do, and what it has seen."""

    prefers: Prefers = lambda _text: (0.75, 1.0)
    places: tuple[str, ...] = ("/v1/decisions",)
    supported: bool = True
    model: str = "tiny"
    context: int = 1000
    """Words that fit."""
    fails_first: tuple[int, ...] = ()
    """Statuses of the first answers."""
    spoils: Callable[[Body], Body] = lambda body: body
    """What becomes of an answer."""
    bodies: list[tuple[str, Body]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    base_url: str = ""

    def answer(self, path: str, body: Body) -> tuple[int, Body]:
        """Return status and JSON for a request."""
        if path not in self.places:
            return 404, {"detail": "Not Found"}
        if not self.supported:
            return 501, _error(501, "The model does not support the Decisions API")
        self.bodies.append((path, body))
        if len(self.bodies) <= len(self.fails_first):
            status = self.fails_first[len(self.bodies) - 1]
            return status, _error(status, "come back later")
        if body["model"] != self.model:
            return 404, _error(404, f"The model `{body['model']}` does not exist.")
        answer = self._decide if path == "/v1/decisions" else self._decide_earlier
        try:
            return answer(body)
        except (AssertionError, KeyError, TypeError) as error:
            return 400, _error(400, f"extra or missing fields: {error!r}")

    def _decide(self, body: Body) -> tuple[int, Body]:
        assert set(body) <= _REQUEST, set(body) - _REQUEST
        (question,) = body["questions"]
        assert set(question) <= _QUESTION, set(question) - _QUESTION
        assert question["type"] == "choice"
        values = [choice["value"] for choice in question["choices"]]
        assert all(set(c) <= {"value", "description"} for c in question["choices"])
        assert len(set(values)) == len(values) >= 2
        if (words := len(body["input"].split())) > self.context:
            return 400, _too_long(self.context)
        told, mass = self._told(body["input"], values)
        answer = {
            "type": "choice",
            "name": question.get("name"),
            "choice": max(told, key=told.__getitem__),
            "probabilities": [{"value": v, "probability": p} for v, p in told.items()],
            "confidence": max(told.values()) * mass,
        }
        usage = {
            "input_tokens": 2 * words,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2 * words + 1,
        }
        return 200, self.spoils({"model": self.model, "answers": [answer], "usage": usage})

    def _decide_earlier(self, body: Body) -> tuple[int, Body]:
        assert set(body) <= _EARLIER, set(body) - _EARLIER
        ((name, question),) = body["questions"].items()
        told, mass = self._told(body["state"], list(question["criteria"]))
        answer = {
            "type": "choice",
            "choice": max(told, key=told.__getitem__),
            "probabilities": told,
            "confidence": max(told.values()) * mass,
        }
        seen = {name: {"label_mass": mass, "argmax_is_label": mass > 0.5}}
        usage = {"input_tokens": 2 * len(body["state"].split()), "output_tokens": 1}
        told_all = {"id": "decision-1", "object": "structured_decision", "model": self.model}
        return 200, told_all | {"answers": {name: answer}, "usage": usage, "diagnostics": seen}

    def _told(self, text: str, values: list[str]) -> tuple[dict[str, float], float]:
        first, mass = self.prefers(text)
        rest = (1 - first) / (len(values) - 1)
        return {value: first if i == 0 else rest for i, value in enumerate(values)}, mass


def _error(status: int, message: str) -> Body:
    return {"error": {"message": message, "type": "Error", "param": None, "code": status}}


def _too_long(context: int) -> Body:
    return _error(400, f"This model's maximum context length is {context} tokens.")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    desk: DecisionServer

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": self.desk.model}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.desk.authorizations.append(self.headers.get("Authorization"))
        self._send(*self.desk.answer(self.path, body))

    def _send(self, status: int, reply: Body) -> None:
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def decision_server(**settings: Any) -> Iterator[DecisionServer]:
    """Serve at `.base_url` until the block ends."""
    desk = DecisionServer(**settings)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"desk": desk}))
    desk.base_url = f"http://127.0.0.1:{listener.server_port}/v1"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield desk
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
