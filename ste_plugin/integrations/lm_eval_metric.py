"""A judge as the metric of any generative task of lm-eval: how often it prefers the answers.

Of a task by name, `STE_JUDGED_TASK=NAME` with `--tasks ste_judged`; of a task of your own by one
line of its YAML, `class: !function utils.JudgedTask`. See docs/how-to/judged-tasks.md.
"""

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.api.metrics import mean
from lm_eval.api.task import ConfigurableTask

from ste_plugin.cascade import open_judge
from ste_plugin.errors import ConfigError, DataError, EngineError, did_you_mean
from ste_plugin.integrations.lm_eval_answers import REFERENCE, FindOther, find_other
from ste_plugin.integrations.lm_eval_replies import first_reply
from ste_plugin.integrations.scoring import score_of
from ste_plugin.judge import Comparison, PairwiseJudge
from ste_plugin.judge.silence import is_unread, why_silent
from ste_plugin.lm_eval_tasks.backend_checks import backend_of
from ste_plugin.lm_eval_tasks.share_interval import clustered_interval

JUDGED = "judged"
"""The filter under whose name the judge's figures stand: it is given whole replies."""
PREFIX = "STE_JUDGED_"
SETTINGS = ("TASK", "BY", "FORMAT", "FORCE", "URL", "API_KEY_ENV", "AGAINST")
WIN_RATE = "judge_win_rate"
_BYPASS = "bypass"
"""What stands in place of all metrics where lm-eval only collects answers (--predict_only)."""
_SWITCH = {"": None, "0": False, "1": True}
_TASK = re.compile(r"^task:\s*[\"']?([\w.-]+)", re.MULTILINE)

logger = logging.getLogger(__name__)
_SILENT = (
    "%s: the judge stated no verdict on %d of %d answers, which count as draws. %s Read some in "
    "the logged samples; STE_JUDGED_FORCE=1 has it take the likelier letter."
)
_LEAST = 8
"""Of so many answers a verdict on none is no accident, and a win rate of it is none."""
_KEPT = (
    "The model's answers are written already: with `--use_cache PATH` lm-eval keeps them, and the "
    "same command goes on to the judge."
)


class Answer(dict[str, Any]):
    """What the judge said of one answer; lm-eval logs it beside the document, as a text."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Who judges, and what the answers are compared with."""

    by: str
    format: str
    force: bool | None
    """None: as the judge's run does."""
    url: str
    api_key_env: str
    against: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings of the environment. Raises: ConfigError for one that is none."""
        given = {name for name in environ if name.startswith(PREFIX)}
        known = [PREFIX + name for name in SETTINGS]
        for name in sorted(given - set(known)):
            raise ConfigError(
                f"{name}: no such setting.{did_you_mean(name, known)} There are: "
                f"{', '.join(known)}."
            )
        values = {name: environ.get(PREFIX + name, "").strip() for name in SETTINGS}
        by, force = values["BY"], values["FORCE"]
        if not by:
            raise ConfigError(
                f"{PREFIX}BY is not set; expected the judge: the folder of a run (runs/a), a "
                f"model's folder, or its name on the server at {PREFIX}URL."
            )
        if force not in _SWITCH:
            raise ConfigError(f"{PREFIX}FORCE: found {force!r}; expected 1 or 0.")
        url, key = values["URL"], values["API_KEY_ENV"]
        return cls(by, values["FORMAT"], _SWITCH[force], url, key, values["AGAINST"] or REFERENCE)

    def open_judge(self) -> PairwiseJudge:
        """Return the judge. Raises: ConfigError or DataError where there is none."""
        return open_judge(
            self.by,
            format=self.format or None,
            base_url=self.url or None,
            api_key_env=self.api_key_env or None,
            force_verdict=self.force,
        )


class JudgedTask:
    """A generative task whose answers a judge compares with others, beside its own metrics."""

    def __new__(cls, config: Mapping[str, Any]) -> Any:
        """Return the task of a YAML, or the one that `STE_JUDGED_TASK` names."""
        settings, other = Settings.read(os.environ), None
        own = {key: value for key, value in config.items() if key != "class"}
        task = ConfigurableTask(config=own) if "doc_to_text" in own else named_task(os.environ)
        if task.OUTPUT_TYPE != "generate_until":
            raise ConfigError(
                f"{task.config.task}: output_type is {task.OUTPUT_TYPE}; expected generate_until, "
                "as a judge compares written answers. Choose a generative variant of the task."
            )
        other = find_other(settings.against)
        kind = type(task)
        task.__class__ = type(f"Judged{kind.__name__}", (JudgedAnswers, kind), {})
        task.judged_by, task.find_other = settings, other
        return task

    def __init__(self, config: Mapping[str, Any]) -> None:
        """For lm-eval, which looks here for what a task's class is given."""


