"""The command `ste review`: people look at a sample of a run's pairs or judgments."""

from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ste_plugin.cli.app import app, say
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.review.population import Splits
    from ste_plugin.review.sample import Sample
    from ste_plugin.review.session import ReviewSession

Run = Annotated[Path, typer.Argument(help="The run's folder, or its YAML.")]
Rater = Annotated[
    str | None, typer.Option("--rater", metavar="NAME", help="Who labels; by default the login.")
]
Judgments = Annotated[
    bool, typer.Option("--judgments", help="Show judgments, and ask whether their reasoning holds.")
]
Number = Annotated[
    int | None, typer.Option("--number", min=1, help="How many; by default 100, or as before.")
]
SplitName = Annotated[
    str | None,
    typer.Option("--split", help="train, dev, test, held-out or all; by default held-out pairs."),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 is a free one.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the link alone.")]
_SPLITS = ("train", "dev", "test", "held-out", "all")


@app.command()
def review(
    run: Run,
    rater: Rater = None,
    judgments: Judgments = False,
    number: Number = None,
    split: SplitName = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
) -> None:
    """Show people a sample of a run's pairs, blind, on a page of this machine; keep what they say.

    Keys: 1 and 2 for the better answer, 0 for neither, u to undo, s to skip. It can be ended at any
    time, and goes on where the rater left off.
    """
    from ste_plugin.review.labels import Kind, check_rater, hold_rater, labels_path, read_labels
    from ste_plugin.review.population import chosen_splits, find_run
    from ste_plugin.review.sample import draw_sample
    from ste_plugin.web import require_web

    require_web()
    from ste_plugin.review.pages import STATIC, review_routes
    from ste_plugin.review.session import ReviewSession
    from ste_plugin.web.serve import serve

    folder, config = find_run(run)
    path = labels_path(folder)
    kind: Kind = "judgment" if judgments else "pair"
    name = check_rater(rater or _login(), {label.rater for label in read_labels(path)})
    with hold_rater(folder, name):
        splits = chosen_splits(folder, _split(split))
        sample = draw_sample(folder, config, kind, splits, number)
        session = ReviewSession(path, name, kind, sample.items)
        _say_sample(sample, session)
        serve(
            review_routes(session, sample),
            say=say,
            port=port,
            open_browser=not no_browser,
            static=[STATIC],
        )
        say(f"{session.done} of {len(sample.items)} labelled by {name}: {path}")


def _split(name: str | None) -> "Splits | None":
    if name is not None and name not in _SPLITS:
        raise ConfigError(f"--split {name}: expected one of {', '.join(_SPLITS)}.")
    return cast("Splits | None", name)


def _login() -> str:
    try:
        return getuser()
    except (OSError, KeyError) as error:  # in a container, a user without a name
        raise ConfigError("--rater: give your name; this system has none for you.") from error


def _say_sample(sample: "Sample", session: "ReviewSession") -> None:
    """Tell what is to be labelled, how long it takes, and what it buys."""
    what = "pairs" if session.kind == "pair" else "judgments"
    done = f", {session.done} of them done" if session.done else ""
    say(
        f"{len(sample.items)} {what} for {session.rater}{done}; all take about {sample.minutes} "
        f"minutes.\n{'strategy':<34}{what:>10}{'drawn':>7}   95% interval at 90% good   at most"
    )
    for share in sample.shares:
        between = f"{100 * share.low:.0f}–{100 * share.high:.0f}%"
        say(
            f"{share.strategy[:33]:<34}{share.there:>10}{share.drawn:>7}   {between:>24}   "
            f"± {100 * share.widest:.0f} points"
        )
