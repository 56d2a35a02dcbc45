"""Whatever happens to a file of a run, the run repairs it or names it: never a wrong result silently."""

import shutil
from pathlib import Path

import pytest
from soak.outcome import differences, outputs
from soak.processes import Started
from soak.scene import Scene

from ste_plugin import loop, stages
from ste_plugin.errors import SteError
from ste_plugin.opening import opened
from ste_plugin.status import read_status

CURES = (
    "delete",
    "Delete",
    "remove",
    "Remove",
    "Mend",
    "Put",
    "Set",
    "run again",
    "ste run",
    "Restore",
)


@pytest.fixture(scope="module")
def done(tiny_model, tmp_path_factory):
    """A finished run of one iteration, and a copy of it."""
    folder = tmp_path_factory.mktemp("damage")
    scene = Scene(folder / "scene", tiny_model, stubs=True, iterations=1, texts=10)
    scene.config["judging"] |= {"skip_always_right": True}
    scene.config["budget"] = {"max_tokens_total": 10**9, "max_minutes": 10**6}
    scene.write()
    started = Started(scene)
    started.wait()
    assert started.process.returncode == 0, started.said
    shutil.copytree(scene.run, folder / "whole")
    return scene, folder / "whole"


def restored(scene: Scene, whole: Path) -> None:
    shutil.rmtree(scene.run)
    shutil.copytree(whole, scene.run)


def gone_on(scene: Scene) -> dict[str, str]:
    """Read back a finished run, raise its iterations, and return all that is there with the next data set."""
    scene.config["iterations"] = 2
    scene.write()
    read_status(scene.run)
    with opened(scene.folder / "ste.yaml", [scene.folder / "hooks.py"], quiet=True) as session:
        for number in (0, 1):
            loop.finished(session, number)
            stages.evaluate(session, number)
        stages.generate(session, 2)
    return outputs(scene.run)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbled(path: Path) -> None:
    """Put bytes that are no UTF-8 into the middle of the file."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff\x00{]" + content[middle + 4 :])


def altered(path: Path) -> None:
    """Exchange a letter in the middle, so that JSON stays JSON."""
    content = bytearray(path.read_bytes())
    letters = [i for i, b in enumerate(content) if chr(b).isalpha() and b < 128]
    if letters:
        place = letters[len(letters) // 2]
        content[place] = ord("x") if content[place] != ord("x") else ord("y")
    path.write_bytes(content)


def shortened(path: Path) -> None:
    """Leave out the last line."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("damage", [Path.unlink, truncated, garbled, altered, shortened])
def test_a_damaged_file_is_repaired_or_named_with_the_cure(done, damage, monkeypatch):
    scene, whole = done
    monkeypatch.setenv("PYTHONPATH", scene.environment()["PYTHONPATH"])
    restored(scene, whole)
    expected = gone_on(scene)
    silent, unclear = [], []
    files = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_file()]
    assert len(files) > 40
    for file in files:
        restored(scene, whole)
        damage(scene.run / file)
        try:
            changed = differences(gone_on(scene), expected)
        except Exception as error:
            clear = isinstance(error, SteError) and any(cure in str(error) for cure in CURES)
            if not clear or file.name not in str(error):
                unclear.append(f"{file}: {error!r}")
        else:
            silent += [f"{file} → {c}" for c in changed if not c.startswith(f"{file}:")]
    assert silent == [], "\n".join(silent)
    assert unclear == [], "\n".join(unclear)
