"""The command `ste calibrate`: fit how far a judge's probabilities can be believed on labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.cascades import Constructed, Out, read_labels
from ste_plugin.cli.judging import (
    ApiKeyEnv,
    BaseUrl,
    Engine,
    Format,
    MaxTokens,
    Options,
    TemplateKwargs,
)
from ste_plugin.cli.running import Json, Plugin
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.judging.calibration import Calibration

JudgeName = Annotated[
    str, typer.Argument(metavar="JUDGE", help="A run, or a model's folder, hub id or served name.")
]
Labels = Annotated[Path, typer.Option(help="Pairs that people labelled, at least 30.")]


@app.command("calibrate")
def fit_calibration(
    judge: JudgeName,
    labels: Labels,
    constructed: Constructed = False,
    form: Format = None,
    engine: Engine = None,
    base_url: BaseUrl = None,
    api_key_env: ApiKeyEnv = None,
    options: Options = "",
    chat_template_kwargs: TemplateKwargs = "",
    max_new_tokens: MaxTokens = None,
    out: Out = Path("calibration.json"),
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Fit the temperature of a judge's probabilities on labelled pairs; verdicts stay the same."""
    from ste_plugin.cascade.calibrating import fit_on_labels
    from ste_plugin.cascade.settings import is_cascade, require_writable
    from ste_plugin.cli.measuring import parse_args
    from ste_plugin.judge import Judge
    from ste_plugin.judge.which import is_run
    from ste_plugin.lm_eval_tasks.shown_columns import kept_by_all
    from ste_plugin.storage.jsonl import replace_json

    require_writable(out)
    if is_cascade(Path(judge)):
        raise ConfigError(
            f"{judge}: a cascade has a threshold of its own (`ste cascade fit`) and no "
            "temperature. Name the judge that decides first."
        )
    own = None if base_url or is_run(Path(judge)) else "local"
    with Judge(
        judge,
        format=form,
        engine=engine or own,
        base_url=base_url,
        api_key_env=api_key_env,
        options=parse_args(options, "--options") or None,
        chat_template_kwargs=parse_args(chat_template_kwargs, "--chat-template-kwargs") or None,
        max_new_tokens=max_new_tokens,
        force_verdict=True,
        plugins=plugin or [],
    ) as asked:
        keep = kept_by_all(asked.formats)
        told = read_labels(labels, None, constructed=constructed, keep=keep, judges=None)
        found = fit_on_labels(asked, told, lambda line: say(line, err=True))
    replace_json(out, found.to_dict())
    if as_json:
        show(found.to_dict())
    else:
        say(in_words(found, out))


def in_words(found: "Calibration", out: Path) -> str:
    """Return what was fitted and how to use it."""
    before, after = found.before, found.after
    by = "people labelled" if found.labels_by == "people" else "are right by construction"
    return (
        f"Temperature {found.temperature:g}, by {found.judgments} judgments of pairs that {by}; "
        f"{found.right} of them are right, which it does not change.\n"
        f"Brier score {before.brier:.3f} to {after.brier:.3f}, calibration error {before.ece:.3f} "
        f"to {after.ece:.3f}, on these pairs.\n"
        f"Written: {out}. Use it: ste judge JUDGE --calibration {out}"
    )
