"""Bad inputs, one a row: what is printed, the exit code, and a folder in which nothing has
changed."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ste_plugin.cli.entry_point import main
from ste_plugin.errors import DataError
from ste_plugin.storage.resources import shipped_folder
from tests.bad_input.catalogue import REFUSED, ROWS
from tests.bad_input.catalogue.row import TINY, Row, run_with

pytestmark = pytest.mark.usefixtures("warm_hosts")


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
    program, *words = shlex.split(row.command.replace("{tasks}", str(shipped_folder("tasks"))))
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


def slow_where_a_host_starts(row: Row) -> Row:
    """The row as a parameter."""
    return pytest.param(row, id=row.name, marks=pytest.mark.slow if row.of_host else ())


@pytest.mark.parametrize("row", map(slow_where_a_host_starts, ROWS))
def test_a_bad_input_is_told_and_nothing_is_written(row, tmp_path, tiny_model, monkeypatch, capfd):
    laid_out(row, tmp_path, tiny_model)
    before = everything_in(tmp_path)
    code, said = answered(row, tmp_path, monkeypatch, capfd)
    said = said.replace(str(tmp_path), "{tmp}").replace(str(shipped_folder("recipes")), "{recipes}")
    start = "Error: " if row.of_host else "^ste: "
    assert re.search(rf"(?m){start}{row.expected}\n*\Z", said), said
    assert (code, "Traceback" in said) == (row.exit_code, row.of_host)
    assert everything_in(tmp_path) == before


@pytest.fixture(scope="module")
def refused_together(tmp_path_factory):
    """What one start of axolotl says to all of these recipes."""
    folder = tmp_path_factory.mktemp("recipes")
    for row in REFUSED:
        laid_out(row, folder, folder)
    before = everything_in(folder)
    command = [sys.executable, "-m", "ste_plugin", "recipes", "validate", *before]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert everything_in(folder) == before
    return done


@pytest.mark.slow
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_a_recipe_that_axolotl_would_refuse_is_told(row, refused_together):
    assert re.search(rf"(?m)^{row.expected}$", refused_together.stderr), refused_together.stderr
    assert refused_together.returncode == row.exit_code


def test_the_catalogue_is_large_and_every_row_its_own():
    rows = [*ROWS, *REFUSED]
    assert len(rows) >= 60
    assert len({row.name for row in rows}) == len(rows)
    assert len({(str(row.files), row.command, str(row.env)) for row in rows}) == len(rows)
    assert {row.exit_code for row in ROWS} >= {2, 3, 4, 5, 6}


def test_a_run_that_was_there_before_keeps_its_folder(tmp_path, monkeypatch, capfd):
    (tmp_path / "run").mkdir()
    row = Row("", run_with(training="{recipe: gone.yaml}"), "ste generate ste.yaml", 2, "")
    laid_out(row, tmp_path, tmp_path)
    answered(row, tmp_path, monkeypatch, capfd)
    assert (tmp_path / "run" / "run.yaml").is_file()


@pytest.mark.parametrize("content", [b"", b"x"], ids=["empty", "something"])
def test_a_new_run_is_taken_back_only_while_nothing_is_in_it(tmp_path, content):
    from ste_plugin.run.open_run import open_run

    (tmp_path / "ste.yaml").write_text(run_with(run="new/run")["ste.yaml"])
    with pytest.raises(DataError), open_run(tmp_path / "ste.yaml", [], quiet=True) as context:
        (context.folder.root / "serve.log").write_bytes(content)
        raise DataError("later")
    assert (tmp_path / "new").exists() == bool(content)
