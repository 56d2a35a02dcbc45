"""The command object, and the only ways in which commands print."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ste_plugin import __version__, screen
from ste_plugin.text.redaction import redact
from ste_plugin.text.sanitize import escape_for_terminal

if TYPE_CHECKING:
    from ste_plugin.context import RunContext

app = typer.Typer(
    name="ste",
    help="From unlabelled instructions to a trained, measured LLM judge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def safe(text: str) -> str:
    """Return a text as commands print it: without control characters and secrets."""
    return escape_for_terminal(redact(text))


def say(text: object, *, err: bool = False) -> None:
    """Print a text for people."""
    typer.echo(safe(str(text)), file=screen.stderr() if err else screen.stdout())


def say_error(text: str) -> None:
    """Print an error, in red on a terminal."""
    typer.secho(safe(text), err=True, fg="red" if sys.stderr.isatty() else None)


def show(value: Any) -> None:
    """Print a value as JSON on standard output, for scripts."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def open_run(config: Path, plugins: Sequence[Path], **options: Any) -> "Iterator[RunContext]":
    """Open a run; plugins that its config lists must also be named on the command line."""
    from ste_plugin.run.open_run import open_run as open_unchecked

    require_plugins(config, plugins)
    with open_unchecked(config, plugins, **options) as context:
        yield context


@contextmanager
def open_existing_run(
    run: Path, plugins: Sequence[Path], *, quiet: bool = False, instead: str | None = None
) -> "Iterator[RunContext]":
    """Open a run by its folder or its config, as it is; plugins as in `open_run`.

    `instead`: what else can be done while another process works on it.
    """
    from ste_plugin.forget.find_run import read_run
    from ste_plugin.plugins.manager import require_named_plugins
    from ste_plugin.run.open_run import open_to_examine

    config, base = read_run(run)
    listed = [base / path for path in config.plugins]
    require_named_plugins(listed, plugins, str(run), "--plugin {}")
    with open_to_examine(config, base, plugins, quiet=quiet, instead=instead) as context:
        yield context


def require_plugins(config: Path, plugins: Sequence[Path]) -> None:
    """Raise ConfigError for a plugin that a config lists and the command line does not name."""
    from ste_plugin.plugins.manager import require_named_plugins
    from ste_plugin.storage.config_file import read_config

    listed = [config.resolve().parent / path for path in read_config(config).plugins]
    require_named_plugins(listed, plugins, str(config), "--plugin {}")


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"ste {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False,
        "--version",
        callback=_print_version,
        is_eager=True,
        help="Print the version and exit.",
    ),
) -> None:
    """From unlabelled instructions to a trained, measured LLM judge."""
