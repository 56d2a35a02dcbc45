"""`ste new`: packages of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say

new_app = typer.Typer(help="Write a package of your own.", no_args_is_help=True)
app.add_typer(new_app, name="new")


@new_app.callback()
def new() -> None:
    """Write a package of your own."""


@new_app.command("plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(help="Of the package, as judge-for-acme.")],
    to: Annotated[
        Path | None, typer.Option(help="A new or empty folder; by default NAME, here.")
    ] = None,
) -> None:
    """Write an installable package with one of each hook, and its tests."""
    from ste_plugin.plugins.new_plugin import write_plugin

    folder = to or Path(name)
    files = write_plugin(name, folder)
    say("\n".join(str(path) for path in files))
    say(f"Wrote {folder}. Install and test it: cd {folder} && pip install -e '.[test]' && pytest")
