"""The command as people run it."""

import subprocess
import sys
from pathlib import Path

from tests.helpers import environment


def ste(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these variables beside the usual ones."""
    command = [sys.executable, "-m", "ste_plugin", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**env), capture_output=True, text=True, check=False
    )
