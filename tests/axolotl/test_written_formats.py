"""A training whose data set holds its judge format's own words: no file of it is needed there."""

from types import SimpleNamespace

import pytest
import yaml

from ste_plugin.axolotl import judge_callback
from ste_plugin.axolotl.judge_callback import JudgeCallback, find_judge_format, load_judge_format
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.errors import DataError
from ste_plugin.judging.written import format_of
from ste_plugin.judging.written.load import parse_format
from ste_plugin.plugins.judge_formats import described
from ste_plugin.storage.dataset_manifest import DatasetManifest
from tests.helpers.documented_formats import REPLIES, SHOWN

NEVER_CALLED = SimpleNamespace(unwrap_model=lambda model: model)


def made(folder, name):
    """A format of the documentation, and the manifest and settings of a training in it."""
    judge_format = format_of(parse_format(yaml.safe_load(SHOWN[name]), name), name)
    path = folder / "manifest.json"
    manifest = DatasetManifest(path, {"judge_format": described(judge_format), "files": {}})
    return judge_format, manifest, STESettings(manifest=path)


@pytest.mark.parametrize("name", REPLIES)
def test_the_format_of_a_data_set_is_read_from_its_manifest(tmp_path, name):
    judge_format, manifest, settings = made(tmp_path, name)
    assert find_judge_format(manifest, settings).version == judge_format.version
    trainer = SimpleNamespace(model=None, accelerator=NEVER_CALLED)
    callback = JudgeCallback(trainer, [], settings, manifest, alike=False, room=1)
    assert callback.judge_format.choices == judge_format.choices


def test_a_manifest_whose_words_are_not_those_of_its_version_is_refused(tmp_path):
    _, manifest, settings = made(tmp_path, "letters")
    manifest.judge_format["definition"]["closing"] = "So: [["
    with pytest.raises(DataError, match="its prompts are in letters-"):
        load_judge_format(manifest, settings)


@pytest.mark.parametrize(
    ("name", "way"), [("letters", "likelier_choice"), ("scores", "written_verdict")]
)
def test_held_out_pairs_are_judged_by_letters_where_there_are_any(tmp_path, monkeypatch, name, way):
    _, manifest, settings = made(tmp_path, name)
    for known in ("likelier_choice", "written_verdict"):
        monkeypatch.setattr(judge_callback, known, lambda *_, known=known: known)
    trainer = SimpleNamespace(model=None, accelerator=NEVER_CALLED)
    callback = JudgeCallback(trainer, [], settings, manifest, alike=False, room=1)
    callback.__dict__["template"] = None
    assert callback.load_judge() == way
