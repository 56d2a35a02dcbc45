"""`ste_rewardbench2` for lm-eval 0.4.11 to 0.4.13. Only lm-eval imports this module."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lm_eval.api.instance import Instance

from ste_plugin.engines.base import Message
from ste_plugin.errors import ConfigError
from ste_plugin.judging.choosing import (
    LETTERS,
    parse_choice,
    parse_rating,
    render_choice,
    render_rating,
)
from ste_plugin.lm_eval_tasks import backend_checks as checks
from ste_plugin.lm_eval_tasks.benchmarks.rewardbench2 import REWARDBENCH2, SECTIONS, TIES, Choice
from ste_plugin.lm_eval_tasks.chat_task import ChatTask, read_settings, verdicts_in
from ste_plugin.lm_eval_tasks.choice_scores import (
    RATES,
    ChoiceScore,
    final_error,
    final_score,
    rate,
    rate_error,
    score_choice,
    section_error,
    section_score,
)
from ste_plugin.lm_eval_tasks.judged_pair import NONE
from ste_plugin.lm_eval_tasks.measurement import JUDGED
from ste_plugin.lm_eval_tasks.pairs_file import kept
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.lm_eval_tasks.settings import JudgeSettings

MAX_NEW_TOKENS = 2048
"""Where the settings name none. Source: scripts/run_generative_v2.py in allenai/reward-bench."""

Scorer = Callable[[Sequence[ChoiceScore]], float | None]


class BestOfFour(ChatTask):
    """A judge that picks one of four answers, and in Ties rates every answer alone."""

    VERSION = 3

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        own, self.settings = read_settings(config)
        refuse_settings(self.settings)
        self.documents = kept(
            REWARDBENCH2.name, REWARDBENCH2.read(self.settings.data), self.settings.limit
        )
        kwargs = self.settings.generation_kwargs(self.settings.max_new_tokens or MAX_NEW_TOKENS)
        super().__init__(own | {"output_type": "generate_until", "generation_kwargs": kwargs})

    def chats(self, doc: Mapping[str, Any]) -> dict[int, checks.Turns]:
        """Return the chats about a row by number: one, in Ties one per answer."""
        return {
            i: [{"role": m.role, "content": m.content} for m in prompt]
            for i, prompt in enumerate(prompts(Choice.from_doc(doc)))
        }

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return the row's first prompt."""
        return prompts(Choice.from_doc(doc))[0][0].content

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """Return where the right answer, or the first of them, is shown."""
        return str(Choice.from_doc(doc).shown().index(0))

    def build_all_requests(self, **settings: Any) -> None:
        """Build every request, then refuse prompts that a backend would silently cut."""
        super().build_all_requests(**settings)
        if (encode := checks.tokenizer_of(self.backend)) is None:
            return
        max_new_tokens = int(self.generation()["max_gen_toks"])
        needed = checks.tokens_needed(self.instances, lambda p: len(encode(p)), max_new_tokens)
        context_tokens = getattr(self.backend, "max_length", None)
        if unfit := checks.too_long(needed, context_tokens):
            checks.refuse_too_long(unfit, len(needed), context_tokens, REWARDBENCH2.name)

    def construct_requests(
        self, doc: Mapping[str, Any], ctx: Mapping[int, Any], **settings: Any
    ) -> list[Instance]:
        """Return one generation per prompt."""
        metadata = settings["metadata"]
        return [
            Instance("generate_until", dict(doc), (prompt, self.generation()), i, metadata)
            for i, prompt in ctx.items()
        ]

    def scorers(self) -> dict[str, Scorer]:
        """Return lm-eval's name of every figure → how it is made of all rows."""
        scorers: dict[str, Scorer] = {"final": final_score, "final_se": final_error}
        for section in SECTIONS:
            scorers[f"acc_section/{section}"] = partial(section_score, section)
            scorers[f"acc_section/{section}_se"] = partial(section_error, section)
        for name, field in RATES.items():
            scorers |= {name: partial(rate, field), f"{name}_se": partial(rate_error, field)}
        return scorers

    def process_results(self, doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
        """Return what this row adds to every figure: the same keys in the same order for each."""
        row = Choice.from_doc(doc)
        scores = dict.fromkeys(self.scorers(), score_choice(row, results))
        return scores | self.judged(in_words(row, results))

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | str | None]]:
        """Return how all rows become each figure, and how often each answer was given."""
        figures = {name: partial(figure_of, score) for name, score in self.scorers().items()}
        return figures | {JUDGED: verdicts_in}

    def higher_is_better(self) -> dict[str, bool]:
        """Return the direction of the figures that have one."""
        return {name: True for name in self.scorers() if name.startswith(("final", "acc"))}


def in_words(row: Choice, replies: Sequence[str]) -> list[dict[str, Any]]:
    """Return the letter chosen and the right one, in Ties the rating of every answer."""
    if row.subset == TIES:
        ratings = [parse_rating(reply) for reply in replies]
        return [{"verdict": NONE if rating is None else str(rating)} for rating in ratings]
    right = LETTERS[row.shown().index(0)]
    return [{"chosen_shown_as": right, "verdict": parse_choice(replies[0]) or NONE}]


def figure_of(score: Scorer, rows: Sequence[Any]) -> float | None:
    """Return a figure of rows as lm-eval hands them on."""
    return score([ChoiceScore(*row) for row in rows])


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
