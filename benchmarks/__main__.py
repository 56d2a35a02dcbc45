"""`python -m benchmarks [TOPIC ...]`: runs the measurements and prints one Markdown table."""

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

import typer

from benchmarks.inputs import Inputs
from benchmarks.table import Measurement, MissingInput, to_table

TOPICS = {
    "stopping": "(1) tokens per kept example",
    "votes": "(2) draws of a vote of 32",
    "overhead": "(3) wall time beside the engine alone",
    "throughput": "(4) everything that is not the model",
    "others": "(5) against distilabel and a plain script",
    "prefix": "(6) prefill tokens computed",
    "pool": "(7) the pool of instructions and pairs",
    "measuring": "(8) time to measure a judge on four sets",
    "ray": "(9) replicas on a Ray cluster",
    "view": "(10) looking at judgments, by default a million",
    "errors": "(11) how often gates, intervals and shortcuts err",
    "rewards": "(12) what a reward by comparing tells of a group",
    "decisions": "(13) a decision against a judgment with reasons",
}


def path_option(name: str, what: str) -> object:
    """Return a command line option for one path, with its environment variable."""
    return typer.Option(f"--{name}", envvar=f"STE_BENCH_{name.upper()}", help=what)


def main(
    topics: Annotated[Optional[list[str]], typer.Argument(help=", ".join(TOPICS))] = None,  # noqa: UP045 (typer)
    model: Annotated[Path | None, path_option("model", "folder of a real judge")] = None,
    pairs: Annotated[Path | None, path_option("pairs", "JSONL of labelled pairs")] = None,
    vllm: Annotated[Path | None, path_option("vllm", "interpreter with vLLM")] = None,
    distilabel: Annotated[
        Path | None, path_option("distilabel", "interpreter with distilabel")
    ] = None,
    openai: Annotated[Path | None, path_option("openai", "interpreter with openai")] = None,
    repetitions: Annotated[int, typer.Option(help="of what is timed")] = 3,
    old: Annotated[Path | None, path_option("old", "checkout of an older build")] = None,
    judgments: Annotated[int, typer.Option(help="to look at, of `view`", min=1000)] = 1_000_000,
    reasons: Annotated[
        Path | None, path_option("reasons", "folder of a judge that reasons")
    ] = None,
) -> None:
    """Run the measurements named, by default all of them, and print one Markdown table."""
    unknown = set(topics or ()) - set(TOPICS)
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; there are: {', '.join(TOPICS)}")
    inputs = Inputs(
        model, pairs, vllm, distilabel, openai or distilabel, repetitions, old, judgments, reasons
    )
    rows = [row for topic in topics or TOPICS for row in run_topic(topic, inputs)]
    print(to_table(rows))  # noqa: T201 (the table is what the command is for)


def run_topic(topic: str, inputs: Inputs) -> Iterator[Measurement]:
    """Yield one topic's measurements; each is printed on standard error as soon as it is there."""
    began = time.monotonic()
    try:
        for row in importlib.import_module(f"benchmarks.{topic}").measure(inputs):
            typer.echo(f"{time.monotonic() - began:7.1f} s  {row}", err=True)
            yield row
    except MissingInput as reason:
        yield Measurement(TOPICS[topic], f"not run: {reason}")


if __name__ == "__main__":
    typer.run(main)
