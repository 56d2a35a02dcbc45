"""Unlabelled instructions in, a trained and measured LLM judge out."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ste_plugin.cascade import Cascade
    from ste_plugin.judge import Comparison, Judge

__all__ = ["Cascade", "Comparison", "Judge", "__version__"]

_LAZY = {
    "Cascade": "ste_plugin.cascade",
    "Comparison": "ste_plugin.judge",
    "Judge": "ste_plugin.judge",
}

try:
    __version__ = version("ste-plugin")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    """Return what is imported when it is first asked for: `import ste_plugin` stays fast."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
