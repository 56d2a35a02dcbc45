"""What tests of several folders need: builders, servers, engines and hosts that do what a test
says."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which a program finds this checkout's package and these helpers."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return os.environ | {"PYTHONPATH": path} | more
