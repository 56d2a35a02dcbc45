"""The task class behind every YAML of pairs, for lm-eval 0.4.11 to 0.4.13. Only lm-eval imports this module."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks import backend_checks as checks
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.bootstrap import error_of, value_of
from ste_plugin.lm_eval_tasks.early_stop import SkippedInstance, VoteInstance, draw_in_waves
from ste_plugin.lm_eval_tasks.figures import figures_of
from ste_plugin.lm_eval_tasks.generation import generation_kwargs
from ste_plugin.lm_eval_tasks.pairs_file import LabelledPair
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED, orders_shown, parser, read_replies
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.records import ORDERS, Verdict

logger = logging.getLogger(__name__)


class PairJudge(ConfigurableTask):  # type: ignore[misc]
    """A judge on labelled pairs: one document is one pair, shown in both orders."""

    VERSION = 2

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        given = {key: value for key, value in (config or {}).items() if key != "class"}
        self.settings = JudgeSettings.read(os.environ, given.get("metadata") or {})
        self.format = self.settings.judge_format()
        self.parse = parser(self.format, self.settings)
        self.pairs = read_pairs(self.settings)
        self.figures = figures_of(self.pairs, self.settings)
        self.backend, self.in_waves = None, False
        tokens = self.settings.max_new_tokens or self.format.max_new_tokens
        asked = {
            "output_type": "generate_until",
            "generation_kwargs": generation_kwargs(self.settings, tokens),
        }
        fixed = {
            "test_split": "test",
            "num_fewshot": 0,
            "metric_list": [],  # None would bring in lm-eval's own default metric
        }
        scored = {"output_type": "loglikelihood", "generation_kwargs": None}
        super().__init__(config=given | fixed | (asked if self.generates else scored))

    @property
    def generates(self) -> bool:
        """Return whether the judge writes anything."""
        return self.settings.mode != "likelier"

    @property
    def compares(self) -> bool:
        """Return whether the likelihoods of both letters are measured."""
        return not self.generates or (self.settings.force and self.settings.mode == "verdict")

    def generation(self) -> dict[str, Any]:
        """Return what a backend is told about a reply; `--gen_kwargs` of lm-eval is in it."""
        return checks.understood(self.backend, self.config.generation_kwargs or {})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make the data set of the pairs already read; nothing is downloaded."""
        del dataset_kwargs
        self.dataset = {"test": datasets.Dataset.from_list([p.to_doc() for p in self.pairs])}

    def doc_to_text(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return the prompt that shows the better response as A."""
        return "\n\n".join(turn["content"] for turn in self.turns(doc, "A"))

    def doc_to_target(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return the verdicts of a perfect judge in the orders shown."""
        return "".join(orders_shown(doc["id"], self.settings))

    def turns(self, doc: Mapping[str, str], gold: Verdict) -> list[dict[str, str]]:
        """Return the chat that shows the better response under the letter `gold`."""
        messages = self.format.render_pair(doc["prompt"], doc["chosen"], doc["rejected"], gold)
        return [{"role": m.role, "content": m.content} for m in messages]

    def build_all_requests(self, **settings: Any) -> None:
        """Build every request, then refuse prompts that a backend would cut without a word.

        Never from lm-eval's request cache: its keys know neither the prompt nor the data.
        """
        if not settings.get("apply_chat_template"):
            logger.warning(
                "%s: no chat template is applied, so the prompts differ from those that judges are "
                "trained on. Pass --apply_chat_template.", self.config.task,
            )  # fmt: skip
        backend = self.backend = checks.backend_of(settings.get("chat_template"))
        # Processes that share a model's weights must ask it equally often.
        alone = settings.get("world_size", 1) == 1
        self.in_waves = self.settings.early_stop and self.settings.votes > 1 and alone
        self.in_waves &= backend is not None
        super().build_all_requests(**settings | {"cache_requests": False})
        dropped = self.check_backend(backend)
        if self.in_waves or dropped:
            draw_in_waves(backend)

    def check_backend(self, backend: Any) -> bool:
        """Return whether pairs were dropped; raise where a backend would ask something else.

        Raises: DataError where it would cut a prompt, ConfigError where it cannot compare two letters.
        """
        count, encode = checks.counter_of(backend), checks.tokenizer_of(backend)
        if count is None:
            checks.require_counter(backend is not None and self.settings.too_long == "drop")
            return False
        context_tokens = getattr(backend, "max_length", None)
        most = self.generation().get("max_gen_toks", 0)
        needed = checks.tokens_needed(self.instances, count, most)
        unfit = checks.too_long(needed, context_tokens)
        if unfit and self.settings.too_long == "refuse":
            where = str(self.settings.data or self.config.task)
            checks.refuse(unfit, len(needed), context_tokens, where)
        if self.compares and encode:
            prompts = (i.args[0] for i in self.instances if i.request_type == "loglikelihood")
            checks.refuse_merging(encode, next(prompts))
        self.drop(set(unfit))
        return bool(unfit)

    def drop(self, ids: set[str]) -> None:
        """Leave one request of these pairs, which reaches no model: lm-eval wants one of each."""
        kept: dict[tuple[Any, ...], Instance] = {}
        for i in self.instances:
            gone = i.doc["id"] in ids
            blank = partial(SkippedInstance, metadata=(i.task_name, i.doc_id, 1))
            instance = blank("generate_until", i.doc, (NOT_ASKED, {}), 0) if gone else i
            kept[i.doc_id, instance.idx] = instance
        self._instances = list(kept.values())

    def fewshot_context(
        self, doc: Mapping[str, str], num_fewshot: int = 0, *,
        system_instruction: str | None = None, apply_chat_template: bool = False,
        chat_template: Callable[..., Any] | None = None, **_: Any,
    ) -> dict[Verdict, Any]:  # fmt: skip
        """Return the templated prompt of each order; there are no few-shot examples."""
        del num_fewshot
        system = [{"role": "system", "content": system_instruction}] if system_instruction else []
        shown = orders_shown(doc["id"], self.settings)
        chats = {order: system + self.turns(doc, order) for order in shown}
        if apply_chat_template and chat_template:
            return {o: checks.rendered(c, chat_template) for o, c in chats.items()}
        return {o: "\n\n".join(t["content"] for t in c) + "\n\n" for o, c in chats.items()}

    def construct_requests(
        self, doc: Mapping[str, str], ctx: Mapping[Verdict, Any], **settings: Any
    ) -> list[Instance]:
        """Return the generations and likelihoods asked for, in the order that `read_replies` reads."""
        task, place, _ = settings["metadata"]
        found: list[Instance] = []
        for prompt in ctx.values() if self.generates else ():
            request = partial(VoteInstance, parse=self.parse) if self.in_waves else Instance
            told, votes = (task, place, self.settings.votes), (prompt, self.generation())
            found.append(request("generate_until", dict(doc), votes, len(found), told))
        for prompt in ctx.values() if self.compares else ():
            context = self.require_text(prompt) + self.format.forced_prefix("")
            for letter in ORDERS:
                score, told = (context, letter), (task, place, 1)
                found.append(Instance("loglikelihood", dict(doc), score, len(found), told))
        return found

    def apply_filters(self) -> None:
        """Keep every vote; lm-eval's own filter keeps the first reply alone."""
        for i in self.instances:
            i.filtered_resps["none"] = i.resps[: i.repeats] if i.repeats > 1 else i.resps[0]

    def require_text(self, prompt: Any) -> str:
        """Return a prompt whose next token's likelihood can be had, else raise ConfigError."""
        if isinstance(prompt, str):
            return prompt
        raise ConfigError(
            f"{self.config.task} measures the likelihoods of A and B (STE_JUDGE_FORCE, or the mode "
            "`likelier`), and chat APIs give none of a text. Use hf, vllm or local-completions, or "
            "leave it out."
        )

    def process_results(self, doc: Mapping[str, str], results: Sequence[Any]) -> dict[str, Any]:
        """Return every figure's term of this pair: the same keys in the same order for each."""
        judged = read_replies(LabelledPair.from_doc(doc), results, self.format, self.settings)
        found = {name: figure.term(judged) for name, figure in self.figures.items()}
        return found | {f"{name}_se": value for name, value in found.items()}

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | None]]:
        """Return how the terms of all pairs become each figure and its standard error."""
        errors = {f"{name}_se": partial(error_of, seed=0) for name in self.figures}
        return dict.fromkeys(self.figures, value_of) | errors

    def higher_is_better(self) -> dict[str, bool]:
        """Return the direction of the figures that have one."""
        return {name: True for name, figure in self.figures.items() if figure.higher_is_better}
