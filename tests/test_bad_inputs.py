"""Bad inputs, one a row: what is printed, the exit code, and a folder in which nothing has changed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalogue import ROWS
from catalogue.row import TINY, Row

from ste_plugin.cli.app import main
from ste_plugin.resources import shipped


def laid_out(row: Row, folder: Path, tiny_model: Path) -> None:
    """Write a row's files."""
    for name, content in row.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is TINY:
            shutil.copytree(tiny_model, path)
        elif content is None:
            path.mkdir()
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every folder below one."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def answered(row: Row, folder: Path, monkeypatch, capfd) -> tuple[int, str]:
    """The exit code of a row's command, and what it says."""
    monkeypatch.chdir(folder)
    for name, value in row.env.items():
        monkeypatch.setenv(name, value)
    program, *words = shlex.split(row.command.replace("{tasks}", str(shipped("tasks"))))
    if program != "ste" or row.apart:
        command = [
            sys.executable,
            *(words if program == "python" else ["-m", "ste_plugin", *words]),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    monkeypatch.setattr(sys, "argv", ["ste", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, "".join(capfd.readouterr())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_bad_input_is_told_and_nothing_is_written(row, tmp_path, tiny_model, monkeypatch, capfd):
    laid_out(row, tmp_path, tiny_model)
    before = everything_in(tmp_path)
    code, said = answered(row, tmp_path, monkeypatch, capfd)
    said = said.replace(str(tmp_path), "{tmp}").replace(str(shipped("recipes")), "{recipes}")
    assert re.search(row.expected, said), said
    assert (code, "Traceback" in said) == (row.exit_code, row.of_host)
    assert everything_in(tmp_path) == before


def test_the_catalogue_is_large_and_every_row_its_own():
    names, messages = [row.name for row in ROWS], {row.message for row in ROWS}
    assert len(ROWS) >= 60
    assert len(set(names)) == len(names)
    assert len(messages) > 0.9 * len(ROWS)
    assert os.environ["HF_HUB_OFFLINE"] == "1"
