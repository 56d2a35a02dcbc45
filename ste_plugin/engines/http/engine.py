"""Any OpenAI-compatible servers: many calls in flight, retried until each request is answered."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.http.bare_choice import kwargs_before_choice
from ste_plugin.engines.http.choice_calls import ask_for_choice, drawn_choices
from ste_plugin.engines.http.completions import ThoughtReader, take_answers, to_completions
from ste_plugin.engines.http.connection import Body, Connections
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.fields import TEMPLATE_KWARGS, RequestFields
from ste_plugin.engines.http.first_answers import Answer, FirstAnswers, KnownAnswers
from ste_plugin.engines.http.load_balancer import LoadBalancer
from ste_plugin.engines.http.options import HttpOptions, read_api_key, read_options
from ste_plugin.engines.http.request import Call, build_body, plan_calls
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.routing import RoutedCall, Router
from ste_plugin.engines.http.run_calls import run_calls
from ste_plugin.engines.http.session import Connect, HttpSession, Post
from ste_plugin.engines.model_template import find_template
from ste_plugin.errors import EngineError

logger = logging.getLogger(__name__)


def create(
    model: ModelConfig, place: Place, template: Callable[[], ChatTemplate | None] | None = None
) -> "HttpEngine":
    """Return an engine for the model under its name on the server; nothing is sent yet.

    `template`: finds its chat template where the model's name does not tell.
    Raises: ConfigError for a wrong option, or an environment variable that is not set.
    """
    options = read_options(model.options)
    kwargs = {TEMPLATE_KWARGS: model.chat_template_kwargs}
    added = (kwargs if model.chat_template_kwargs else {}) | options.extra_body
    endpoints = [
        Endpoint(
            e,
            read_api_key(e.api_key_env),
            options.concurrency,
            options.backoff_s,
            RequestFields(added, options.omit),
        )
        for e in options.resolve_endpoints(model.model)
    ]
    balancer = LoadBalancer(endpoints, options.max_attempts)
    find = template or partial(find_template, model, place.base)
    return HttpEngine(model, options, balancer, find)


class HttpEngine:
    """A model behind one or several `/v1/chat/completions`."""

    connect: Connect = Connections
    """Opens connections to its servers."""

    def __init__(
        self,
        model: ModelConfig,
        options: HttpOptions,
        balancer: LoadBalancer,
        find_template: Callable[[], ChatTemplate | None] = lambda: None,
    ) -> None:
        self._model, self._options, self._balancer = model.model, options, balancer
        self._settings, self._find_template = model, find_template
        self._known_answers = KnownAnswers()
        self._sessions: set[HttpSession] = set()
        self._gives_samples = bool(options.samples)
        """Whether several samples are asked for in one call."""
        self._told: set[str] = set()
        """What a person was told already."""

    @cached_property
    def _template(self) -> ChatTemplate | None:
        return self._find_template()

    @cached_property
    def _thoughts(self) -> ThoughtReader:
        return ThoughtReader(self._settings, self._template)

    @cached_property
    def _kwargs_before_choice(self) -> dict[str, Any] | None:
        return kwargs_before_choice(self._template, self.endpoint.fields)

    @property
    def options(self) -> HttpOptions:
        """The settings of its servers."""
        return self._options

    @property
    def endpoint(self) -> Endpoint:
        """The first of its servers, which says how a request is written."""
        return self._balancer.endpoints[0]

    def close(self) -> None:
        """End whatever is still in flight."""
        self.stop()

    def stop(self) -> None:
        """End whatever is in flight, from any thread."""
        for session in tuple(self._sessions):
            session.stop()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as they arrive; a request that occurs twice in a row is answered once.

        Samples of one prompt share a call where the server can do that. Closing the iterator, or
        interrupting it, ends the calls in flight. After a failure the completions of the other
        calls in flight are still yielded, then the failure is raised.
        """
        if not self._sessions:  # else another stage is going on, whose servers these are, too
            self._balancer.begin_stage()
        session = HttpSession(self._options, self._balancer, self.connect)
        self._sessions.add(session)
        pool = ThreadPoolExecutor(self._balancer.max_in_flight, "ste-http")

        def submit(routed: RoutedCall) -> Future[Answer]:
            post = partial(session.post, preferred=routed.endpoint)
            return pool.submit(self._answer, post, routed.call)

        try:
            calls = plan_calls(requests, lambda: self._gives_samples, self._options.prefill)
            yield from run_calls(
                Router(calls, self._balancer),
                submit,
                lambda: self._balancer.in_flight_limit,
                session.drain,
                FirstAnswers(self._model, self._known_answers),
                partial(self._fits, session.post),
            )
        finally:
            session.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            self._sessions.discard(session)

    def _answer(self, post: Post, call: Call) -> Answer:
        if call.n > 1 and not self._gives_samples:
            return Answer(call, [], call.each)
        reply = self.reply(post, call)
        if not reply.prompt_is_refused and len(reply.samples) < call.n:
            self._stop_asking_for_samples(len(reply.samples), call.n)
        return self.read(call, reply)

    def read(self, call: Call, reply: Reply) -> Answer:
        """Return what a reply gives to a call."""
        if reply.prompt_is_refused:
            completions = to_completions(call, reply, self._thoughts)
            return Answer(call, completions, refusal=reply, server=reply.server)
        self._tell_of(reply)
        answered, reply, owed = take_answers(call, reply)
        completions = to_completions(answered, reply, self._thoughts)
        if self._thoughts.thinks_though_off:
            message = (
                "%s thinks, though by its own chat template and chat_template_kwargs thinking is "
                "off: its server uses another template, or ignores them. Its thoughts are not "
                "learnt."
            )
            self._tell_once("thinks", message, self._model)
        return Answer(call, completions, owed, server=reply.server, no_choice=reply.no_choice)

    def _stop_asking_for_samples(self, given: int, n: int) -> None:
        self._gives_samples = False
        message = (
            "The server of %s gives %d of n=%d samples in one call: from here on each sample is a "
            "call of its own, which reads its prompt again (options.samples: false starts so)."
        )
        self._tell_once("samples", message, self._model, given, n)

    def _tell_of(self, reply: Reply) -> None:
        """Tell a person, once, of what a server leaves out or says in a word unknown here."""
        if reply.estimated:
            message = (
                "The server of %s does not count tokens: a third of the bytes of each text is "
                "counted instead, for the budget, limits, costs and reports."
            )
            self._tell_once("usage", message, self._model)
        for said in reply.samples:
            if said.ending == "broken":
                message = (
                    "The server of %s ended a reply for the reason %r, which does not say that it "
                    "is finished: such replies are dropped and counted."
                )
                self._tell_once(said.reason, message, self._model, said.reason)

    def _tell_once(self, about: str, message: str, *values: object) -> None:
        if about not in self._told:  # several threads may notice at once: telling twice is harmless
            self._told.add(about)
            logger.warning(message, *values)

    def _fits(self, post: Post, call: Call) -> bool:
        """Return whether the server takes a prompt where a single token is to be written."""
        body = self._body(Call((call.first,)))
        return post(body | {"max_tokens": 1}, 1).refused not in ("too_long", "unclear")

    def reply(self, post: Post, call: Call) -> Reply:
        """Return the reply to a call; batch files stand in for servers here.

        Raises: EngineError for what cannot be asked, or a reply that cannot be used.
        """
        first = call.first
        if first.choices:
            return self._choose(post, call)
        if first.prefix and self._options.prefill == "ask":
            raise EngineError(
                f"model {self._model!r}: with options.prefill: ask, a reply cannot continue a "
                "given beginning unless it is one of given choices. Set options.prefill: vllm if "
                "the server knows continue_final_message."
            )
        self._require_continued_answers(first)
        return post(self._body(call), call.n)

    def _body(self, call: Call) -> Body:
        """Return the JSON of a call. Raises: EngineError for a choice at an untrained place."""
        prefill = self._options.prefill
        body = build_body(call, self._model, prefill)
        if call.first.prefix or not call.first.choices or prefill == "ask":
            return body
        if (kwargs := self._kwargs_before_choice) is None:
            raise EngineError(
                f"model {self._model!r}: its chat template leaves a thought or a header open "
                "before the answer, so that a server would draw the letter where the judge is not "
                "trained. Set chat_template_kwargs: {enable_thinking: false} of the judge, where "
                "its template reads that, and train with it; or judge with engine: vllm or local, "
                "or in a judging.format with closing words (verdict)."
            )
        return body | ({TEMPLATE_KWARGS: kwargs} if kwargs else {})

    def _require_continued_answers(self, request: ChatRequest) -> None:
        """Raise EngineError where words would be continued elsewhere than the judge is trained."""
        if request.prefix and self._template and not self._template.continues_answers:
            raise EngineError(
                f"model {self._model!r}: its chat template opens a thought, and leaves that out "
                "before words that are to be continued, so that a server would draw the verdict "
                "where the judge is not trained. Set judging.force_verdict: false, or judge with "
                "engine: vllm or local."
            )

    def _choose(self, post: Post, call: Call) -> Reply:
        if self._options.prefill == "ask":
            return ask_for_choice(post, call, self._model, self._thoughts.split)
        self._require_continued_answers(call.first)
        reply = post(self._body(call), call.n)
        if reply.prompt_is_refused:
            return reply
        return drawn_choices(reply, call.first.choices, self._model)
