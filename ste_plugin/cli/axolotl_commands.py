"""`axolotl ste-doctor` and `axolotl ste-run`: our commands through axolotl's own."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from ste_plugin.cli.app import say
from ste_plugin.errors import SteError

_Config = click.argument("config", type=click.Path(path_type=Path))
_Configs = click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
_Rest = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command("ste-doctor")
@_Configs
def ste_doctor(configs: tuple[Path, ...]) -> None:
    """Check axolotl configs with our plugin, or folders of them, before a GPU is touched."""
    from ste_plugin.cli.about import doctor

    _run_plainly(lambda: doctor(list(configs)))


@click.command("ste-run", context_settings=_Rest)
@_Config
@click.pass_context
def ste_run(context: click.Context, config: Path) -> None:
    """Train an axolotl config and end well only with a finished judge; or do a run's whole loop.

    Further arguments go to `axolotl train`.
    """
    from ste_plugin.axolotl.run_config import is_axolotl_config
    from ste_plugin.axolotl.runner import train_as_given
    from ste_plugin.cli.running import run

    if is_axolotl_config(config):
        _run_plainly(lambda: say(f"Judge: {train_as_given(config, context.args)}"))
    else:
        _run_plainly(lambda: run(config))


def _run_plainly(command: Callable[[], object]) -> None:
    """Run a command of ours; its errors are printed plainly and give their own exit code."""
    try:
        command()
    except SteError as error:
        say(f"ste: {error}", err=True)
        sys.exit(error.exit_code)
