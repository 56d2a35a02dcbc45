"""The command `ste compare`: is one judge better than another, or is that noise?"""

from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json

JudgePath = Annotated[
    Path,
    typer.Argument(
        help="A run (its best iteration), an iteration, an evaluation or its results.json, "
        "or a folder of lm-eval's samples."
    ),
]


@app.command()
def compare(first: JudgePath, second: JudgePath, as_json: Json = False) -> None:
    """Compare two judges pair by pair on every evaluation that both have."""
    from ste_plugin.evaluation import compare as judges
    from ste_plugin.text.numbers import decimals

    comparisons, refused = judges.compare(first, second)
    if as_json:
        shown = {name: comparison.to_dict() for name, comparison in comparisons.items()}
        show({"first": str(first), "second": str(second), "evaluations": shown, "refused": refused})
        return
    say(f"first: {first}\nsecond: {second}")
    for name, comparison in comparisons.items():
        say(f"\n{name}: {comparison.n} labelled pairs")
        for metric, d in (
            ("accuracy", comparison.acc),
            (comparison.right, comparison.acc_pc),
        ):
            low_high = [decimals(end, signed=True) for end in d.interval or ()]
            interval = f"  [{', '.join(low_high)}]" if low_high else ""
            difference = decimals(d.difference, signed=True)
            say(f"  {metric:<21} {d.first:.3f} → {d.second:.3f}  {difference}{interval}")
        say(f"  {comparison.sentence()}")
    for name, why in refused.items():
        say(f"\n{name}: not compared, {why}.")
