"""Plugins of one file, written for a test."""

from pathlib import Path
from textwrap import dedent

HEAD = "from ste_plugin.hookspecs import hookimpl\n\n"


def plugin_file(folder: Path, body: str) -> Path:
    """Write a `hooks.py` of these functions, `@hookimpl` to be written out, and return its path."""
    path = folder / "hooks.py"
    path.write_text(HEAD + dedent(body))
    return path


def installed_plugin(site: Path, body: str, name: str) -> Path:
    """Lay a plugin out as pip does, in a folder to be put on sys.path; return that folder."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (site / f"{name}.py").write_text(HEAD + dedent(body))
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[ste]\n{name} = {name}\n")
    return site
