"""The command `ste`: thin wrappers; what they do lives in the modules they call."""

from ste_plugin.cli.app import main

__all__ = ["main"]
