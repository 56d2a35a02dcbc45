"""How `make` comes to an environment on a machine that it does not know: which Python, and which
installer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

PYTHON = """#!/bin/sh
case "$1 $2" in
  "-c "*) echo "{version} $0" ;;
  "-m venv") /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python" ;;
  "-m pip") [ "$4" != uv ] && [ "$5" != uv ] || /bin/cp "{uv}" "${{0%/*}}/uv" ;;
esac
echo "${{0##*/}} $*" >>{log}
"""
UV = """#!/bin/sh
[ "$1" != venv ] || {{
  for folder; do :; done; /bin/mkdir -p "$folder/bin"; /bin/cp "{python}" "$folder/bin/python"
}}
echo "uv $*" >>{log}
"""
SHIM = '#!/bin/sh\necho "pyenv: ${0##*/}: command not found" >&2\nexit 127\n'


class Machine:
    """A folder of programs that is all there is on PATH, and what they were asked."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "asked.log"
        (root / "bin").mkdir()
        self.program("spare/uv", UV.format(python=root / "bin/python3.12", log=self.log))

    def program(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def python(self, name: str, version: str) -> None:
        text = PYTHON.format(version=version, log=self.log, uv=self.root / "spare/uv")
        self.program(f"bin/{name}", text)

    def uv(self) -> None:
        (self.root / "bin/uv").symlink_to(self.root / "spare/uv")

    def make(self, *requirements: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Make an environment in the folder `env`."""
        self.log.unlink(missing_ok=True)
        command = [str(ROOT / ".ci/environment"), "env", *requirements]
        environment = {"PATH": str(self.root / "bin")} | env
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )

    def asked(self) -> list[str]:
        """Return what programs were asked to do, the questions for their version left out."""
        return [line for line in self.log.read_text().splitlines() if " -c " not in line]


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("name", "version"),
    [("python3.11", "3.11.7"), ("python3.12", "3.12.1"), ("python3", "3.12.1")],
)
def test_the_python_that_is_there_is_taken_and_said_in_one_line(machine, name, version):
    machine.python(name, version)
    done = machine.make("torch==1", "-e .[demo,dev]")
    path = machine.root / "bin" / name
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Making env with Python {version} ({path}) and pip\n"
    assert machine.asked() == [
        f"{name} -m venv env",
        "python -m pip install --quiet --upgrade pip",
        "python -m pip install --quiet --no-compile torch==1",
        "python -m pip install --quiet --no-compile -e .[demo,dev]",
    ]


def test_a_shim_that_does_not_run_is_passed_over(machine):
    machine.program("bin/python3.11", SHIM)
    machine.python("python3.12", "3.12.1")
    done = machine.make()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Python 3.12.1" in done.stdout


@pytest.mark.parametrize("others", [{}, {"python3": "3.10.2"}, {"python3": "3.14.0"}])
def test_without_a_python_that_fits_one_line_says_what_was_looked_for_and_what_to_do(
    machine, others
):
    machine.program("bin/python3.12", SHIM)
    for name, version in others.items():
        machine.python(name, version)
    done = machine.make("torch==1")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "looked on PATH for python3.11 python3.12 python3.13 python3 python" in line
    assert "make PYTHON=/path/to/python3.12" in line
    assert not (machine.root / "env").exists()


def test_the_python_that_is_named_wins(machine):
    machine.python("python3.11", "3.11.7")
    machine.python("mine", "3.12.1")
    assert "Python 3.12.1" in machine.make(PYTHON="mine").stdout


def test_a_named_python_that_does_not_run_is_an_error_though_others_do(machine):
    machine.python("python3.11", "3.11.7")
    done = machine.make(PYTHON="python3.12")
    assert done.returncode == 1
    assert "PYTHON=python3.12 does not run" in done.stderr


def test_an_environment_that_is_there_is_kept_and_only_installed_into(machine):
    machine.python("python3.12", "3.12.1")
    machine.make()
    machine.python("python3.11", "3.11.7")
    done = machine.make("torch==1")
    assert (done.returncode, done.stdout) == (0, "")
    assert machine.asked() == ["python -m pip install --quiet --no-compile torch==1"]


def test_an_environment_of_another_python_than_the_named_one_is_not_used(machine):
    machine.python("python3.11", "3.11.7")
    machine.python("python3.12", "3.12.1")
    machine.make()
    done = machine.make("torch==1", PYTHON="python3.12")
    assert done.returncode == 1
    assert "env has Python 3.11.7, and PYTHON=python3.12 is 3.12.1. Remove env" in done.stderr


def test_an_environment_whose_python_is_gone_is_named(machine):
    machine.python("python3.12", "3.12.1")
    (machine.root / "env/bin").mkdir(parents=True)
    (machine.root / "env/bin/python").symlink_to("/no/such/python")
    done = machine.make()
    assert done.returncode == 1
    assert "env/bin/python does not run any more. Remove env" in done.stderr


def test_uv_makes_the_environment_and_installs_where_it_is_on_path(machine):
    machine.python("python3.12", "3.12.1")
    machine.uv()
    done = machine.make("torch==1", "-e .[demo,dev]")
    python, overrides = machine.root / "bin/python3.12", ROOT / ".ci/overrides.txt"
    install = f"uv pip install --quiet --python env/bin/python --override {overrides}"
    assert done.stdout == f"Making env with Python 3.12.1 ({python}) and uv\n"
    assert machine.asked() == [
        f"uv venv --quiet --seed --allow-existing --python {python} env",
        f"{install} torch==1",
        f"{install} -e .[demo,dev]",
    ]


def test_python_3_13_gets_uv_to_override_a_pin_that_cannot_be_installed(machine):
    machine.python("python3.13", "3.13.0")
    done = machine.make("-e .[demo,dev]")
    assert (done.returncode, done.stderr) == (0, "")
    *_, fetched, installed = machine.asked()
    assert fetched == "python -m pip install --quiet uv"
    assert installed.startswith("uv pip install ")
    assert installed.endswith(f"--override {ROOT}/.ci/overrides.txt -e .[demo,dev]")
    assert "zstandard" in (ROOT / ".ci/overrides.txt").read_text()


@pytest.mark.parametrize(
    ("given", "folder"),
    [([], ".venv"), ([f"PYTHON={sys.executable}"], ".venv-{}.{}".format(*sys.version_info))],
)
def test_a_named_python_has_an_environment_of_its_own(given, folder):
    command = ["make", "--dry-run", "--always-make", "check", *given]
    env = {"PATH": os.environ["PATH"]}  # without what a `make` that runs these tests was told
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f".ci/environment {folder} ")
    assert f"\n{folder}/bin/ruff check .\n" in done.stdout
