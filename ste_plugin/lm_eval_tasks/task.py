"""The task class behind every YAML of pairs, for lm-eval 0.4.11 to 0.4.13.

Only lm-eval imports this module.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from lm_eval.api.instance import Instance

from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.judging import JudgeFormat, Said
from ste_plugin.labelled.pair import LabelledPair
from ste_plugin.lm_eval_tasks import backend_checks as checks
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.chat_task import ChatTask, read_settings, verdicts_in
from ste_plugin.lm_eval_tasks.early_stop import SkippedInstance, VoteInstance, draw_in_waves
from ste_plugin.lm_eval_tasks.figures import figures_of
from ste_plugin.lm_eval_tasks.measurement import JUDGED
from ste_plugin.lm_eval_tasks.replies import NOT_ASKED, orders_shown, parser, read_replies
from ste_plugin.lm_eval_tasks.shown_columns import columns_shown
from ste_plugin.records import Verdict


class PairJudge(ChatTask):
    """A judge on labelled pairs: one document is one pair, shown in both orders."""

    VERSION = 4
    format: JudgeFormat

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        own, self.settings = read_settings(config)
        self.format = self.settings.load_judge_format()
        self.settings = self.settings.asked_in(self.format)
        self.parse = parser(self.format, self.settings)
        self.documents = read_pairs(self.settings)
        self.figures = figures_of(self.documents, self.settings)
        self.in_waves = False
        super().__init__(own | self._output())

    def _output(self) -> dict[str, Any]:
        if not self.generates:
            return {"output_type": "loglikelihood", "generation_kwargs": None}
        tokens = self.settings.max_new_tokens or self.format.max_new_tokens
        kwargs = self.settings.generation_kwargs(tokens)
        return {"output_type": "generate_until", "generation_kwargs": kwargs}

    @property
    def generates(self) -> bool:
        """Return whether the judge writes anything."""
        return self.settings.mode != "likelier"

    @property
    def reasons(self) -> bool:
        """Return whether the judge writes anything before its verdict."""
        return self.format.reasons

    @property
    def compares(self) -> bool:
        """Return whether the likelihoods of the format's choices are measured."""
        return not self.generates or (self.settings.force and self.settings.mode == "verdict")

    def chats(self, doc: Mapping[str, Any]) -> dict[Verdict, checks.Turns]:
        """Return the chat of each order shown, by the letter of the better response."""
        shown = orders_shown(doc["id"], self.settings)
        return {gold: self.turns(doc, gold) for gold in shown}

    def turns(self, doc: Mapping[str, str], gold: Verdict) -> list[dict[str, str]]:
        """Return the chat that shows the better response under the letter `gold`."""
        judge_format = self.format.for_row(columns_shown(doc))
        messages = judge_format.render_pair(doc["prompt"], doc["chosen"], doc["rejected"], gold)
        return [{"role": m.role, "content": m.content} for m in messages]

    def doc_to_text(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return the prompt that shows the better response as A."""
        return "\n\n".join(turn["content"] for turn in self.turns(doc, "A"))

    def doc_to_target(self, doc: Mapping[str, str], *_: Any) -> str:
        """Return the verdicts of a perfect judge in the orders shown."""
        return "".join(orders_shown(doc["id"], self.settings))

    def build_all_requests(self, **settings: Any) -> None:
        """Build every request, then refuse prompts that a backend would silently cut."""
        # Processes that share a model's weights must ask it equally often.
        alone = settings.get("world_size", 1) == 1
        visible = checks.backend_of(settings.get("chat_template")) is not None
        votes = self.settings.early_stop and self.settings.votes > 1
        # a mean is never settled before its last rating
        self.in_waves = votes and alone and visible and not self.format.pointwise
        super().build_all_requests(**settings)
        self.require_own_draws()
        skipped = self.check_prompts()
        if self.in_waves or skipped:
            draw_in_waves(self.backend)
        if self.generates:
            share_prompts(self.backend, self.letters_behind())

    def require_own_draws(self) -> None:
        """Raise ConfigError where a backend's copies of the model would all draw the same votes.

        lm-eval (0.4.13) seeds vLLM's copies alike, and gives each every second request.
        """
        copies = getattr(self.backend, "data_parallel_size", 1)
        if self.settings.votes > 1 and copies > 1:
            raise ConfigError(
                f"data_parallel_size: found {copies}, with {self.settings.votes} votes; expected 1,"
                " as lm-eval's copies of vLLM share a seed and would repeat each other's votes. "
                "Leave it out, or start a server with several copies and use local-completions."
            )

    def check_prompts(self) -> bool:
        """Return whether pairs were skipped; raise where a backend would ask something else.

        Raises: DataError where it would cut a prompt, ConfigError where it cannot compare letters.
        """
        backend = self.backend
        count, encode = checks.counter_of(backend, self.template), checks.tokenizer_of(backend)
        if count is None:
            checks.require_counter(backend is not None and self.settings.too_long == "drop")
            return False
        context_tokens = getattr(backend, "max_length", None)
        max_new_tokens = self.generation().get("max_gen_toks", 0)
        needed = checks.tokens_needed(self.instances, count, max_new_tokens)
        unfit = checks.too_long(needed, context_tokens)
        if unfit and self.settings.too_long == "refuse":
            where = str(self.settings.data or self.config.task)
            checks.refuse_too_long(unfit, len(needed), context_tokens, where)
        if self.compares and encode:
            prompts = (i.args[0] for i in self.instances if i.request_type == "loglikelihood")
            checks.refuse_merging(encode, next(prompts), self.format.choices)
        self.skip(set(unfit))
        return bool(unfit)

    def skip(self, ids: set[str]) -> None:
        """Leave one request of these pairs, which reaches no model: lm-eval wants one of each."""
        kept: dict[tuple[Any, ...], Instance] = {}
        for i in self.instances:
            instance = skipped(i) if i.doc["id"] in ids else i
            kept[i.doc_id, instance.idx] = instance
        self._instances = list(kept.values())

    def letters_behind(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is scored behind a prompt: (prompt, context that it begins, letter)."""
        prompts = {i.args[0] for i in self.instances if i.request_type == "generate_until"}
        behind = {self.scored_context(prompt): prompt for prompt in prompts if self.compares}
        for i in self.instances:
            if i.request_type == "loglikelihood" and i.args[0] in behind:
                yield behind[i.args[0]], *i.args

    def scored_context(self, prompt: Any) -> str:
        """Return the text behind which letters are scored."""
        return self.answer_prompt(prompt) + self.format.forced_prefix("")

    def construct_requests(
        self, doc: Mapping[str, str], ctx: Mapping[Verdict, Any], **settings: Any
    ) -> list[Instance]:
        """Return generations and likelihoods, in the order in which `read_replies` reads them."""
        task, doc_id, _ = settings["metadata"]
        requests: list[Instance] = []
        for prompt in ctx.values() if self.generates else ():
            vote = partial(VoteInstance, parse=partial(self.vote, prompt=prompt))
            request = vote if self.in_waves else Instance
            generation, votes = (prompt, self.generation()), (task, doc_id, self.settings.votes)
            requests.append(request("generate_until", dict(doc), generation, len(requests), votes))
        for prompt in ctx.values() if self.compares else ():
            context = self.scored_context(prompt)
            for choice in self.format.choices:
                scored, once = (context, choice), (task, doc_id, 1)
                requests.append(Instance("loglikelihood", dict(doc), scored, len(requests), once))
        return requests

    def vote(self, reply: str, prompt: Any) -> Said:
        """Return the verdict of a reply, as far as the replies until now tell how to read it."""
        self.reader.learn([reply])
        return self.parse(self.read(reply, prompt))

    def read(self, reply: str, prompt: Any) -> str:
        """Return a reply as it is logged and read; RewardBench's own parser gets what was said."""
        return str(reply) if self.settings.mode == "official" else super().read(reply, prompt)

    def answer_prompt(self, prompt: Any) -> str:
        """Return a prompt, and behind it how an answer without a thought begins.

        Raises: ConfigError where the backend or its template has no such place.
        """
        text = self.require_text(prompt)
        try:
            return text + self.template.layout.answer_opening if self.template else text
        except EngineError as error:
            raise ConfigError(str(error)) from error

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
        terms = {name: figure.term(judged) for name, figure in self.figures.items()}
        errors = {f"{name}_se": term for name, term in terms.items()}
        return terms | errors | self.judged(judged.in_words())

    def aggregation(self) -> Mapping[str, Callable[[Sequence[Any]], float | str | None]]:
        """Return how the terms of all pairs become each figure and its standard error.

        Also how often each verdict was given, in words.
        """
        errors = {f"{name}_se": figure.error for name, figure in self.figures.items()}
        values = {name: figure.value for name, figure in self.figures.items()}
        return values | errors | {JUDGED: verdicts_in}

    def higher_is_better(self) -> dict[str, bool]:
        """Return the direction of the figures that have one."""
        return {name: True for name, figure in self.figures.items() if figure.higher_is_better}


def share_prompts(backend: Any, behind: Iterable[tuple[str, str, str]]) -> None:
    """Make lm-eval's hf read each prompt once, and look at what is asked of it alone.

    See `prompt_states` and `last_positions`. Other backends are left as they are.
    """
    if type(backend).__name__ == "HFLM":  # servers are asked where neither torch is nor needed
        from ste_plugin.lm_eval_tasks import last_positions, prompt_states

        last_positions.keep_last_positions(backend)
        prompt_states.share_prompts(backend, behind)


def skipped(request: Instance) -> SkippedInstance:
    """Return what stands for all requests of a pair that is not asked about."""
    metadata = (request.task_name, request.doc_id, 1)
    return SkippedInstance("generate_until", request.doc, (NOT_ASKED, {}), 0, metadata)
