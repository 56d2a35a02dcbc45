"""Whatever happens to a file of a run, the run repairs it or names it: never a wrong result
silently."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ste_plugin.errors import SteError
from ste_plugin.run import loop, stages
from ste_plugin.run.open_run import open_run
from ste_plugin.run.status import read_status
from tests.survival.soak.outcome import differences, outputs
from tests.survival.soak.processes import Started
from tests.survival.soak.scene import Scene, folder_in_memory

CURES = ("delete", "remove", "put ", "set ", "run again", "ste run", "ste train")


@pytest.fixture(scope="module")
def done(tiny_model):
    """A finished run of one iteration, and a copy of it."""
    with folder_in_memory() as folder:
        scene = Scene(Path(folder, "scene"), tiny_model, stubs=True, iterations=1, texts=10)
        scene.config["judging"] |= {"skip_always_right": True}
        scene.config["budget"] = {"max_tokens_total": 10**9, "max_minutes": 10**6}
        scene.write()
        started = Started(scene)
        started.wait()
        assert started.process.returncode == 0, started.said
        yield scene, Path(shutil.copytree(scene.run, Path(folder, "whole")))


def restored(scene: Scene, whole: Path) -> None:
    shutil.rmtree(scene.run)
    shutil.copytree(whole, scene.run)


def resumed(scene: Scene) -> dict[str, str]:
    """Read back a finished run, raise its iterations, and return all that is there with the next
    data set."""
    scene.config["iterations"] = 2
    scene.write()
    with open_run(scene.folder / "ste.yaml", [scene.folder / "hooks.py"], quiet=True) as context:
        for number in (0, 1):
            loop.finish_iteration(context, number)
            stages.evaluate(context, number)
        stages.generate(context, 2)
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


DAMAGES = (Path.unlink, truncated, garbled, altered, shortened)
SHARE = float(os.environ.get("STE_DAMAGES", "0.15"))
"""Of the files: so many suffer each damage, drawn by a seed."""


def wrong_with(work: Callable[[Scene], object], scene: Scene, file: Path) -> list[str]:
    """Return what is wrong with how a run's work ends on a damaged file: other files made, or
    unclear words."""
    try:
        work(scene)
    except SteError as error:
        clear = file.name in str(error) and any(cure in str(error).casefold() for cure in CURES)
        return [] if clear else [f"unclear: {error}"]
    except Exception as error:
        return [repr(error)]
    return []


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_repaired_or_named_with_the_cure(done, damage, monkeypatch):
    scene, whole = done
    monkeypatch.setenv("PYTHONPATH", scene.environment()["PYTHONPATH"])
    restored(scene, whole)
    expected, wrong = resumed(scene), []
    files = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_file()]
    assert len(files) > 40

    def unchanged(scene: Scene) -> None:
        others = {d for d in differences(resumed(scene), expected) if not d.startswith(f"{file}:")}
        assert not others, others

    for file in random.Random(damage.__name__).sample(files, round(SHARE * len(files))):
        restored(scene, whole)
        damage(scene.run / file)
        for work in (lambda scene: read_status(scene.run), unchanged):
            wrong += [f"{file}: {what}" for what in wrong_with(work, scene, file)]
    assert wrong == [], "\n".join(wrong)
