"""Unlabelled instructions in, a trained and measured LLM judge out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ste-plugin")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
