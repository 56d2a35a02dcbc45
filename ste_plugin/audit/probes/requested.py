"""The prompts that an audit asked about pairs, so that they can be taken out again."""

from collections.abc import Iterable, Iterator, Sequence

from ste_plugin.audit.probes.asking import JudgeAsker, recall
from ste_plugin.audit.probes.check import find_probes
from ste_plugin.audit.probes.estimate import Stored
from ste_plugin.audit.probes.probe import Arm
from ste_plugin.context import RunContext
from ste_plugin.records import ResponsePair


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
        can_ask = [arm for arm in arms if asker.can_ask(arm)]
        yield from (request.prompt_key for request in recall(asker, can_ask, stored))
