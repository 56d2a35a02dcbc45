"""The command `ste review`: people look at a sample of a run's pairs or judgments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ste_plugin.cli.app import app, say
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    from ste_plugin.review.population import Splits

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
Export = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE.csv", help="Write the sample for labelling elsewhere."),
]
Import = Annotated[
    Path | None,
    typer.Option("--import", metavar="FILE.csv", help="Take over labels given elsewhere."),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="OURS=THEIRS", help="A column (key, choice, rater) of another name."
    ),
]
_SPLITS = ("train", "dev", "test", "held-out", "all")


@app.command()
def review(
    run: Run,
    rater: Rater = None,
    judgments: Judgments = False,
    number: Number = None,
    split: SplitName = None,
    export: Export = None,
    import_: Import = None,
    column: Column = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
) -> None:
    """Show people a sample of a run's pairs, blind, on a page of this machine; keep what they say.

    Keys: 1 and 2 for the better answer, 0 for neither, u to undo, s to skip. It can be ended at any
    time, and goes on where the rater left off.
    """
    from ste_plugin.review import review_run
    from ste_plugin.web import require_web

    asked = review_run.open_review(run, "judgment" if judgments else "pair", rater, say)
    if import_ is not None:
        asked.import_csv(import_, _columns(column or []))
    elif export is not None:
        asked.export_csv(export, _split(split), number)
    else:
        require_web()
        asked.serve(_split(split), number, port, open_browser=not no_browser)


def _columns(texts: list[str]) -> dict[str, str]:
    """Return our column → the file's, of `--column OURS=THEIRS`."""
    from ste_plugin.review.csv_files import COLUMNS

    pairs = dict(text.split("=", 1) for text in texts if "=" in text)
    if len(pairs) < len(texts) or not pairs.keys() <= COLUMNS.keys():
        raise ConfigError(
            f"--column {' '.join(texts)}: expected OURS=THEIRS, once for each, with OURS one of "
            f"{', '.join(COLUMNS)}."
        )
    return pairs


def _split(name: str | None) -> "Splits | None":
    if name is not None and name not in _SPLITS:
        raise ConfigError(f"--split {name}: expected one of {', '.join(_SPLITS)}.")
    return cast("Splits | None", name)
