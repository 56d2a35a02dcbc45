"""`ste_rewardbench2` for lm-eval 0.4.11 to 0.4.13. Only lm-eval imports this module."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError
from ste_plugin.judging.choosing import render_choice, render_rating
from ste_plugin.lm_eval_tasks import backend_checks as checks
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2, SECTIONS, TIES, Choice
from ste_plugin.lm_eval_tasks.choice_scores import (
    Judged,
    final_error,
    final_score,
    rate,
    read_replies,
    section_error,
    section_score,
)
from ste_plugin.lm_eval_tasks.generation import generation_kwargs
from ste_plugin.lm_eval_tasks.settings import PREFIX, JudgeSettings

logger = logging.getLogger(__name__)

MAX_NEW_TOKENS = 2048
"""Unless told otherwise. Source: scripts/run_generative_v2.py in allenai/reward-bench."""

Scorer = Callable[[Sequence[Judged]], float | None]


class BestOfFour(ConfigurableTask):  # type: ignore[misc]
    """A judge that picks one of four answers, and in Ties rates every answer alone."""

    VERSION = 2

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        given = {key: value for key, value in (config or {}).items() if key != "class"}
        self.settings = JudgeSettings.read(os.environ, given.get("metadata") or {})
        refuse_settings(self.settings)
        self.rows = REWARDBENCH2.read(self.settings.data)[: self.settings.limit]
        tokens = self.settings.max_new_tokens or MAX_NEW_TOKENS
        fixed = {
            "output_type": "generate_until",
            "test_split": "test",
            "generation_kwargs": generation_kwargs(self.settings, tokens),
            "num_fewshot": 0,
            "metric_list": [],  # None would bring in lm-eval's own default metric
        }
        super().__init__(config=given | fixed)

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make the data set of the rows already read."""
        del dataset_kwargs
        self.dataset = {"test": datasets.Dataset.from_list([r.to_doc() for r in self.rows])}

    def generation(self) -> dict[str, Any]:
        """Return what a backend is told about a reply; `--gen_kwargs` of lm-eval is in it."""
        return dict(self.config.generation_kwargs)

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return the row's first prompt."""
        return prompts(Choice.from_doc(doc))[0][0].content

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return where the right answer, or the first of them, is shown."""
        return str(Choice.from_doc(doc).shown().index(0))

    def build_all_requests(self, **settings: Any) -> None:
        """Build every request, then refuse prompts that a backend would cut without a word.

        Never from lm-eval's request cache: its keys know neither the prompt nor the data.
        """
        if not settings.get("apply_chat_template"):
            logger.warning("ste_rewardbench2: no chat template. Pass --apply_chat_template.")
        super().build_all_requests(**settings | {"cache_requests": False})
        backend = checks.backend_of(settings.get("chat_template"))
        if (encode := checks.tokenizer_of(backend)) is None:
            return
        most = int(self.generation()["max_gen_toks"])
        needed = checks.tokens_needed(self.instances, lambda prompt: len(encode(prompt)), most)
        context_tokens = getattr(backend, "max_length", None)
        if unfit := checks.too_long(needed, context_tokens):
            checks.refuse(unfit, len(needed), context_tokens, REWARDBENCH2.name)

    def fewshot_context(
        self, doc: Mapping[str, Any], num_fewshot: int = 0, *,
        system_instruction: str | None = None, apply_chat_template: bool = False,
        chat_template: Callable[..., Any] | None = None, **_: Any,
    ) -> dict[int, Any]:  # fmt: skip
        """Return the templated prompts of a row by number; there are no few-shot examples."""
        del num_fewshot
        system = [{"role": "system", "content": system_instruction}] if system_instruction else []
        chats = [
            system + [{"role": m.role, "content": m.content} for m in prompt]
            for prompt in prompts(Choice.from_doc(doc))
        ]
        if apply_chat_template and chat_template:
            return {i: checks.rendered(chat, chat_template) for i, chat in enumerate(chats)}
        return {i: "\n\n".join(t["content"] for t in c) + "\n\n" for i, c in enumerate(chats)}

    def construct_requests(
        self, doc: Mapping[str, Any], ctx: Mapping[int, Any], **settings: Any
    ) -> list[Instance]:
        """Return one generation a prompt."""
        return [
            Instance(
                "generate_until", dict(doc), (prompt, self.generation()), i,
                metadata=settings["metadata"],
            )
            for i, prompt in ctx.items()
        ]  # fmt: skip

    def scorers(self) -> dict[str, Scorer]:
        """Return lm-eval's name of every figure → how it is made of all rows."""
        found: dict[str, Scorer] = {"final": final_score, "final_se": final_error}
        for section in SECTIONS:
            found[f"acc_section/{section}"] = partial(section_score, section)
            found[f"acc_section/{section}_se"] = partial(section_error, section)
        return found | {
            "invalid_rate": partial(rate, "unanswered"),
            "len_baseline": partial(rate, "longest"),
            "pick_a_baseline": partial(rate, "shown_a"),
        }

    def process_results(self, doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
        """Return what this row adds to every figure: the same keys in the same order for each."""
        return dict.fromkeys(self.scorers(), read_replies(Choice.from_doc(doc), results))

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | None]]:
        """Return how all rows become each figure."""
        return {name: partial(scored, score) for name, score in self.scorers().items()}

    def higher_is_better(self) -> dict[str, bool]:
        """Return the direction of the figures that have one."""
        return {name: True for name in self.scorers() if name.startswith(("final", "acc"))}


def scored(score: Scorer, rows: Sequence[Any]) -> float | None:
    """Return a figure of rows as lm-eval hands them on."""
    return score([Judged(*row) for row in rows])


def prompts(row: Choice) -> list[tuple[Message, ...]]:
    """Return what is asked about a row: the best of four, or in Ties a rating of every answer."""
    if row.subset == TIES:
        return [render_rating(row.prompt, answer) for answer in row.answers]
    return [render_choice(row.prompt, [row.answers[i] for i in row.shown()])]


def refuse_settings(settings: JudgeSettings) -> None:
    """Raise ConfigError for settings that have no meaning here, rather than ignore them."""
    unused = {
        "SECTION": bool(settings.section),
        "MODE": settings.mode != "verdict",
        "VOTES": settings.votes > 1,
        "TOO_LONG": settings.too_long != "refuse",
    }
    if named := [PREFIX + name for name, is_set in unused.items() if is_set]:
        raise ConfigError(
            f"{', '.join(named)}: ste_rewardbench2 asks once, in a prompt of its own. Unset."
        )
