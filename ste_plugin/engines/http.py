"""Any OpenAI-compatible server: many calls in flight, retried until each request has its answer."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.engines.http_options import HttpOptions, read_api_key, read_options
from ste_plugin.engines.http_session import HttpSession
from ste_plugin.engines.http_wire import (
    TOO_LONG,
    Call,
    Reply,
    body,
    completions,
    plan_calls,
    read_choice,
)
from ste_plugin.errors import EngineError

_ASKED_AGAIN = 3
"""Times a choice is asked for again where the reply names none or several."""


def create(model: ModelConfig, place: Place) -> "HttpEngine":  # noqa: ARG001 (nothing lies beside the config)
    """Return an engine for the model under its name on the server; nothing is sent yet.

    Raises: ConfigError for a wrong option, or an environment variable that is not set.
    """
    options = read_options(model.options)
    return HttpEngine(model.model, options, read_api_key(options.api_key_env))


class HttpEngine:
    """A model behind `/v1/chat/completions`."""

    def __init__(self, model: str, options: HttpOptions, key: str) -> None:
        self._model, self._options, self._key = model, options, key
        self._sessions: set[HttpSession] = set()

    def close(self) -> None:
        """End whatever is still in flight."""
        for session in tuple(self._sessions):
            session.stop()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as the server gives them; a request that occurs twice is answered once.

        Samples of one prompt share a call where the server can do that. Closing the iterator, or
        interrupting it, ends the calls in flight. After a failure the completions of the other
        calls in flight are still yielded, then the failure is raised.
        """
        options = self._options
        session = HttpSession(self._model, options, self._key)
        self._sessions.add(session)
        pool = ThreadPoolExecutor(options.concurrency, "ste-http")

        def submit(call: Call) -> Future[list[Completion]]:
            return pool.submit(self._answer, session, call)

        try:
            calls = plan_calls(map(self._checked, requests), options.samples, options.prefill)
            yield from _as_they_come(calls, submit, options.concurrency, session.wind_down)
        finally:
            session.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            self._sessions.discard(session)

    def _checked(self, request: ChatRequest) -> ChatRequest:
        if self._options.prefill == "ask" and request.prefix and not request.choices:
            raise EngineError(
                f"{self._options.url}: with options.prefill: ask, a reply cannot go on from given words "
                "unless it is one of given choices. Set options.prefill: vllm if the server knows "
                "continue_final_message."
            )
        return request

    def _answer(self, session: HttpSession, call: Call) -> list[Completion]:
        if not call.first.choices:
            wanted = body(call, self._model, self._options.prefill)
            return completions(call, session.post(wanted, call.n))
        if self._options.prefill == "ask":
            return completions(call, self._ask(session, call))
        return completions(call, self._choose(session, call))

    def _choose(self, session: HttpSession, call: Call) -> Reply:
        reply = session.post(body(call, self._model, self._options.prefill), call.n)
        strange = [text for text in reply.texts if text not in call.first.choices]
        if reply is TOO_LONG:
            return reply
        if not strange:
            return replace(reply, reasons=tuple("stop" for _ in reply.texts))
        raise EngineError(
            f"{self._options.url} (model {self._model!r}): expected one of {call.first.choices}, found "
            f"{strange[0][:60]!r}: the server does not hold its reply to the choices. vLLM before 0.12 "
            "needs options.prefill: vllm-guided-choice, and a server other than vLLM options.prefill: ask."
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
            f"{self._options.url} (model {self._model!r}): asked for exactly one of {choices}, it last "
            f"replied {said[:60]!r}. Set options.prefill: vllm if the server is vLLM, or "
            "judging.force_verdict: false."
        )


def _as_they_come(
    calls: Iterator[Call],
    submit: Callable[[Call], Future[list[Completion]]],
    most: int,
    wind_down: Callable[[], None],
) -> Iterator[Completion]:
    """Yield what the calls give with at most `most` in flight; the first failure is raised last."""
    running = {submit(call) for call in islice(calls, most)}
    failure: BaseException | None = None
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        failure = failure or next((e for f in done if (e := f.exception())), None)
        if failure:
            wind_down()
        else:
            running |= {submit(call) for call in islice(calls, len(done))}
        for future in done:
            if not future.exception():
                yield from future.result()
    if failure:
        raise failure
