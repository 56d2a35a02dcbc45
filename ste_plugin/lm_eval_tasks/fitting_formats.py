"""Whether a judge format fits what a judge task is told to do with it."""

import pluggy

from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat
from ste_plugin.judging.format import read_officially
from ste_plugin.lm_eval_tasks.setting_values import PREFIX
from ste_plugin.plugins.manager import contributions


def require_choices(judge_format: JudgeFormat, where: str) -> None:
    """Raise ConfigError for a format in which no letter can be asked for."""
    if not judge_format.choices:
        raise ConfigError(
            f"{where}: {judge_format.name} has no closing words, so that no letter can be asked "
            f"for; expected some for {PREFIX}FORCE and the mode `likelier`. Give its file "
            "`closing`, or leave them out."
        )


def require_official(judge_format: JudgeFormat, plugins: pluggy.PluginManager, where: str) -> None:
    """Raise ConfigError for a format whose verdicts RewardBench's own parser does not read."""
    if read_officially(judge_format):
        return
    known = contributions(plugins, "ste_judge_formats")
    readable = [name for name, (_, found) in known.items() if read_officially(found)]
    raise ConfigError(
        f"{where}: the mode `official` looks for [[A]] and [[B]], as RewardBench does, and "
        f"{judge_format.name!r} gives its verdicts otherwise. Use {', '.join(sorted(readable))}, "
        f"or {PREFIX}MODE=verdict."
    )
