"""Plugins of one file, written for a test."""

from pathlib import Path
from textwrap import dedent

HEAD = "from ste_plugin.hookspecs import hookimpl\n\n"


def plugin_file(folder: Path, body: str) -> Path:
    """Write a `hooks.py` of these functions, `@hookimpl` to be written out, and return its path."""
    path = folder / "hooks.py"
    path.write_text(HEAD + dedent(body))
    return path
