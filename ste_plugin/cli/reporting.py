"""The command `ste report`: the page that people look at."""

from pathlib import Path
from typing import Annotated

import typer

from ste_plugin.cli.app import app, say, show
from ste_plugin.cli.running import Json, Plugin

Run = Annotated[Path, typer.Argument(help="The run's folder, or its YAML.")]


@app.command()
def report(run: Run, plugin: Plugin = None, as_json: Json = False) -> None:
    """Write a run's report.html again, finished or not; `ste run` writes it after every round."""
    from ste_plugin.plugins.manager import plugin_manager
    from ste_plugin.report.page import write_report
    from ste_plugin.storage.config_file import read_config, read_run_yaml
    from ste_plugin.storage.run_layout import RunLayout

    folder = RunLayout(run if run.is_dir() else run.parent / read_config(run).run)
    page = write_report(folder, plugin_manager(plugin or []))
    if as_json:
        show({"report": str(page)})
        return
    say(page)
    named = {path.name for path in plugin or []}
    for path in read_run_yaml(folder.config).plugins:
        if Path(path).name not in named:
            say(f"Without the sections of {path}, if it has any: name it by --plugin.")
