"""A judge behind HTTP: comparisons of many clients, asked for together."""

from importlib.util import find_spec

from ste_plugin.errors import HostError

_LIBRARIES = ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client")


def require_serving() -> None:
    """Raise HostError where a library that serving needs is not installed."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise HostError(
            f"Serving needs {', '.join(missing)}, not installed. pip install 'ste-plugin[serve]'"
        )
