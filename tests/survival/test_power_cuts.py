"""After a power cut only what was synced is there: a run goes on from any such moment to the same
bytes."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from tests.survival.soak.outcome import differences, outputs
from tests.survival.soak.power import CUTS, Recording, distinct, recording, there
from tests.survival.soak.scene import Scene, fake_seed, folder_in_memory

CUTS_OF_A_RUN = int(os.environ.get("STE_CUTS", "2"))
"""How many of the cuts of a whole run are resumed, drawn."""
CUTS_OF_A_DATA_SET = 8 * CUTS_OF_A_RUN


@pytest.fixture
def disk():
    with folder_in_memory() as folder:
        yield Path(folder)


def recorded(scene: Scene, notes: Path, command: list[str]) -> Recording:
    """Run a command to its end, and return the notes of its fsyncs."""
    env = scene.environment()
    more = recording(scene.folder, notes)
    before = there(scene.folder, notes)
    env |= {
        "STE_POWER": more["STE_POWER"],
        "PYTHONPATH": f"{more['PYTHONPATH']}:{env['PYTHONPATH']}",
    }
    done = subprocess.run(command, cwd=scene.folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return Recording(notes, before)


def generated(scene: Scene) -> None:
    config = scene.folder / "ste.yaml"
    with open_run(config, [scene.folder / "hooks.py"], quiet=True) as context:
        stages.generate(context, 1)


@pytest.fixture(scope="module")
def data_set(tiny_model):
    """A scene, the notes of `ste generate` in it, and what that made."""
    with folder_in_memory() as folder:
        disk = Path(folder)
        scene = Scene(disk / "scene", tiny_model, stubs=True, iterations=1, texts=8)
        notes = recorded(
            scene, disk / "notes", [*scene.command[:3], "generate", *scene.command[4:]]
        )
        yield scene, notes, outputs(scene.run)


def test_a_data_set_cut_off_at_a_sync_is_made_again_with_the_same_bytes(data_set):
    scene, notes, expected = data_set
    assert any(name.endswith("dataset/manifest.json") for name in expected)
    cuts = list(distinct(notes, scene.folder))
    assert len(cuts) > len(notes.syncs) > 20
    wrong = []
    for after, kept in random.Random(4).sample(cuts, min(CUTS_OF_A_DATA_SET, len(cuts))):
        notes.cut(after, kept, scene.folder)
        generated(scene)
        wrong += [
            f"{kept} kept, {after} syncs: {d}" for d in differences(outputs(scene.run), expected)
        ]
    assert wrong == []


def test_what_is_said_to_be_done_needs_nothing_that_was_not_synced(data_set):
    scene, notes, expected = data_set
    notes.cut(len(notes.syncs), "nothing", scene.folder)
    assert differences(outputs(scene.run), expected) == []


@pytest.mark.slow
def test_a_whole_run_cut_off_goes_on_to_the_same_bytes(disk):
    seed = fake_seed(disk / "seed")
    scene = Scene(disk / "scene", seed, stubs=True, iterations=1, texts=16)
    notes = recorded(scene, disk / "notes", scene.command)
    expected = outputs(scene.run)
    models = [name for name in expected if name.endswith("merged/model.safetensors")]
    assert len(models) == 2
    chance, wrong = random.Random(6), []
    for _ in range(CUTS_OF_A_RUN):
        after, kept = chance.randrange(len(notes.syncs) + 1), chance.choice(CUTS)
        notes.cut(after, kept, scene.folder)
        done = subprocess.run(
            scene.command, cwd=scene.folder, env=scene.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{kept} kept, {after} syncs:\n{done.stderr[-2000:]}"
        wrong += [
            f"{kept} kept, {after} syncs: {d}" for d in differences(outputs(scene.run), expected)
        ]
    assert wrong == []


def test_the_recorder_tells_a_synced_file_from_one_that_is_not(disk):
    """The shim itself: a rename without its folder's sync is undone, content without a sync is
    gone."""
    folder = disk / "folder"
    folder.mkdir()
    scene = Scene(disk / "scene", disk, stubs=True)
    code = (
        "import os\nfrom pathlib import Path\nhere = Path.cwd()\n"
        "from ste_plugin.storage.jsonl import replace_bytes\n"
        "replace_bytes(here / 'whole', b'whole')\n"
        "(here / 'lost').write_bytes(b'lost')\n"
        "replace_bytes(here / 'second', b'second')\n"
        "(here / 'second').rename(here / 'third')\n"
    )
    command = [scene.command[0], "-c", code]
    shutil.rmtree(scene.folder)
    scene.folder.mkdir()
    notes = recorded(scene, disk / "notes", command)
    found = {}
    for kept in CUTS:
        notes.cut(len(notes.syncs), kept, folder)
        found[kept] = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert found["nothing"] == {"whole": b"whole", "lost": b"", "second": b"second"}
    assert found["torn"]["lost"] == b"lo"
    assert json.dumps(sorted(found["names"])) == '["lost", "second", "whole"]'
