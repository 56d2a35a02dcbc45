"""Wheel and editable install both find recipes and tasks."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def told_by(arguments: str, cwd: Path, **env: str) -> str:
    command = [sys.executable, "-m", "ste_plugin", *arguments.split()]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_wheel_finds_its_own_recipes_and_tasks(unpacked_wheel, tmp_path):
    env = {"PYTHONPATH": str(unpacked_wheel)}
    path = Path(told_by("tasks path", tmp_path, **env).strip())
    assert path == unpacked_wheel / "ste_plugin" / "tasks"
    assert {p.name for p in path.iterdir()} >= {"utils.py", "ste_local.yaml"}
    assert told_by("recipes show sft-lora-8b", tmp_path, **env).startswith("# purpose:")


def test_a_wheel_writes_the_starter_config(unpacked_wheel, tmp_path):
    told_by("init mine.yaml", tmp_path, PYTHONPATH=str(unpacked_wheel))
    assert "# judging:" in (tmp_path / "mine.yaml").read_text()


def test_a_wheel_carries_demo_data_pages_types_and_licence(unpacked_wheel):
    package = unpacked_wheel / "ste_plugin"
    assert len((package / "demo/instructions.jsonl").read_text().splitlines()) >= 150
    assert (package / "demo/demo.yaml").exists()
    assert (package / "py.typed").exists()
    assert (package / "web/static/ste.css").exists()
    assert (package / "web/templates/base.html").exists()
    assert (package / "review/static/review.js").exists()
    assert (package / "review/templates/item.html").exists()
    assert list(unpacked_wheel.glob("*.dist-info/licenses/LICENSE"))
    assert not list(unpacked_wheel.rglob("*.pyc"))


def test_a_wheel_writes_a_new_package(unpacked_wheel, tmp_path):
    pytest.importorskip("copier")
    told_by("new plugin judge-for-acme", tmp_path, PYTHONPATH=str(unpacked_wheel))
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    template = ROOT / "ste_plugin/plugins/template/package"
    assert len(written) == sum(1 for path in template.rglob("*") if path.is_file())
    assert "judge-for-acme/.github/workflows/tests.yml" in written


def test_an_editable_install_reads_the_checkouts_folders(tmp_path):
    assert Path(told_by("tasks path", tmp_path).strip()) == ROOT / "tasks"
