"""A judge behind vLLM's decisions endpoint: the probabilities of letters, in one request a prompt.

What concerns servers as such (retries, limits, keys, several of them) is that of `engine: http`.
"""

import logging
import math
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import ChatRequest, Completion, Place
from ste_plugin.engines.chat import NO_THINKING, ChatTemplate
from ste_plugin.engines.choice_likelihoods import likeliest
from ste_plugin.engines.decisions.connection import DecisionConnections, FormsFound
from ste_plugin.engines.decisions.options import DecisionEndpoint, read_options
from ste_plugin.engines.decisions.refusals import (
    check_template,
    diagnose,
    question_of,
)
from ste_plugin.engines.decisions.wire import Decided
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.engine import HttpEngine
from ste_plugin.engines.http.first_answers import Answer
from ste_plugin.engines.http.load_balancer import LoadBalancer
from ste_plugin.engines.http.options import HttpOptions, read_api_key
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.response import Reply
from ste_plugin.engines.http.session import Post
from ste_plugin.engines.model_template import find_template

logger = logging.getLogger(__name__)

_REMEMBERED = 1 << 17
"""Prompts whose probabilities are kept, so that what is asked of them next takes no request."""


def create(model: ModelConfig, place: Place) -> "DecisionEngine":
    """Return an engine for the model under its name on the server; nothing is sent yet.

    Raises: ConfigError for a wrong option, or an environment variable that is not set.
    """
    settings = read_options(model.options)
    options = settings.as_http()
    endpoints = [
        Endpoint(
            DecisionEndpoint(**e.model_dump()),
            read_api_key(e.api_key_env, "decisions"),
            options.concurrency,
            options.backoff_s,
        )
        for e in options.resolve_endpoints(model.model)
    ]
    find = partial(_template_as_asked, model, place.base)
    engine = DecisionEngine(model, options, LoadBalancer(endpoints, options.max_attempts), find)
    engine.place, engine.least_mass = place, settings.label_mass
    return engine


class DecisionEngine(HttpEngine):
    """A model behind one or several `/v1/decisions`."""

    place: Place
    least_mass: float

    def __init__(
        self,
        model: ModelConfig,
        options: HttpOptions,
        balancer: LoadBalancer,
        find_template: Callable[[], ChatTemplate | None] = lambda: None,
    ) -> None:
        super().__init__(model, options, balancer, find_template)
        self.connect = partial(DecisionConnections, forms=FormsFound(), diagnose=self._diagnose)
        self._known: OrderedDict[str, Decided] = OrderedDict()
        self._lock = Lock()
        self.answered = 0
        """Prompts that were answered."""
        self.low_mass = 0
        """Of these, at how many the letters had less than `label_mass` of the probability."""
        self._told_of = 0

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield a letter per request: the likelier one, or above temperature 0 a drawn one.

        Of even ones at temperature 0 there is none: an empty text.

        Letters are drawn by the model's own probabilities, whatever the temperature is.
        Raises: EngineError where text is asked for, or the server cannot answer; ConfigError where
        the model's own folder tells that the endpoint would read another place.
        """
        self._check()
        try:
            yield from super().complete(requests)
        finally:
            self._tell_of_low_mass()

    def close(self) -> None:
        """End whatever is in flight, and forget the answers: another model may be served next."""
        super().close()
        with self._lock:
            self._known.clear()

    def choice_log_likelihoods(
        self, requests: Iterable[ChatRequest]
    ) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Yield the key of each request with `choices`, and their log-likelihoods in their order.

        What was completed before takes no further request. Prompts that do not fit are left out.
        """
        wanted = list(requests)
        told = {r.prompt_key: self._known.get(r.prompt_key) for r in wanted}
        missing = {r.key: r for r in wanted if told[r.prompt_key] is None}
        for completion in self.complete(missing.values()):
            prompt_key = missing[completion.key].prompt_key
            told[prompt_key] = self._known.get(prompt_key)
        for request in wanted:
            if (known := told[request.prompt_key]) is not None:
                yield request.key, _logs(known.probabilities)

    def reply(self, post: Post, call: Call) -> Reply:
        """Return the answer to a call's question. Raises: EngineError where it asks none."""
        question = question_of(call.first, self._model)
        if (known := self._known.get(call.first.prompt_key)) is not None:
            return replace(known, prompt_tokens=0, completion_tokens=0, estimated=False)
        return post({"question": question}, 1)

    def read(self, call: Call, reply: Reply) -> Answer:
        """Return what an answer gives to a call: a letter for each sample."""
        if not isinstance(reply, Decided):
            return super().read(call, reply)
        self._tell_of(reply)
        self._remember(call, reply)
        completions = [
            Completion(
                request.key,
                _letter(request, reply.probabilities),
                "stop",
                0 if i else reply.prompt_tokens,
                0 if i else reply.completion_tokens,
            )
            for i, request in enumerate(call.requests)
        ]
        return Answer(call, completions, server=reply.server)

    def _answer(self, post: Post, call: Call) -> Answer:
        return self.read(call, self.reply(post, call))

    def _fits(self, post: Post, call: Call) -> bool:
        return False  # one token is all that is ever asked for

    @cached_property
    def _checked(self) -> bool:
        check_template(self._settings, self._template)
        return True

    def _check(self) -> None:
        assert self._checked

    def _diagnose(self) -> str:
        return diagnose(self._settings, self.place.base, self._template)

    def _remember(self, call: Call, reply: Decided) -> None:
        with self._lock:
            if call.first.prompt_key in self._known:
                return
            self.answered += 1
            self.low_mass += reply.label_mass < self.least_mass
            self._known[call.first.prompt_key] = reply
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _tell_of_low_mass(self) -> None:
        """Tell a person how often it was so, once it is twice as often as when last told."""
        if self.low_mass >= max(1, 2 * self._told_of):
            self._told_of = self.low_mass
            message = (
                "The model %s gave the letters less than %g of its probability at %d of %d "
                "prompts: it wanted to write something else there, so that they say little. Is it "
                "a judge trained in judging.format: decision? (options.label_mass sets from where "
                "this is told.)"
            )
            told = (self._model, self.least_mass, self.low_mass, self.answered)
            logger.warning(message, *told)


def _template_as_asked(model: ModelConfig, base: Path) -> ChatTemplate | None:
    """Return a model's own template as the endpoint renders it; one may read no `NO_THINKING`."""
    own = find_template(model.model_copy(update={"chat_template_kwargs": {}}), base)
    return own and ChatTemplate(own.tokenizer, NO_THINKING)


def _logs(probabilities: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(math.log(max(p, sys.float_info.min)) for p in probabilities)


def _letter(request: ChatRequest, probabilities: tuple[float, ...]) -> str:
    if request.sampling.temperature == 0:
        return likeliest(request, probabilities)
    return random.Random(request.seed).choices(request.choices, probabilities)[0]
