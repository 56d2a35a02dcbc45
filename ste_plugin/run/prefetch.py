"""Judging pairs while others are still being written, where generator and judge need not share a machine.

Everything asked for ahead is asked for under the same keys as later: the stages that follow find it
answered, and do the same with or without it.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ste_plugin.context import Iteration
from ste_plugin.dataset.collect import TRAINING_SPLITS, drop_reason, rule_name
from ste_plugin.engines.model_pool import share_hardware
from ste_plugin.inference.completion_store import CompletionFile
from ste_plugin.pairs.pool import Pool, prepare_pool, split_of
from ste_plugin.records import ResponsePair
from ste_plugin.sampling.judge_task import questions_of
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import RULES


def pool_while_judging(first: Iteration) -> Pool:
    """Return the pool; the first iteration judges its pairs as they come, if the hardware allows it.

    Raises: whatever the generator or the judge raises.
    """
    session = first.session
    if (
        share_hardware(session.generator_model, first.judge)
        or (session.folder.pool / "done.json").exists()
    ):
        return prepare_pool(session)
    session.watch.say("The judge works on another machine than the generator: both at once.")
    for model in (session.generator_model, first.judge):
        session.models.use(model)  # neither is opened by the thread of the other
    file = CompletionFile(first.folder / "judging.completions.jsonl")
    quietly = replace(first, session=replace(session, watch=replace(session.watch, quiet=True)))
    sampler = JudgmentSampler(quietly, file, lambda *judged: drop_reason(first, *judged))
    rule, most = RULES[rule_name(first)], session.config.judging.samples
    judged: list[Future[None]] = []

    def wanted(pair: ResponsePair) -> bool:
        split = split_of(pair.instruction_key, session.config)
        return split in TRAINING_SPLITS and (split != "train" or first.has(pair))

    with ThreadPoolExecutor(1, "ste-judge") as judge:
        try:
            pool = prepare_pool(session, lambda pairs: judged.append(
                judge.submit(sampler.sample, questions_of(pairs, wanted), rule, most)
            ))  # fmt: skip
            for sampled in judged:
                sampled.result()
        except BaseException:
            judge.shutdown(wait=False, cancel_futures=True)
            session.models.close()  # ends the calls that the judge's thread waits for
            raise
    file.close()
    return pool
