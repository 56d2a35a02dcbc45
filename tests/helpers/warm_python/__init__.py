"""A Python whose hosts start in a moment: each is a fork of a process that has imported them.

Importing axolotl takes 20 seconds of a processor, lm-eval 10; a run starts either several times.
The program `python` that `started` makes does what Python does: a host's module is run in a fork,
with the working directory, environment, open files, signals and exit code of the program; all else
is given to Python itself.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import ROOT, environment
from tests.helpers.warm_python import program


@contextmanager
def started(folder: Path) -> Iterator[Path]:
    """Yield a Python program in the folder; it lives until the end of the `with` statement."""
    python, log = folder / "python", (folder / "server.log").open("wb")
    # the path of a socket has to be short
    with tempfile.TemporaryDirectory(prefix="ste-") as place, socket.socket(socket.AF_UNIX) as door:
        address = f"{place}/socket"
        door.bind(address)
        door.listen(64)
        constants = (sys.executable, address, program.read_when_imported(environment()))
        text = Path(program.__file__).read_text().replace('"", "", {}', repr(constants)[1:-1], 1)
        python.write_text(f"#!{sys.executable} -IS\n{text}")
        python.chmod(0o755)
        command = [sys.executable, "-P", "-m", "tests.helpers.warm_python.server"]
        server = subprocess.Popen(
            [*command, str(door.fileno()), str(python)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[door.fileno()],
        )
        door.close()  # where the server has ended, whoever asks it is refused
        with log, server:
            try:
                yield python
            finally:
                server.stdin.close()
                server.wait()
