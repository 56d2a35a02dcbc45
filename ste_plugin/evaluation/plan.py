"""What the judges of a run are measured on: held-out pairs, given pairs, benchmarks."""

from dataclasses import replace
from pathlib import Path

from ste_plugin.context import RunContext
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.lm_eval_tasks.orders import TASK
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.plugins.judge_formats import as_setting
from ste_plugin.plugins.manager import contributed_folders, registered_files
from ste_plugin.storage.resources import find_task

Plan = dict[str, tuple[str, JudgeSettings]]
"""Name of an evaluation → lm-eval's task and its settings."""


def plan_evaluations(context: RunContext) -> Plan:
    """Return what to measure: held-out pairs, given pairs, benchmarks."""
    own, pool = _own_settings(context), prepare_pool(context).files
    held_out = {name: (TASK, replace(own, data=path)) for name, path in pool.items()}
    return held_out | configured(context)


def configured(context: RunContext) -> Plan:
    """Return the pairs and benchmarks that the config names."""
    config = context.config.evaluation
    own = replace(_own_settings(context), limit=config.limit)
    folder = context.base / Path(config.data).expanduser() if config.data else None
    pairs = {
        name: replace(
            own,
            data=context.base / Path(file.path).expanduser(),
            columns=file.columns,
            labels=file.labels,
            lists=file.lists,
            bad_rows=file.bad_rows,
        )
        for name, file in config.pairs.items()
    }
    return {name: (TASK, settings) for name, settings in pairs.items()} | {
        task: (task, replace(own, data=folder)) for task in config.tasks
    }


def check_configured(context: RunContext) -> None:
    """Raise ConfigError or DataError for pairs and benchmarks of the config that cannot be judged.

    Those of the hub are only looked up by name.
    """
    dirs = contributed_folders(context.plugins, "ste_task_dirs")
    for task, settings in configured(context).values():
        metadata = find_task(task, dirs, "evaluation.tasks").metadata
        if settings.data:
            lm_eval.read_documents(JudgeSettings.read(settings.environment(), metadata))


def _own_settings(context: RunContext) -> JudgeSettings:
    config = context.config
    judge, judging, evaluation = config.judge, config.judging, config.evaluation
    return JudgeSettings(
        format=as_setting(context.judge_format),
        force=judging.force_verdict,
        max_new_tokens=evaluation.max_new_tokens or judging.max_new_tokens,
        plugins=registered_files(context.plugins),
        chat_template_kwargs=judge.chat_template_kwargs,
        thinking=(judge.thinking.open, judge.thinking.close) if judge.thinking else None,
        omit=evaluation.omit,
        too_long=evaluation.too_long,
    )
