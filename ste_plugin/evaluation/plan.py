"""What the judges of a run are measured on: held-out pairs, given pairs, benchmarks."""

from dataclasses import replace

from ste_plugin.context import Session
from ste_plugin.lm_eval_tasks import runner as lm_eval
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.plugins.manager import folders, registered_files
from ste_plugin.storage.resources import find_task


def measured(session: Session) -> dict[str, tuple[str, JudgeSettings]]:
    """Return name → lm-eval's task and its settings: held-out pairs, given pairs, benchmarks."""
    own, pool = _own_settings(session), prepare_pool(session).files
    held_out = {n: (lm_eval.TASK, replace(own, data=path)) for n, path in pool.items()}
    return held_out | given(session)


def given(session: Session) -> dict[str, tuple[str, JudgeSettings]]:
    """Return the same of pairs and benchmarks that the config names."""
    config = session.config.evaluation
    own = replace(_own_settings(session), limit=config.limit, too_long=config.too_long)
    folder = session.base / config.data if config.data else None
    pairs = {name: session.base / path for name, path in config.pairs.items()}
    return {name: (lm_eval.TASK, replace(own, data=path)) for name, path in pairs.items()} | {
        task: (task, replace(own, data=folder)) for task in config.tasks
    }


def check_given(session: Session) -> None:
    """Raise ConfigError or DataError for pairs and benchmarks of the config that cannot be judged.

    Those of the hub are only looked up by name.
    """
    dirs = folders(session.plugins, "ste_task_dirs")
    for task, settings in given(session).values():
        metadata = find_task(task, dirs, "evaluation.tasks").metadata
        if settings.data:
            lm_eval.rows_of(JudgeSettings.read(settings.environment(), metadata))


def _own_settings(session: Session) -> JudgeSettings:
    return JudgeSettings(
        format=session.config.judging.format,
        force=session.config.judging.force_verdict,
        max_new_tokens=session.config.evaluation.max_new_tokens,
        plugins=registered_files(session.plugins),
    )
