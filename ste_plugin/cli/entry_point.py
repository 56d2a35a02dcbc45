"""The entry point: errors without tracebacks, exit codes from the exception tree."""

import sys
import traceback
from typing import NoReturn

# each adds its commands to `app`
from ste_plugin.cli import (  # noqa: F401
    about,
    agreeing,
    auditing,
    batches,
    calibrating,
    cascades,
    comparing,
    fitting,
    following,
    forgetting,
    importing,
    judge_formats,
    judging,
    making,
    measuring,
    previewing,
    publishing,
    reporting,
    reviewing,
    running,
    viewing,
)
from ste_plugin.cli.app import app, say, say_error
from ste_plugin.errors import SteError
from ste_plugin.storage.durable import is_about_storage, write_error


def main() -> None:
    """Run the command; a SteError is printed without a traceback, and sets the exit code."""
    try:
        app()
    except SteError as error:
        _fail(error)
    except Exception as error:
        if isinstance(error, OSError) and is_about_storage(error):
            _fail(write_error(error.filename or "a file of the run", error))
        # our own mistake; its traceback may quote untrusted text
        say(traceback.format_exc(), err=True)
        sys.exit(1)


def _fail(error: SteError) -> NoReturn:
    say_error(f"ste: {error}")
    sys.exit(error.exit_code)
