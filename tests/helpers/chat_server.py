"""A real OpenAI-compatible server on 127.0.0.1, scripted by a function, that fails on purpose."""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Script = Callable[[Body, int], "str | Said | None"]
"""(JSON of a request, index of the wanted choice) → what the model says."""


@dataclass(frozen=True)
class Said:
    """A reply with its finish reason."""

    text: str | list[Body] | None
    finish_reason: str | None = "stop"
    beside: Body = field(default_factory=dict)
    """Further fields of the message."""
    error: Body | None = None
    """An error in the choice."""


@dataclass(frozen=True)
class Refuse:
    """A fault: an HTTP status with an error message."""

    status: int
    message: str = "come back later"
    headers: tuple[tuple[str, str], ...] = ()
    content: Any = None
    """The whole JSON, in place of the message."""


HANG, RESET, GARBAGE, EMPTY, ONE_SHORT, CUT_BODY, CUT_CHUNKS, ONE_TWICE, NOT_THE_FIRST = (
    "hang",
    "reset",
    "garbage",
    "empty choices",
    "one choice short",
    "body shorter than its length",
    "chunks without an end",
    "one choice twice, under one index",
    "other indexes than were asked for",
)
Fault = str | Refuse | None


@dataclass
class ChatServer:
    """What a server is told to do, and what it has seen."""

    script: Script
    fault: Callable[[int], Fault] = {}.get
    """Number of the call (from 0) → how it fails, or None."""
    objects: Callable[[Body], "Refuse | None"] = lambda _body: None
    """JSON of a request → how it is refused for what it holds, or None."""
    around: Body = field(default_factory=dict)
    """Further fields of a reply."""
    complete: Callable[[Body], list[Body]] | None = None
    """JSON of a request to /completions → its choices; without it there is no such place."""
    gather: int | tuple[int, ...] = 0
    """Answer only once this many calls are in flight together; of several numbers, one after the
    other. Later calls wait for none."""
    most_choices: int = 128
    """Choices that a reply holds at most, whatever `n` asks for."""
    refuse_n: Refuse | None = None
    """How a call is refused that asks for more."""
    models: tuple[str, ...] = ("tiny",)
    called: str | None = None
    """The model's name in replies, if not the one that was asked for."""
    usage: bool | Callable[[Body], Any] = True
    """Whether tokens are counted, a word each; or what is said of them for a request."""
    base_url: str = ""
    bodies: list[Body] = field(default_factory=list)
    """Every chat request, in order of arrival."""
    authorizations: list[str | None] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set once a call is in flight."""
    _closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        numbers = self.gather if isinstance(self.gather, tuple) else (self.gather,)
        self._gatherings = [(number, threading.Event()) for number in numbers]

    def enter(self, body: Body, authorization: str | None) -> int:
        """Count a call in; return its number."""
        with self._lock:
            self.bodies.append(body)
            self.authorizations.append(authorization)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            waited, gathered = next((g for g in self._gatherings if not g[1].is_set()), (0, None))
            if gathered and self.in_flight >= waited:
                gathered.set()
            self.arrived.set()
            number = len(self.bodies) - 1
        if gathered and not gathered.wait(30):
            for _, event in self._gatherings:
                event.set()
        return number

    def leave(self) -> None:
        """Count a call out."""
        with self._lock:
            self.in_flight -= 1

    def hang(self) -> None:
        """Answer nothing until the server closes."""
        self._closing.wait(120)

    def reply(self, body: Body) -> Body:
        """Return the JSON of a successful reply; choices come last index first, as servers may."""
        said = [
            self.script(body, index) for index in range(min(body.get("n") or 1, self.most_choices))
        ]
        choices = [_choice(index, text) for index, text in enumerate(said)]
        read = sum(len(m["content"].split()) for m in body["messages"])
        written = sum(len(str(c["message"]["content"] or "").split()) for c in choices)
        usage = {"prompt_tokens": read, "completion_tokens": written}
        if callable(self.usage):
            usage = self.usage(body)
        told = {"usage": usage} if self.usage else {}
        model = self.called or body["model"]
        return {"model": model, "choices": choices[::-1], **told, **self.around}


def _choice(index: int, said: "str | Said | None") -> Body:
    said = said if isinstance(said, Said) else Said(said)  # type: ignore[arg-type]
    message = {"role": "assistant", "content": said.text, **said.beside}
    broken = {"error": said.error} if said.error else {}
    return {"index": index, "message": message, "finish_reason": said.finish_reason, **broken}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    desk: ChatServer

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send(200, {"data": [{"id": name} for name in self.desk.models]})
        else:
            self._send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/completions" and self.desk.complete:
            self.desk.bodies.append(body)
            return self._send(200, {"choices": self.desk.complete(body)})
        if self.path != "/v1/chat/completions":
            return self._send(404, {"detail": "Not Found"})
        if body["model"] not in self.desk.models:
            return self._send(
                404, {"error": {"message": f"The model {body['model']} does not exist."}}
            )
        number = self.desk.enter(body, self.headers.get("Authorization"))
        try:
            too_many = body.get("n", 1) > self.desk.most_choices
            refusal = self.desk.refuse_n if too_many else self.desk.objects(body)
            fault = refusal or self.desk.fault(number)
            reply = None if fault else self.desk.reply(body)
        finally:
            self.desk.leave()
        return self._fail(fault, body) if fault else self._send(200, reply)

    def _fail(self, fault: str | Refuse, body: Body) -> None:
        if isinstance(fault, Refuse):
            content = fault.content or {"error": {"message": fault.message}}
            self._send(fault.status, content, fault.headers)
        elif fault == GARBAGE:
            self._send_bytes(200, b'{"choices": [{"mess')
        elif fault == EMPTY:
            self._send(200, {"choices": []})
        elif fault == ONE_SHORT:
            reply = self.desk.reply(body)
            self._send(200, reply | {"choices": reply["choices"][1:]})
        elif fault == ONE_TWICE:
            reply = self.desk.reply(body)
            self._send(200, reply | {"choices": [*reply["choices"][1:], reply["choices"][-1]]})
        elif fault == NOT_THE_FIRST:
            reply = self.desk.reply(body)
            for choice in reply["choices"]:
                choice["index"] += 1
            self._send(200, reply)
        elif fault in (CUT_BODY, CUT_CHUNKS):
            self._cut(json.dumps(self.desk.reply(body)).encode(), in_chunks=fault == CUT_CHUNKS)
        else:
            if fault == HANG:
                self.desk.hang()
            self._reset()

    def _cut(self, content: bytes, in_chunks: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if in_chunks:
            self.send_header("Transfer-Encoding", "chunked")
            content = b"%x\r\n%s\r\n" % (len(content), content)
        else:
            self.send_header("Content-Length", str(len(content) + 1))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def _reset(self) -> None:
        linger_none = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, reply: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._send_bytes(status, json.dumps(reply).encode(), headers)

    def _send_bytes(
        self, status: int, content: bytes, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.send_response(status)
        own = (("Content-Type", "application/json"), ("Content-Length", str(len(content))))
        for name, value in (*headers, *own):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # tests end connections on purpose


@contextmanager
def chat_server(script: Script, **settings: Any) -> Iterator[ChatServer]:
    """Serve `script` at `.base_url` until the block ends."""
    desk = ChatServer(script, **settings)
    listener = _Listener(("127.0.0.1", 0), type("Handler", (_Handler,), {"desk": desk}))
    desk.base_url = f"http://127.0.0.1:{listener.server_port}/v1"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield desk
    finally:
        desk._closing.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def babble(body: Body, index: int) -> Said:
    """Say 3 to 12 words that depend on the prompt and, above temperature 0, on seed and index.

    Stands for vLLM: it continues the assistant's last turn where asked to, echoes the user's words
    among its own, keeps to `structured_outputs`, and is cut at `max_tokens` words.
    """
    drawn = (body["seed"] + index) if body["temperature"] > 0 else 0
    digest = hashlib.sha256(json.dumps([body["messages"], drawn]).encode()).digest()
    structured = body.get("structured_outputs")
    if structured:
        return Said(structured["choice"][digest[0] % len(structured["choice"])])
    last = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
    words = [last.split()[0], *(f"w{byte}" for byte in digest[: 2 + digest[0] % 10])]
    most = body["max_tokens"]
    return Said(" ".join(words[:most]), "stop" if len(words) <= most else "length")


def says_little(body: Body, index: int) -> str:
    """Answer any request, whatever it leaves out."""
    return f"Answer {index} to {body['messages'][-1]['content'][:20]}"
