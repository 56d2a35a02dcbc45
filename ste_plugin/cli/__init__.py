"""The command `ste`: thin wrappers; what they do lives in the modules they call."""

from ste_plugin.cli.stopping import Stopped, be_stoppable, tell_and_exit

__all__ = ["main"]


def main() -> None:
    """Run the command; a signal ends it soon, and it says how to go on."""
    be_stoppable()
    try:
        from ste_plugin.cli.app import main as run

        run()
    except Stopped as stopped:
        tell_and_exit(stopped)
