"""What is left of calls in flight once nobody wants their answers: nothing."""

import socket
import time
from contextlib import closing
from typing import Any

from ste_plugin.engines.http.engine import HttpEngine
from tests.helpers.chat_server import HANG, ChatServer, babble, chat_server
from tests.helpers.http_engine import answers, engine, prompts, wanted

CONNECT = socket.create_connection
TOGETHER = 8
"""Calls that an engine makes at once before it knows a server."""


class Watched(socket.socket):
    """A connection that remembers whether it was closed while a thread read from it.

    The number of a closed connection is given to the next one that is opened: who still reads would
    wait for the answers to others.
    """

    reads = False
    torn = False

    def recv(self, *args: int) -> bytes:
        self.reads = True
        try:
            return super().recv(*args)
        finally:
            self.reads = False

    def close(self) -> None:
        self.torn = self.torn or self.reads
        super().close()


def all_but_the_first_hang(number: int) -> str | None:
    return HANG if 0 < number < TOGETHER else None


def leave_after_the_first_answer(server: ChatServer, model: HttpEngine) -> None:
    completions = model.complete(prompts(100))
    next(completions)
    while len(server.bodies) < TOGETHER:
        time.sleep(0.001)
    completions.close()


def test_no_connection_is_closed_while_a_call_still_reads_from_it(monkeypatch):
    opened: list[Watched] = []

    def connect(*args: Any, **settings: Any) -> Watched:
        made = CONNECT(*args, **settings)
        opened.append(Watched(made.family, made.type, made.proto, fileno=made.detach()))
        return opened[-1]

    monkeypatch.setattr(socket, "create_connection", connect)
    with chat_server(babble, fault=all_but_the_first_hang, gather=TOGETHER) as server:
        with closing(engine(server.base_url)) as model:
            leave_after_the_first_answer(server, model)
            assert answers(model, wanted())
        while any(connection.fileno() >= 0 for connection in opened):
            time.sleep(0.001)
    assert len(opened) > TOGETHER
    assert not any(connection.torn for connection in opened)


def test_calls_ended_on_purpose_do_not_lower_the_limit_for_those_that_follow():
    with (
        chat_server(babble, fault=all_but_the_first_hang, gather=(TOGETHER, TOGETHER)) as server,
        closing(engine(server.base_url)) as model,
    ):
        leave_after_the_first_answer(server, model)
        server.most_in_flight = 0
        assert len(answers(model, list(prompts(TOGETHER)))) == TOGETHER
    assert server.most_in_flight == TOGETHER
