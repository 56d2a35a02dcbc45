"""A local web server for one person's browser, and nobody else's.

A command calls `require_web`, then `serve.serve` with its routes; tests and other servers run
`app.make_app`. Pages are Jinja2 templates that escape everything (`pages.Pages`) and extend
`base.html`; scripts and styles are files under /static/, and write by `fetch`.
"""

from importlib.util import find_spec

from ste_plugin.errors import HostError

_LIBRARIES = ("starlette", "uvicorn", "jinja2")


def require_web() -> None:
    """Raise HostError where a library that pages need is not installed."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise HostError(
            f"Pages need {', '.join(missing)}, not installed. pip install 'ste-plugin[web]'"
        )
