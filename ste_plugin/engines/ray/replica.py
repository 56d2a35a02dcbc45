"""What runs on the machines of a cluster: one engine, asked through an exchange of messages."""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from ste_plugin.config import ModelConfig, ServeConfig
from ste_plugin.context import open_engine
from ste_plugin.engines.base import Place
from ste_plugin.engines.ray.exchange import Exchange
from ste_plugin.engines.ray.wire import decode_requests, encode_event
from ste_plugin.plugins.manager import plugin_manager

_CLOSE_TIMEOUT_S = 5.0
"""How long a batch that is being worked on may delay the end."""


class Replica:
    """An engine, and the session in which it answers."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """`spec` is what `engine.make_spec` returns.

        Raises: SteError where the engine cannot be created here.
        """
        self._lock = Lock()
        self._session, self._exchange = 0, Exchange()  # an engine may speak while it is created
        files = [Path(path) for path in spec["plugins"]]
        place = Place(
            Path(spec["base"]),
            Path(spec["logs"]) / f"replica-{platform.node()}-{os.getpid()}",
            ServeConfig.model_validate(spec["serve"]),
            self._say,
        )
        model = ModelConfig.model_validate(spec["model"])
        self._engine = open_engine(model, place, plugin_manager(files))
        self._idle = Event()
        self._idle.set()
        logging.getLogger("ste_plugin").addHandler(_Told(self._say))

    def give(self, session: int, requests: bytes, last: bool) -> None:
        """Take requests of a session; `last` says that no others follow."""
        if exchange := self._of(session):
            exchange.give(decode_requests(requests), last)

    def stop(self, session: int) -> None:
        """End a session: the engine cancels what is in flight."""
        if exchange := self._of(session):
            exchange.stop()

    def answer(self, session: int) -> Iterator[bytes]:
        """Yield the events of a session until its last request is answered."""
        exchange = self._of(session)
        if exchange is None:
            return
        thread = Thread(target=self._complete, args=(exchange,), name="ste-engine")
        thread.start()
        for event in exchange.events():
            yield encode_event(event)
        thread.join()

    def close(self) -> None:
        """End the session and the engine, so that its memory is free."""
        self._exchange.stop()
        self._idle.wait(_CLOSE_TIMEOUT_S)
        self._engine.close()

    def _of(self, session: int) -> Exchange | None:
        """Return the exchange of a session; None for one that another has followed."""
        with self._lock:
            if session > self._session:
                self._exchange.stop()
                self._session, self._exchange = session, Exchange()
            return self._exchange if session == self._session else None

    def _complete(self, exchange: Exchange) -> None:
        self._idle.clear()
        failure = None
        completions: Any = None
        try:
            completions = self._engine.complete(exchange.take())
            for completion in completions:
                exchange.add(completion)
                if exchange.stopped:
                    break
        except BaseException as error:  # whatever an engine raises: its driver has to know
            failure = type(error).__name__, str(error) or repr(error)
        with suppress(AttributeError):  # a plugin's need not be a generator
            completions.close()
        if failure:
            self._engine.close()  # the next session begins with a new one
        self._idle.set()
        exchange.end(failure)

    def _say(self, line: str) -> None:
        self._exchange.say(line)


class _Told(logging.Handler):
    """Passes warnings on to the person at the driver."""

    def __init__(self, say: Any) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())
