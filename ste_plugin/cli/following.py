"""The command `ste follow`: refresh a run's judge on what a policy answers now."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Plugin

if TYPE_CHECKING:
    from ste_plugin.storage.followed import Followed

Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CHECKPOINT",
        help="The policy: a checkpoint's folder, or the name of a model at a server.",
    ),
]
Run = Annotated[Path, typer.Option("--run", help="The finished run: its config or folder.")]
BaseUrl = Annotated[str | None, typer.Option(help="The policy's server: http://host:8000/v1.")]
ApiKeyEnv = Annotated[str | None, typer.Option(help="The variable that holds that server's key.")]
Options = Annotated[str, typer.Option(help="Of the policy's engine: dtype=float32,… or JSON.")]
Instructions = Annotated[
    list[str] | None,
    typer.Option("--instructions", help="A file of them; by default the run's own."),
]
Limit = Annotated[int | None, typer.Option(help="Follow on at most so many.", min=1)]


@app.command()
def follow(
    checkpoint: Checkpoint,
    run: Run = Path("ste.yaml"),
    instructions: Instructions = None,
    limit: Limit = None,
    base_url: BaseUrl = None,
    api_key_env: ApiKeyEnv = None,
    options: Options = "",
    plugin: Plugin = None,
    as_json: Json = False,
) -> None:
    """Make pairs of a policy's answers, refresh the judge on them, and show how far it moved."""
    from ste_plugin.cli.app import open_existing_run
    from ste_plugin.cli.measuring import parse_args
    from ste_plugin.errors import ConfigError
    from ste_plugin.run.checkpoint import find_checkpoint, relative_to
    from ste_plugin.run.follow import Wanted
    from ste_plugin.run.follow import follow as follow_policy
    from ste_plugin.storage.followed import read_followed

    server = {"base_url": base_url, "api_key_env": api_key_env}
    server = {name: value for name, value in server.items() if value is not None}
    if api_key_env and not base_url:
        raise ConfigError("--api-key-env: found without --base-url. Say which server it is for.")
    with open_existing_run(run, plugin or [], quiet=as_json, instead="") as context:
        base, root = context.base, context.folder.root
        found = find_checkpoint(
            checkpoint,
            context.config,
            base,
            server,
            parse_args(options, "--options"),
            {each.checkpoint: each.identity for each in read_followed(root)},
        )
        named = tuple(relative_to(base, Path(p).expanduser().resolve()) for p in instructions or ())
        wanted = Wanted(found, named, limit)
        followed = follow_policy(context, wanted, plugin or [], quiet=as_json)
    if as_json:
        show(followed.to_dict() | {"folder": str(followed.folder(root))})
    else:
        _say_followed(followed, root)


def _say_followed(followed: "Followed", root: Path) -> None:
    """Say what moved, and where the judge lies."""
    from ste_plugin.audit.drift import sentences

    drift, folder = followed.drift or {}, followed.folder(root)
    say(f"Round {followed.round}: {followed.checkpoint} against the judge of {followed.judge}.")
    for line in sentences(drift, followed.round, followed.judge):
        say(line)
    say(f"Judge: {drift['model']}")
    say(f"Every figure: {folder}/report.html")
