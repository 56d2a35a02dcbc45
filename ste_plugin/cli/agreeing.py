"""The command `ste agreement`: what came of a review, in figures."""

from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json

Run = Annotated[Path, typer.Argument(help="The run's folder, or its YAML.")]
Iteration = Annotated[
    int | None,
    typer.Option("--iteration", min=0, help="Whose judge; by default the last that was measured."),
]

_WEIGHTS = (
    "Over all strategies each pair counts by how many of its strategy's pairs it stands for; `ste "
    "audit --labels` counts each prompt once instead, so that its figures are others."
)


@app.command()
def agreement(run: Run, iteration: Iteration = None, as_json: Json = False) -> None:
    """Say how often people find the better answers better, and how far judge and people agree."""
    from ste_plugin.review.population import find_run
    from ste_plugin.review.results import review_results, to_json
    from ste_plugin.review.tables import lines_of

    folder, config = find_run(run)
    results = review_results(folder, config, iteration)
    if as_json:
        show(to_json(results))
        return
    for line in lines_of(results):
        say(line)
    if results.strategies or results.judge:
        say(_WEIGHTS)
