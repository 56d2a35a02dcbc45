"""`ste report`: a run's page, by its folder or its config."""

import json

import pytest

from tests.helpers.command import ste
from tests.helpers.measured_runs import measured_run

pytestmark = pytest.mark.usefixtures("warm_hosts")


def test_the_page_is_written_by_folder_and_by_config_alike(tmp_path):
    page = measured_run(tmp_path, skills=(0.5, 0.7)) / "report.html"
    by_folder = ste("report", "run", cwd=tmp_path)
    assert (by_folder.returncode, by_folder.stdout) == (0, "run/report.html\n")
    first = page.read_bytes()
    page.unlink()
    by_config = ste("report", "ste.yaml", "--json", cwd=tmp_path)
    assert json.loads(by_config.stdout) == {"report": "run/report.html"}
    assert page.read_bytes() == first


def test_plugins_of_the_run_that_were_not_named_are_told(tmp_path):
    (tmp_path / "hooks.py").write_text("")
    root = measured_run(tmp_path, skills=(0.5, 0.7), plugins="[hooks.py]")
    done = ste("report", str(root), cwd=tmp_path)
    assert "Without the sections of hooks.py, if it has any: name it by --plugin." in done.stdout
    assert (root / "report.html").exists()
