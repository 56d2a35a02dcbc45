"""`ste requests export` and `ste completions import`: a run whose models answer files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Config, Json, Plugin
from ste_plugin.errors import EngineError

if TYPE_CHECKING:
    from ste_plugin.run.import_completions import ImportedAnswers

requests_app = typer.Typer(help="What a run asks its models.", no_args_is_help=True)
completions_app = typer.Typer(help="What models have answered.", no_args_is_help=True)
app.add_typer(requests_app, name="requests")
app.add_typer(completions_app, name="completions")

Files = Annotated[list[Path], typer.Argument(help="Answers of a batch, in any order and parts.")]
To = Annotated[Path, typer.Option("--to", help="A new folder for the files.")]
MaxRequests = Annotated[
    int, typer.Option("--max-requests", min=1, help="Most requests in one file.")
]
MaxBytes = Annotated[int, typer.Option("--max-bytes", min=1, help="Largest size of one file.")]
OpenAI = Annotated[
    bool, typer.Option("--openai", help="Leave out what OpenAI's own servers do not know.")
]
_SHOWN = 5
"""How many lines without an answer are shown."""
_AGAIN = "Mend what the lines above say before you ask again: else you pay for the same twice."


@requests_app.command()
def export(
    config: Config,
    to: To,
    max_requests: MaxRequests = 50_000,
    max_bytes: MaxBytes = 200_000_000,
    openai: OpenAI = False,
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Write what the run would ask next to files, as OpenAI's batch API and vLLM's run-batch take.

    Nothing is asked. What needs no answer is done, as `ste generate` does it.
    """
    from dataclasses import asdict

    from ste_plugin.cli.app import open_run
    from ste_plugin.run.export_requests import FileLimits, export_requests

    limits = FileLimits(max_requests, max_bytes)
    with open_run(config, plugin or [], quiet=as_json) as context:
        wave = export_requests(context, to, limits, for_openai=openai)
    if as_json:
        show(asdict(wave))
    elif wave.files:
        say(
            f"{wave.stage}: {wave.samples} samples in {wave.requests} requests, in "
            f"{len(wave.files)} files in {to}. When they are answered: ste completions import "
            f"{config} ANSWERS.jsonl"
        )
    else:
        say(f"Nothing is left to ask for this data set. Go on: ste run {config}")


@completions_app.command("import")
def import_(config: Config, files: Files, plugin: Plugin = None, as_json: Json = False) -> None:
    """Take the answers of batch files into the run, as if they had been given over HTTP.

    Lines without an answer are named, and exported again in the next wave.
    """
    from dataclasses import asdict

    from ste_plugin.cli.app import open_run
    from ste_plugin.run.import_completions import import_completions

    with open_run(config, plugin or [], quiet=as_json) as context:
        found = import_completions(context, files)
    show(asdict(found)) if as_json else _say_imported(found, config)
    if found.unanswered and not found.imported:
        raise EngineError(f"no line holds an answer that is new and can be used. {_AGAIN}")


def _say_imported(found: "ImportedAnswers", config: Path) -> None:
    say(f"{found.imported} completions imported.")
    for where in found.cut_off:
        say(f"{where}: not a whole line, so it is left out. Import the file again once it is.")
    if found.unanswered:
        say(f"{len(found.unanswered)} lines hold no answer, and are to be asked again:")
        for line in found.unanswered[:_SHOWN]:
            say(f"  {line}")
        if len(found.unanswered) > _SHOWN:
            say(f"  and {len(found.unanswered) - _SHOWN} more (--json lists them)")
    if found.left:
        say(
            f"{found.stage}: {found.left} samples are still to be answered. Write them: ste "
            f"requests export {config} --to FOLDER"
        )
    else:
        say(f"Nothing is left to ask for this data set. Go on: ste run {config}")
