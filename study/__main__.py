"""`python -m study`: teach and measure what has no result yet, then write the page's tables."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from study.arms import ARMS
from study.inputs import CHOOSING, REPORTING
from study.page import write_page
from study.results import add, is_done, read_results
from study.run_arm import Place, Trial, run_trial
from study.seeds import SEEDS


def main(
    arms: Annotated[Optional[list[str]], typer.Argument(help=", ".join(ARMS))] = None,  # noqa: UP045 (typer)
    data: Annotated[
        Path | None, typer.Option(envvar="STE_STUDY_DATA", help="folder of sets")
    ] = None,
    work: Annotated[Path, typer.Option(help="runs and models; kept to go on from")] = Path(
        "runs/study"
    ),
    model: Annotated[Optional[list[str]], typer.Option(help=", ".join(SEEDS))] = None,  # noqa: UP045 (typer)
    seeds: Annotated[int, typer.Option(help="random seeds of each arm")] = 3,
    instructions: Annotated[int, typer.Option(help="instructions to teach from")] = 160,
    pairs: Annotated[int, typer.Option(help="pairs of each labelled set")] = 80,
    rounds: Annotated[int, typer.Option(help="rounds of each trial")] = 2,
    to_choose: Annotated[
        bool, typer.Option("--to-choose", help="measure on the sets to choose by, not on all")
    ] = False,
) -> None:
    """Run every trial that has no result yet, seed by seed; each one's rows are kept at its end."""
    if data is None or not (data / "pairs").is_dir():
        raise typer.BadParameter(
            f"{data}: not a folder with `instructions` and `pairs`. Give --data or STE_STUDY_DATA."
        )
    sets = CHOOSING if to_choose else (*CHOOSING, *REPORTING)
    place = Place(data.resolve(), work.resolve(), instructions, pairs, rounds, sets)
    names, models = arms or list(ARMS), model or list(SEEDS)
    for given, known in ((names, ARMS), (models, SEEDS)):
        if unknown := [name for name in given if name not in known]:
            raise typer.BadParameter(f"{', '.join(unknown)}; there are: {', '.join(known)}")
    for trial in [Trial(a, m, s) for s in range(seeds) for m in models for a in names]:
        if not is_done(trial, read_results(), rounds, sets):
            sys.stderr.write(f"study: {trial.name}\n")
            add(run_trial(trial, place))
            write_page()


if __name__ == "__main__":
    typer.run(main)
