"""Any OpenAI-compatible servers: many calls in flight, retried until each request has its answer."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import chain

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.load_balancer import Endpoints
from ste_plugin.engines.http.options import HttpOptions, read_api_key, read_options
from ste_plugin.engines.http.request import Call, body, plan_calls
from ste_plugin.engines.http.response import TOO_LONG, Reply, completions, read_choice
from ste_plugin.engines.http.session import HttpSession
from ste_plugin.errors import EngineError

logger = logging.getLogger(__name__)

_ASKED_AGAIN = 3
"""Times a choice is asked for again where the reply names none or several."""

Answer = tuple[list[Completion], list[Call]]
"""What a call gave, and the calls that are still to be made for what it did not give."""


def create(model: ModelConfig, place: Place) -> "HttpEngine":  # noqa: ARG001 (nothing lies beside the config)
    """Return an engine for the model under its name on the server; nothing is sent yet.

    Raises: ConfigError for a wrong option, or an environment variable that is not set.
    """
    options = read_options(model.options)
    each = [
        Endpoint(e, read_api_key(e.api_key_env), options.concurrency, options.backoff_s)
        for e in options.each_endpoint(model.model)
    ]
    return HttpEngine(model.model, options, Endpoints(each, options.max_attempts))


class HttpEngine:
    """A model behind one or several `/v1/chat/completions`."""

    def __init__(self, model: str, options: HttpOptions, endpoints: Endpoints) -> None:
        self._model, self._options, self._endpoints = model, options, endpoints
        self._sessions: set[HttpSession] = set()
        self._together = bool(options.samples)
        """Whether several samples are asked for in one call."""

    def close(self) -> None:
        """End whatever is still in flight."""
        for session in tuple(self._sessions):
            session.stop()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as they come; a request that occurs twice in a row is answered once.

        Samples of one prompt share a call where the server can do that. Closing the iterator, or
        interrupting it, ends the calls in flight. After a failure the completions of the other
        calls in flight are still yielded, then the failure is raised.
        """
        self._endpoints.begin_stage()
        session = HttpSession(self._options, self._endpoints)
        self._sessions.add(session)
        pool = ThreadPoolExecutor(self._endpoints.most, "ste-http")

        def submit(call: Call) -> Future[Answer]:
            return pool.submit(self._answer, session, call)

        try:
            calls = plan_calls(requests, lambda: self._together, self._options.prefill)
            yield from _as_they_come(
                calls, submit, lambda: self._endpoints.calls_allowed, session.wind_down
            )
        finally:
            session.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            self._sessions.discard(session)

    def _answer(self, session: HttpSession, call: Call) -> Answer:
        if call.n > 1 and not self._together:
            return [], call.split(0)[1]
        reply = self._reply(session, call)
        if reply is TOO_LONG or len(reply.texts) == call.n:
            return completions(call, reply), []
        self._ask_one_each(len(reply.texts), call.n)
        answered, owed = call.split(len(reply.texts))
        return completions(answered, reply) if reply.texts else [], owed

    def _ask_one_each(self, found: int, n: int) -> None:
        if self._together:  # several threads may find out at once: a second warning does no harm
            self._together = False
            logger.warning(
                "The server of %s gives %d of n=%d samples in one call: from here on each sample is a "
                "call of its own, which reads its prompt again (options.samples: false says so at once).",
                self._model, found, n,
            )  # fmt: skip

    def _reply(self, session: HttpSession, call: Call) -> Reply:
        prefill, first = self._options.prefill, call.first
        if first.choices:
            return (self._ask if prefill == "ask" else self._choose)(session, call)
        if first.prefix and prefill == "ask":
            raise EngineError(
                f"model {self._model!r}: with options.prefill: ask, a reply cannot go on from given "
                "words unless it is one of given choices. Set options.prefill: vllm if the server "
                "knows continue_final_message."
            )
        return session.post(body(call, self._model, prefill), call.n)

    def _choose(self, session: HttpSession, call: Call) -> Reply:
        reply = session.post(body(call, self._model, self._options.prefill), call.n)
        strange = [text for text in reply.texts if text not in call.first.choices]
        if reply is TOO_LONG:
            return reply
        if not strange:
            return replace(reply, reasons=tuple("stop" for _ in reply.texts))
        raise EngineError(
            f"model {self._model!r}: expected one of {call.first.choices}, found {strange[0][:60]!r}: "
            "the server does not hold its reply to the choices. vLLM before 0.12 needs "
            "options.prefill: vllm-guided-choice, and a server other than vLLM options.prefill: ask."
        )

    def _ask(self, session: HttpSession, call: Call) -> Reply:
        choices = call.first.choices
        read, written, said = 0, 0, ""
        # A greedy reply does not change by asking again.
        for attempt in range(1 if call.greedy else 1 + _ASKED_AGAIN):
            reply = session.post(body(call, self._model, "ask", attempt), 1)
            if reply is TOO_LONG:
                return reply
            read, written = read + reply.prompt_tokens, written + reply.completion_tokens
            said = reply.texts[0]
            choice = read_choice(said, choices)
            if choice is not None:
                return Reply((choice,), ("stop",), read, written)
        raise EngineError(
            f"model {self._model!r}: asked for exactly one of {choices}, it last replied "
            f"{said[:60]!r}. Set options.prefill: vllm if the server is vLLM, or "
            "judging.force_verdict: false."
        )


def _as_they_come(
    calls: Iterator[Call],
    submit: Callable[[Call], Future[Answer]],
    calls_allowed: Callable[[], int],
    wind_down: Callable[[], None],
) -> Iterator[Completion]:
    """Yield what the calls give, taking a call only where there is room; a failure is raised last."""
    running: set[Future[Answer]] = set()
    owed: deque[Call] = deque()
    came: list[Completion] = []
    failure: BaseException | None = None
    while True:
        while not failure and len(running) < calls_allowed():
            call = owed.popleft() if owed else next(calls, None)
            if call is None:
                break
            running.add(submit(call))
        yield from came
        if not running:
            break
        done, running = wait(running, return_when=FIRST_COMPLETED)
        failure = failure or next((e for f in done if (e := f.exception())), None)
        if failure:
            wind_down()
        answers = [f.result() for f in done if not f.exception()]
        came = [completion for given, _ in answers for completion in given]
        owed.extend(chain.from_iterable(rest for _, rest in answers))
    if failure:
        raise failure
