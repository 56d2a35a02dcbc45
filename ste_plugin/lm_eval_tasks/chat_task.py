"""What the task classes share: documents already read, asked about in templated chats."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from ste_plugin import __version__
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.judging import JudgeFormat
from ste_plugin.lm_eval_tasks import backend_checks as checks
from ste_plugin.lm_eval_tasks.absent_task import (
    FIXED,
    AbsentTask,
    any_there,
    not_there,
    note_constructed,
)
from ste_plugin.lm_eval_tasks.api_requests import is_api, prepare_api
from ste_plugin.lm_eval_tasks.backend_template import (
    refuse_think_end_token,
    sends_chats,
    template_of,
)
from ste_plugin.lm_eval_tasks.host_options import (
    refuse_cache_of_another,
    refuse_lost_keys,
    refuse_lost_metadata,
    sampling_told,
)
from ste_plugin.lm_eval_tasks.judged_pair import count_verdicts
from ste_plugin.lm_eval_tasks.measurement import HOW, JUDGED, described
from ste_plugin.lm_eval_tasks.pairs_file import Document, kept
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.lm_eval_tasks.whole_replies import ReplyReader
from ste_plugin.text.thinking import split_thinking

logger = logging.getLogger(__name__)


class ChatTask(ConfigurableTask):  # type: ignore[misc]
    """A task whose documents are read before lm-eval starts, and whose prompts are chats."""

    documents: Sequence[Document]
    settings: JudgeSettings
    """Both to be set before `super().__init__`."""
    format: JudgeFormat | None = None
    """Likewise; None for a task with prompts of its own."""

    def __new__(cls, config: Mapping[str, Any] | None = None) -> Any:
        """Return a task, or what stands for one whose benchmark the folder of data lacks."""
        own, settings = read_settings(config) if config else ({}, None)
        if settings and (problem := not_there(settings)):
            return AbsentTask(own, settings, problem)
        return super().__new__(cls)

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.backend: Any = None
        self.template: ChatTemplate | None = None
        self.asked_otherwise: dict[str, Any] = {}
        self.reader = ReplyReader(marks=self.settings.thinking)
        note_constructed(there=True)
        super().__init__(config={**config, **FIXED})
        self.described = described(self.settings, self.format, self.documents)

    def chats(self, doc: Mapping[str, Any]) -> Mapping[Any, checks.Turns]:
        """Return the chats about a document, by what tells them apart."""
        raise NotImplementedError

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make the data set of the documents already read; nothing is downloaded."""
        self.dataset = {"test": datasets.Dataset.from_list([d.to_doc() for d in self.documents])}

    def generation(self) -> dict[str, Any]:
        """Return what a backend is told about a reply; `--gen_kwargs` of lm-eval is in it."""
        told = self.told()
        return checks.accepted_by(self.backend, told, self.template, self.settings)

    def told(self) -> dict[str, Any]:
        """Return how replies are sampled, `--gen_kwargs` of lm-eval included; empty without any.

        Raises: ConfigError where that contradicts itself, or makes all votes the same.
        """
        told = self.config.generation_kwargs or {}
        return sampling_told(told, self.settings.votes) if told else {}

    def how(self) -> dict[str, Any]:
        """Return how these figures are made: settings, data, versions, and `--gen_kwargs`."""
        told = self.told()
        return {
            "ste_plugin": __version__,
            "task_version": self.VERSION,
            **self.described,
            **self.asked_otherwise,
            **({"generation_kwargs": told} if told else {}),
        }

    def dump_config(self) -> dict[str, Any]:
        """Return the config as lm-eval's results show it, with how the figures are made."""
        config = dict(super().dump_config())
        return config | {"metadata": {**(config.get("metadata") or {}), HOW: self.how()}}

    def judged(self, verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what a logged sample says in words: the verdicts, and how they were had."""
        return {JUDGED: {"verdicts": list(verdicts), "how": self.how()}}

    @property
    def reasons(self) -> bool:
        """Return whether the judge writes anything before its verdict."""
        return True

    def build_all_requests(self, **settings: Any) -> None:
        """Build every request; `backend` is known from here on.

        Never from lm-eval's request cache: its keys know neither the prompt nor the data.
        """
        any_there()
        kept(self.config.task, self.documents, settings.get("limit"))
        self.asked_otherwise = asked_otherwise(settings)
        if not settings.get("apply_chat_template"):
            logger.warning(
                "%s: no chat template is applied, so the prompts differ from those that judges "
                "are trained on. Pass --apply_chat_template.",
                self.config.task,
            )
        self.connect(checks.backend_of(settings.get("chat_template")))
        super().build_all_requests(**settings | {"cache_requests": False})

    def connect(self, backend: Any) -> None:
        """Learn how the backend renders, and make it ask and read as the judge was trained.

        Raises: ConfigError where its model_args are against that.
        """
        self.backend, own = backend, self.settings
        refuse_think_end_token(backend)
        refuse_cache_of_another(backend)
        if is_api(backend):
            prepare_api(backend, own.omit)
        self.template = template_of(backend, own)
        by_server = sends_chats(backend)
        if self.template and not by_server:
            checks.ask_as_trained(backend, self.template)
        self.reader = ReplyReader(
            self.template, own.thinking, by_server=by_server, answers_are_long=self.reasons
        )

    def apply_filters(self) -> None:
        """Keep every reply, whole; lm-eval's own filter keeps the first one alone."""
        generated = [i for i in self.instances if i.request_type == "generate_until"]
        self.reader.learn(reply for i in generated for reply in i.resps)
        for i in self.instances:
            replies = i.resps[: i.repeats]
            if i.request_type == "generate_until":
                replies = [self.read(reply, i.args[0]) for reply in replies]
            i.filtered_resps["none"] = replies if i.repeats > 1 else replies[0]
        if generated and not any(map(has_answer, generated)):
            logger.warning(
                "%s: every reply is a thought that never ends, or is cut off, so none has a "
                "verdict. Give them more tokens (STE_JUDGE_MAX_NEW_TOKENS, max_new_tokens).",
                self.config.task,
            )

    def read(self, reply: str, prompt: Any) -> str:
        """Return a reply as it is logged and read."""
        return self.reader.whole(reply, prompt)

    def fewshot_context(
        self,
        doc: Mapping[str, Any],
        num_fewshot: int = 0,
        *,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[..., Any] | None = None,
        **_: Any,
    ) -> dict[Any, Any]:
        """Return the templated prompt of each chat; there are no few-shot examples."""
        system = [{"role": "system", "content": system_instruction}] if system_instruction else []
        chats = {name: [*system, *turns] for name, turns in self.chats(doc).items()}
        if apply_chat_template and chat_template:
            return {
                name: checks.render(turns, chat_template, self.template)
                for name, turns in chats.items()
            }
        behind = self.format.after_prompt if self.format else "\n\n"
        return {
            name: "\n\n".join(turn["content"] for turn in turns) + behind
            for name, turns in chats.items()
        }


def has_answer(request: Instance) -> bool:
    """Return whether any reply to a request says something, other than thoughts."""
    replies = request.filtered_resps["none"]
    replies = [replies] if isinstance(replies, str) else replies
    return any(split_thinking(reply).ended for reply in replies)


def read_settings(config: Mapping[str, Any] | None) -> tuple[dict[str, Any], JudgeSettings]:
    """Return the config of a task without its class, and the settings of environment and metadata.

    Raises: ConfigError naming the variable.
    """
    own = {key: value for key, value in (config or {}).items() if key != "class"}
    metadata = own.get("metadata") or {}
    refuse_lost_keys(own)
    refuse_lost_metadata(sys.argv, metadata)
    return own, JudgeSettings.read(os.environ, metadata)


def asked_otherwise(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return lm-eval's options by which a judge is asked otherwise than it was trained."""
    told: dict[str, Any] = {}
    if not settings.get("apply_chat_template"):
        told["apply_chat_template"] = False
    if system := settings.get("system_instruction"):
        told["system_instruction"] = system
    return told


def verdicts_in(samples: Sequence[Mapping[str, Any]]) -> str:
    """Return how often each verdict was given, from what `ChatTask.judged` made of every row."""
    return count_verdicts(sample["verdicts"] for sample in samples)
