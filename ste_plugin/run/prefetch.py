"""Judging pairs while others are still being written, where generator and judge need not share a machine.

Everything asked for ahead is asked for under the same keys as later: the stages that follow find it
answered, and do the same with or without it.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ste_plugin.context import Iteration
from ste_plugin.dataset.sample import TRAINING_SPLITS, plugin_drop_reason, rule_name
from ste_plugin.engines.model_pool import share_hardware
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.pairs.pool_files import Pool, split_of
from ste_plugin.records import ResponsePair
from ste_plugin.sampling.judge_task import judge_tasks
from ste_plugin.sampling.sampler import JudgmentSampler
from ste_plugin.sampling.stopping_rules import RULES


def pool_while_judging(first: Iteration) -> Pool:
    """Return the pool; the first iteration judges its pairs as they come, if the hardware allows it.

    Raises: whatever the generator or the judge raises.
    """
    context = first.context
    if (
        share_hardware(context.generator_model, first.judge)
        or (context.folder.pool / "done.json").exists()
    ):
        return prepare_pool(context)
    context.progress.say("The judge works on another machine than the generator: both at once.")
    for model in (context.generator_model, first.judge):
        context.models.use(model)  # neither is opened by the thread of the other
    file = CompletionStore(first.folder / "judging.completions.jsonl")
    quietly = replace(
        first, context=replace(context, progress=replace(context.progress, quiet=True))
    )
    sampler = JudgmentSampler(quietly, file, lambda *judged: plugin_drop_reason(first, *judged))
    rule, max_samples = RULES[rule_name(first)], context.config.judging.samples
    judged: list[Future[None]] = []

    def wanted(pair: ResponsePair) -> bool:
        split = split_of(pair.instruction_key, context.config)
        return split in TRAINING_SPLITS and (split != "train" or first.has(pair))

    with ThreadPoolExecutor(1, "ste-judge") as judge:
        try:
            pool = prepare_pool(context, lambda pairs: judged.append(
                judge.submit(sampler.sample, judge_tasks(pairs, wanted), rule, max_samples)
            ))  # fmt: skip
            for sampled in judged:
                sampled.result()
        except BaseException:
            judge.shutdown(wait=False, cancel_futures=True)
            context.models.close()  # ends the calls that the judge's thread waits for
            raise
    file.close()
    return pool
