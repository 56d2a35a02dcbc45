"""Prefetching: pairs are judged while others are made, where the hardware allows both at once.

Requests have the same keys as in the stages that follow, which find them answered: their results
are the same without prefetching.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import combinations

from ste_plugin.context import Iteration
from ste_plugin.dataset.sample import TRAINING_SPLITS, plugin_drop_reason, rule_name
from ste_plugin.engines.model_pool import share_hardware
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.pairs.pool import is_pool_made, prepare_pool
from ste_plugin.pairs.pool_files import Pool, split_of
from ste_plugin.records import ResponsePair
from ste_plugin.sampling.judge_task import judge_tasks
from ste_plugin.sampling.ratings import open_sampler
from ste_plugin.sampling.stopping_rules import RULES


def prepare_pool_with_prefetch(first: Iteration) -> Pool:
    """Return the pool; if possible, the first iteration judges its pairs as they are made.

    Raises: whatever the generator or the judge raises.
    """
    context = first.context
    models = [m for m in (context.generator_model, context.weaker_model, first.judge) if m]
    done = is_pool_made(context)
    if done or any(share_hardware(one, other) for one, other in combinations(models, 2)):
        return prepare_pool(context)
    context.progress.say("The judge works on another machine than the generator: both at once.")
    for model in models:
        context.models.use(model)  # neither is opened by the thread of the other
    store = CompletionStore(first.folder / "judging.completions.jsonl")
    with ThreadPoolExecutor(1, "ste-judge") as executor:
        judge = _BackgroundJudge(first, store, executor)
        try:
            pool = prepare_pool(context, judge.submit)
            judge.wait()
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            context.models.close()  # ends the calls that the judge's thread waits for
            raise
    store.close()
    return pool


class _BackgroundJudge:
    """Samples judgments in a thread, of pairs in the order in which they are submitted."""

    def __init__(
        self, first: Iteration, store: CompletionStore, executor: ThreadPoolExecutor
    ) -> None:
        self._first, self._executor = first, executor
        context = first.context
        quiet = replace(context, progress=replace(context.progress, quiet=True))
        drop_reason = partial(plugin_drop_reason, first)
        self._sampler = open_sampler(replace(first, context=quiet), store, drop_reason)
        self._rule, self._samples = RULES[rule_name(first)], context.config.judging.samples
        self._futures: list[Future[None]] = []

    def submit(self, pairs: Sequence[ResponsePair]) -> None:
        """Have pairs judged, those that are trained on later. Raises: what the judge has raised."""
        for future in self._futures:
            if future.done():
                future.result()
        tasks = judge_tasks(pairs, self._is_judged)
        future = self._executor.submit(self._sampler.sample, tasks, self._rule, self._samples)
        self._futures.append(future)

    def wait(self) -> None:
        """Return once all submitted pairs are judged. Raises: what the judge raises."""
        for future in self._futures:
            future.result()

    def _is_judged(self, pair: ResponsePair) -> bool:
        split = split_of(pair.split_key, self._first.context.config)
        return split in TRAINING_SPLITS and (split != "train" or self._first.has(pair))
