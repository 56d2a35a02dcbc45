"""The command `ste`: thin wrappers; what they do lives in the modules they call."""

from ste_plugin.cli.stopping import exit_stopped, handle_signals, raised

__all__ = ["main"]


def main() -> None:
    """Run the command; a signal ends it soon, and it says how to resume what can be."""
    handle_signals()
    try:
        from ste_plugin.cli.entry_point import main as run

        run()
    except BaseException as error:
        # an extension that is just being imported turns what a signal raises into an error of its
        # own
        finished = isinstance(error, SystemExit) and not error.code
        if raised and not finished:
            exit_stopped(raised[0])
        raise
