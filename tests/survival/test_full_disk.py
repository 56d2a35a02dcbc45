"""A full disk and a read-only folder end a run with what to do, and nothing is lost."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.survival.soak.outcome import asked, differences, outputs
from tests.survival.soak.scene import Scene, fake_seed


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[None]:
    """Mount a small file system in memory at a folder, where this process may."""
    folder.mkdir(parents=True, exist_ok=True)
    if mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)):
        pytest.skip("this user may not mount a file system (in CI: root in a container may)")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*arguments: str) -> bool:
    """Return whether mounting fails."""
    try:
        return (
            subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode != 0
        )
    except FileNotFoundError:
        return True


@pytest.fixture
def scene(tmp_path):
    return Scene(
        tmp_path / "scene", fake_seed(tmp_path / "seed"), stubs=True, iterations=1, small=True
    )


def ste(scene: Scene) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        scene.command, cwd=scene.folder, env=scene.environment(), capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_what_to_do_and_room_lets_it_go_on(scene):
    told = []
    with mounted(scene.run, 64):
        size = 64
        while (done := ste(scene)).returncode:
            told.append(done.stderr)
            assert done.returncode in (3, 5), done.stderr[-3000:]
            assert "Traceback" not in done.stderr
            assert "o space left on device" in done.stderr
            assert "make room" in done.stderr
            size += 64
            assert not mount("-o", f"remount,size={size}k", str(scene.run))
        made, paid = outputs(scene.run), asked(scene)
    scene.asked.unlink()
    assert len(told) > 3
    assert ste(scene).returncode == 0
    assert differences(made, outputs(scene.run)) == []
    assert paid.keys() == asked(scene).keys()


def test_a_read_only_folder_ends_a_run_with_what_to_do_and_changes_nothing(scene):
    with mounted(scene.run, 8192):
        assert ste(scene).returncode == 0
        before = outputs(scene.run)
        (scene.run / "iter-01/done.json").unlink()
        assert not mount("-o", "remount,ro", str(scene.run))
        done = ste(scene)
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        assert f"{scene.run}" in done.stderr
        assert "read-only: mount it for writing" in done.stderr
        assert not mount("-o", "remount,rw", str(scene.run))
        assert ste(scene).returncode == 0
        assert differences(outputs(scene.run), before) == []
