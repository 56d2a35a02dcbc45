"""What a data set of ratings cannot have."""

from ste_plugin.config import RunConfig
from ste_plugin.errors import ConfigError
from ste_plugin.judging import JudgeFormat


def check_pointwise(judge_format: JudgeFormat, config: RunConfig) -> None:
    """Raise ConfigError for settings that have no meaning where each answer is rated alone."""
    if not judge_format.pointwise:
        return
    dataset, name = config.dataset, judge_format.name
    if dataset.keep != "first":
        raise ConfigError(
            f"dataset.keep: found {dataset.keep!r} with judging.format {name}, which rates each "
            "answer alone; expected first, as the ratings of a pair's two answers are right "
            "together only where they are of the same sample. Leave dataset.keep out, or use a "
            "format that compares both answers (judging.format: brief, criteria or plan)."
        )
    if dataset.verdict_share:
        raise ConfigError(
            f"dataset.verdict_share: found {dataset.verdict_share:g} with judging.format {name}, "
            "whose rows show one answer each; expected a format that compares both answers, to mix "
            "rows of the letter alone into. Leave dataset.verdict_share out, or set "
            "judging.format to brief, criteria or plan."
        )
