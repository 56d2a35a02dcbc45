"""`python -m study.both_orders MANIFEST`: teach and measure, then write the page's tables.

Both ways see as many rows. What was trained or measured before is not done again, so that a long
study can be stopped.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.records import content_key
from ste_plugin.storage.dataset_manifest import read_manifest
from study.both_orders import WAYS
from study.both_orders.measuring import measure
from study.both_orders.page import write_page
from study.both_orders.results import RESULTS
from study.both_orders.teaching import Size, teach
from study.inputs import read


def main(
    manifest: Annotated[Path, typer.Argument(help="of a data set in a format of letters alone")],
    model: Annotated[Path, typer.Option(help="folder of the model to teach")],
    data: Annotated[Path, typer.Option(envvar="STE_STUDY_DATA", help="folder of labelled sets")],
    work: Annotated[Path, typer.Option(help="kept to go on from")] = Path("runs/both-orders"),
    kind: Annotated[str, typer.Option(help="of the pairs, as the tables call it")] = "constructed",
    way: Annotated[list[str] | None, typer.Option(help="one of both; can be repeated")] = None,
    seeds: Annotated[int, typer.Option(help="random seeds of each way")] = 3,
    pairs: Annotated[int, typer.Option(help="pairs to teach from")] = 400,
    epochs: Annotated[float, typer.Option(help="of both orders; twice that of single ones")] = 1.5,
    measured: Annotated[int, typer.Option(help="pairs of each set to measure on")] = 80,
) -> None:
    """Teach and measure what has no result yet; each judge's rows are kept as soon as it has."""
    source, size = read_manifest(manifest), Size(pairs, epochs, measured)
    data_set = content_key("data set", source.content)
    work = work.resolve() / data_set
    RESULTS.touch()
    for seed in range(seeds):
        for taught in way or WAYS:
            about = {"way": taught, "seed": seed, "kind": kind, **asdict(size)}
            about |= {"model": model.name, "data_set": data_set}
            if any(about.items() <= row.items() for row in read(RESULTS)):
                continue
            judge = teach(source, kind, taught, seed, size, model, work)
            rows = [about | found for found in measure(judge, source, kind, data, measured, work)]
            with RESULTS.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            write_page()


if __name__ == "__main__":
    typer.run(main)
