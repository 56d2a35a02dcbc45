"""The command `ste view`: judgments of runs, browsed and searched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ste_plugin.cli.app import app, say
from ste_plugin.cli.running import Plugin
from ste_plugin.cli.stopping import leave_interrupts
from ste_plugin.errors import ConfigError

if TYPE_CHECKING:
    import pluggy

    from ste_plugin.view.indexed_folder import IndexedFolder

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN",
        help="A run's folder or YAML, or what `ste eval` wrote; judges of several are compared.",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 is a free one.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the link alone.")]
Export = Annotated[
    Path | None,
    typer.Option(
        "--export-inspect",
        metavar="FOLDER",
        help="Write logs that inspect_ai's viewer opens, instead of pages.",
    ),
]


@app.command()
def view(
    folders: Folders,
    port: Port = 0,
    no_browser: NoBrowser = False,
    export_inspect: Export = None,
    plugin: Plugin = None,
) -> None:
    """Look at what judges said: lists, single pairs, and two judges beside each other.

    Nothing of a run is changed but the index beside its files (`.view`), also while it goes on.
    """
    roots = [_folder_of(path) for path in folders]
    plugins = _load(plugin or [])
    if export_inspect:
        with _indexed(roots) as indexed:
            _export(indexed, export_inspect, plugins)
        return
    _serve(roots, port, plugins, open_browser=not no_browser)


def _folder_of(path: Path) -> Path:
    """Return a run's folder, also where its YAML is named."""
    if not path.is_file():
        return path
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{path}: expected a run's folder or YAML, found another file.")
    if path.name == "run.yaml":
        return path.parent
    from ste_plugin.storage.config_file import read_config

    return path.resolve().parent / read_config(path).run


def _load(files: Sequence[Path]) -> "pluggy.PluginManager":
    """Return the plugins that are installed, and those that the command line names: of files only
    these, as their code runs."""
    from ste_plugin.plugins.manager import plugin_manager

    return plugin_manager([path.resolve() for path in files])


@contextmanager
def _indexed(roots: Sequence[Path]) -> "Iterator[list[IndexedFolder]]":
    from ste_plugin.view.indexed_folder import IndexedFolder
    from ste_plugin.view.people import PeopleLabels

    opened: list[IndexedFolder] = []
    try:
        for root in roots:
            opened.append(IndexedFolder(root, say, PeopleLabels()))
        yield opened
    finally:
        for folder in opened:
            folder.close()


def _serve(
    roots: Sequence[Path],
    port: int,
    plugins: "pluggy.PluginManager",
    *,
    open_browser: bool,
) -> None:
    from ste_plugin.web import require_web

    require_web()
    from ste_plugin.view.pages import STATIC, view_routes
    from ste_plugin.view.prompts import format_finder
    from ste_plugin.web.serve import serve

    with _indexed(roots) as indexed:
        for folder in indexed:
            folder.start_words()
        routes = view_routes(indexed, format_finder(plugins))
        leave_interrupts()
        serve(routes, say=say, port=port, open_browser=open_browser, static=[STATIC])


def _export(indexed: "Sequence[IndexedFolder]", out: Path, plugins: "pluggy.PluginManager") -> None:
    from ste_plugin.view.inspect_log import export
    from ste_plugin.view.prompts import format_finder

    for number, folder in enumerate(indexed, start=1):
        place = out / f"{number}-{folder.name}" if len(indexed) > 1 else out
        for path in export(folder, place, format_finder(plugins)):
            say(f"Wrote {path}")
    say(f"To look at them: inspect view --log-dir {out}")
