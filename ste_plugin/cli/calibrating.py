"""The command `ste calibrate`: fit how far a judge's probabilities can be believed on labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.cascades import BaseUrl, Constructed, Engine, Options, Out
from ste_plugin.cli.judging import Format, JudgeName, MaxTokens
from ste_plugin.cli.running import Json, Plugin

if TYPE_CHECKING:
    from ste_plugin.judging.calibration import Calibration

Labels = Annotated[Path, typer.Option(help="Pairs that people labelled, at least 30.")]


@app.command("calibrate")
def fit_calibration(
    judge: JudgeName,
    labels: Labels,
    constructed: Constructed = False,
    form: Format = None,
    engine: Engine = None,
    base_url: BaseUrl = None,
    options: Options = "",
    max_new_tokens: MaxTokens = None,
    out: Out = Path("calibration.json"),
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Fit the temperature of a judge's probabilities on labelled pairs; verdicts stay the same."""
    from ste_plugin.cascade.calibrating import fit_on_labels
    from ste_plugin.cascade.labels import fit_labels
    from ste_plugin.cascade.settings import require_writable
    from ste_plugin.cli.measuring import parse_args
    from ste_plugin.judge import Judge
    from ste_plugin.judge.which import is_run
    from ste_plugin.storage.jsonl import replace_json

    require_writable(out)
    told = fit_labels(labels, None, constructed=constructed)
    own = None if base_url or is_run(Path(judge)) else "local"
    with Judge(
        judge,
        format=form,
        engine=engine or own,
        base_url=base_url,
        options=parse_args(options, "--options") or None,
        max_new_tokens=max_new_tokens,
        force_verdict=True,
        plugins=plugin or [],
    ) as asked:
        found = fit_on_labels(asked, told)
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
