"""Packages installed into a folder of their own, used from outside as their owners use them."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import ROOT, environment


@dataclass(frozen=True)
class Installed:
    """A package's source, and the folder that it is installed into."""

    source: Path
    site: Path

    def python(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the source's folder, with the package installed beside this one."""
        paths = {"PYTHONPATH": f"{self.site}:{ROOT}", "PYTHONSAFEPATH": "1"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.source,
            env=environment(**paths, **env),
            capture_output=True,
            text=True,
            check=False,
        )

    def ste(self, *arguments: str) -> str:
        """Return what a command of ste prints."""
        done = self.python("-m", "ste_plugin", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


def install(source: Path, folder: Path) -> Installed:
    """Install a copy of a package by pip, without what it depends on, which is here."""
    copy, site = folder / "source", folder / "site"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", str(site), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(next(path for path in copy.iterdir() if (path / "hooks.py").exists()))
    return Installed(copy, site)
