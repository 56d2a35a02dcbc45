"""The prompts that an audit asked about pairs, so that they can be taken out again."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from ste_plugin.audit.probes.asking import JudgeAsker
from ste_plugin.audit.probes.check import find_probes
from ste_plugin.audit.probes.probe import Arm
from ste_plugin.context import RunContext
from ste_plugin.engines.base import ChatRequest, Completion
from ste_plugin.inference.requests import JudgeRequests
from ste_plugin.records import ResponsePair

Stored = Callable[[ChatRequest], Completion | None]
"""A request → the completion that is stored for it."""


def probe_keys(
    context: RunContext, judges: Iterable[str], pairs: Sequence[ResponsePair], stored: Stored
) -> Iterator[str]:
    """Yield the prompt keys of all that these judges may have been asked about these pairs.

    `judges`: identities of their weights. What follows a reply is found by the reply.
    """
    probes, seed = find_probes(context).values(), context.config.seed
    arms = [
        *map(Arm, pairs),
        *(
            a
            for pair in pairs
            for p in probes
            for each in p.arms(pair, seed).values()
            for a in each
        ),
    ]
    for identity in judges:
        asker = JudgeAsker(context.judge_format, identity, context.config.judging)
        keys: list[str] = []

        def recall(
            requests: Sequence[ChatRequest], _: str, __: JudgeRequests, keys: list[str] = keys
        ) -> list[Completion]:
            keys += [request.prompt_key for request in requests]
            return [stored(r) or Completion(r.key, "", "budget", 0, 0) for r in requests]

        asker.sides([arm for arm in arms if asker.can_ask(arm)], recall)
        yield from keys