def named_task(environ: Mapping[str, str]) -> Any:
    """Return the task that `STE_JUDGED_TASK` names: one of lm-eval's, or the YAML of another.

    Raises: ConfigError where it names none, or a group of tasks.
    """
    name = environ.get(PREFIX + "TASK", "").strip()
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        name, include = name_in(path), str(path.parent)
        manager = lm_eval.tasks.TaskManager(include_path=include, include_defaults=False)
    else:
        manager = lm_eval.tasks.TaskManager()
    if name in manager.all_groups or name in manager.all_tags:
        raise ConfigError(f"{PREFIX}TASK: {name} is a group of tasks; expected one of its tasks.")
    if name not in manager.all_subtasks:
        raise ConfigError(
            f"{PREFIX}TASK: found {name!r}.{did_you_mean(name, manager.all_subtasks)} Expected a "
            "task of lm-eval, or the path of a task's YAML."
        )
    return lm_eval.tasks.get_task_dict([name], manager)[name]


def name_in(path: Path) -> str:
    """Return the name that a task's YAML gives it. Raises: ConfigError where it gives none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = _TASK.search(text)
    if found is None:
        raise ConfigError(
            f"{PREFIX}TASK: found {path}, and no `task: NAME` in it; expected the YAML of a task."
        )
    return found[1]


class JudgedAnswers(ConfigurableTask):  # type: ignore[misc]
    """What a judged task adds to the task that it is."""

    judged_by: Settings
    find_other: FindOther
    backend: Any = None

    def build_all_requests(self, *args: Any, **options: Any) -> None:
        """Build the requests. Raises: SteError where a judge or other answer is not there."""
        super().build_all_requests(*args, **options)
        self.backend = backend_of(options.get("chat_template"))
        if _BYPASS not in self._metric_fn_list:
            self.others()
            self.judged_by.open_judge().close()

    def others(self) -> list[str]:
        """Return what each reply is compared with. Raises: DataError where there is no such."""
        return [self.find_other(self, each.doc) for each in self.instances]

    def apply_filters(self) -> Any:
        """Filter replies as the task does, and have the judge compare the whole ones."""
        filtered = super().apply_filters()
        if _BYPASS in self._metric_fn_list:
            return filtered
        for instance, answer in zip(self.instances, self.compare(self.others()), strict=True):
            instance.filtered_resps[JUDGED] = answer
        return filtered

    def compare(self, others: Sequence[str]) -> list[Answer]:
        """Return what the judge says of each reply beside its other answer, in one go.

        Raises: EngineError where the judge cannot answer, DataError where it never says anything.
        """
        replies = [first_reply(each, self.backend) for each in self.instances]
        asked = [i for i, reply in enumerate(replies) if reply and others[i]]
        pairs = [(self.question(i), replies[i], others[i]) for i in asked]
        try:
            with closing(self.judged_by.open_judge()) as judge:
                found = dict(zip(asked, judge.compare_many(pairs), strict=True))
        except EngineError as error:
            raise EngineError(f"{self.config.task}: {error}\n{_KEPT}") from error
        self.listen(list(found.values()))
        return [
            answer_of(reply, other, found.get(i))
            for i, (reply, other) in enumerate(zip(replies, others, strict=True))
        ]

    def listen(self, found: Sequence[Comparison]) -> None:
        """Warn of a judge that often says nothing. Raises: DataError where it never says more."""
        asked = [one for one in found if one.abstained != "identical answers"]
        unread = [one for one in asked if is_unread(one)]
        if len(unread) == len(asked) >= _LEAST:
            raise DataError(
                f"{self.config.task}: no verdict of the judge could be read on any of {len(asked)} "
                f"answers, so that there is no win rate. {why_silent(unread)}\n{_KEPT}"
            )
        silent = [one for one in unread if not one.problem]
        if len(silent) > len(found) / 10:
            why = why_silent(silent)
            logger.warning(_SILENT, self.config.task, len(silent), len(found), why)

    def question(self, index: int) -> str:
        """Return what a document asks, without examples and chat template."""
        return str(self.doc_to_text(self.instances[index].doc)).strip()

    def process_results(self, doc: Any, results: Any) -> Any:
        """Return a document's figures: the judge's of what it said, else the task's own."""
        answer = results[0]
        if not isinstance(answer, Answer):
            return super().process_results(doc, results)
        value = answer["win"]
        return {
            WIN_RATE: value,
            f"{WIN_RATE}_low": value,
            f"{WIN_RATE}_high": value,
            "judge_abstained": float(bool(answer["abstained"])),
            "judge_problem": float(bool(answer["problem"])),
            "judge_longer": answer["longer"],
        }

    def aggregation(self) -> dict[str, Any]:
        """Return each figure's mean, and the 95% interval of the share that is won."""
        return {
            **super().aggregation(),
            WIN_RATE: mean,
            f"{WIN_RATE}_low": interval_end(0),
            f"{WIN_RATE}_high": interval_end(1),
            "judge_abstained": mean,
            "judge_problem": mean,
            "judge_longer": mean,
        }

    def higher_is_better(self) -> dict[str, bool]:
        """Return which figures are better when higher."""
        ends = (WIN_RATE, f"{WIN_RATE}_low", f"{WIN_RATE}_high")
        lower = {"judge_abstained": False, "judge_problem": False}
        return {**super().higher_is_better(), **dict.fromkeys(ends, True), **lower}

    def dump_config(self) -> dict[str, Any]:
        """Return the config as lm-eval's results show it, with who judged and against what."""
        config, by = dict(super().dump_config()), self.judged_by
        told = {name: getattr(by, name) for name in ("by", "format", "force", "url", "against")}
        return config | {"metadata": {**(config.get("metadata") or {}), JUDGED: told}}


def answer_of(reply: str, other: str, found: Comparison | None) -> Answer:
    """Return what is logged of one reply: 1 where it is better in both orders, 0.5 where the judge
    abstains or cannot tell; an empty reply loses to any other."""
    if found is None:
        win = (1 + bool(reply) - bool(other)) / 2
        return Answer(win=win, abstained="", problem="", longer=longer(reply, other))
    return Answer(
        win=score_of(found),
        probability=found.probability,
        abstained=found.abstained,
        problem=found.problem,
        reasoning=found.reasoning,
        longer=longer(reply, other),
    )


def longer(reply: str, other: str) -> float:
    """Return 1 where a reply has more characters than the other, 0.5 of as many, else 0."""
    return (1 + (len(reply) > len(other)) - (len(reply) < len(other))) / 2


def interval_end(end: int) -> Any:
    """Return what gives the lower (0) or upper (1) end of the 95% interval of a mean."""

    def of(values: Sequence[float]) -> float:
        found = clustered_interval((value, 1.0) for value in values)
        return float("nan") if found is None else found[end]

    return of
