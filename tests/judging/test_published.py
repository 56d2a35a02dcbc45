"""A published judge's folder: what it presets, and that it is the judge that it names."""

import json
from pathlib import Path

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.judging import published
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import calibrate, temperature_of, write_calibration
from ste_plugin.judging.judge_folder import folder_with
from ste_plugin.judging.published import (
    NAME,
    VERSION,
    FormatCard,
    PublishedJudge,
    check_published,
    preset_settings,
    read_published,
    sha256_of,
)

BRIEF = FORMATS["brief"]


def card(**more: object) -> FormatCard:
    own = {
        "name": "brief",
        "version": BRIEF.version,
        "closing": BRIEF.closing,
        "reasons": True,
        "pointwise": False,
        "max_new_tokens": 160,
    }
    return FormatCard(**(own | more))


def written(folder: Path, judge_format: FormatCard | None = None, **more: object) -> Path:
    """A published judge's folder, of one file of weights."""
    folder.mkdir(exist_ok=True)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"weights")
    own = {
        "ste_judge": VERSION,
        "ste_plugin": "0.1.0",
        "base_model": "",
        "iteration": 2,
        "judge_format": (judge_format or card()).to_dict(),
        "chat_template_kwargs": {},
        "thinking": None,
        "force_verdict": False,
        "max_new_tokens": None,
        "sha256": {weights.name: sha256_of(weights)},
    }
    (folder / NAME).write_text(json.dumps(own | more))
    return folder


def test_a_folder_presets_how_its_judge_was_trained_and_measured(tmp_path):
    folder = written(
        tmp_path / "a",
        force_verdict=True,
        chat_template_kwargs={"enable_thinking": False},
        thinking=["<scratch>", "</scratch>"],
        max_new_tokens=64,
    )
    assert preset_settings(folder, FORMATS) == {
        "format": "brief",
        "force": True,
        "max_new_tokens": 64,
        "chat_template_kwargs": {"enable_thinking": False},
        "thinking": {"open": "<scratch>", "close": "</scratch>"},
    }
    assert isinstance(read_published(folder), PublishedJudge)


@pytest.mark.parametrize("path", ["./judge", "../judge", "runs/judge.", "my--judge/x", "-x/y"])
def test_a_path_to_nothing_presets_nothing(path):
    assert folder_with(path, NAME) == Path(path)
    assert preset_settings(path, None) == {}


def test_a_folder_of_any_other_model_and_a_hub_id_preset_nothing(tmp_path):
    assert preset_settings(tmp_path, FORMATS) == {}
    assert preset_settings("org/judge", FORMATS) == {}
    check_published(tmp_path, "brief", BRIEF)
    check_published("org/judge", "brief", BRIEF)


def test_other_weights_than_the_card_names_are_refused_with_their_place(tmp_path):
    folder = written(tmp_path / "a")
    check_published(folder, "brief", BRIEF)
    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(DataError, match=r"model\.safetensors: not the file.*another judge's.*Get"):
        check_published(folder, "brief", BRIEF)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors: no such file.*download cut off"):
        check_published(folder, "brief", BRIEF)
    (folder / NAME).unlink()
    check_published(folder, "brief", BRIEF)


def test_a_large_file_is_hashed_once_and_again_when_it_changed(tmp_path, monkeypatch):
    hashed = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(published, "_LARGE", 1)
    monkeypatch.setattr(published, "sha256_of", lambda path: hashed.append(1) or sha256_of(path))
    folder = written(tmp_path / "a")
    for _ in range(3):
        check_published(folder, "brief", BRIEF)
    assert hashed == [1]
    (kept,) = (tmp_path / "cache" / "ste-plugin" / "sha256").iterdir()
    kept.write_bytes(b"\xff damaged")
    check_published(folder, "brief", BRIEF)
    assert hashed == [1, 1]
    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(DataError, match="not the file"):
        check_published(folder, "brief", BRIEF)


def test_where_nothing_can_be_kept_a_large_file_is_hashed_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(published, "_LARGE", 1)
    check_published(written(tmp_path / "a"), "brief", BRIEF)


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """Where org/judge lies in the hub's cache, once it is downloaded."""
    folder = tmp_path / "models--org--judge" / "snapshots" / "c0ffee"
    folder.mkdir(parents=True)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text("c0ffee")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return folder


def test_a_downloaded_judge_has_the_temperature_of_its_folder(snapshot):
    margins = [6.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]
    write_calibration(snapshot, calibrate(margins, BRIEF.version))
    warm = temperature_of(snapshot, BRIEF.version)
    assert warm > 1.5
    assert temperature_of("org/judge", BRIEF.version) == warm
    assert temperature_of("org/other", BRIEF.version) == 1


def test_a_hub_id_that_was_downloaded_presets_what_its_folder_does(snapshot):
    written(snapshot, card(name="ours", file="judge_format.yaml"), force_verdict=True)
    asked = str(snapshot / "judge_format.yaml")
    assert preset_settings("org/judge", FORMATS) == {"format": asked, "force": True}
    assert preset_settings("org/other", FORMATS) == {}
    (snapshot / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(DataError, match="not the file of the judge"):
        check_published("org/judge", asked, BRIEF)


def test_a_hub_id_of_another_revision_has_what_that_revision_s_folder_says(snapshot):
    other = snapshot.with_name("decade")
    (snapshot.parents[1] / "refs" / "v2").write_text(other.name)
    written(other, force_verdict=True)
    margins = [6.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]
    write_calibration(snapshot, calibrate(margins, BRIEF.version))
    assert temperature_of("org/judge", BRIEF.version) > 1.5
    assert temperature_of("org/judge", BRIEF.version, "v2") == 1
    assert preset_settings("org/judge", FORMATS, "v2") == preset_settings(other, FORMATS)
    (other / "model.safetensors").write_bytes(b"weighty")
    check_published("org/judge", "brief", BRIEF)
    with pytest.raises(DataError, match="not the file of the judge"):
        check_published("org/judge", "brief", BRIEF, "v2")


def test_a_format_that_has_other_words_here_is_refused(tmp_path):
    folder = written(tmp_path / "a", card(version="brief-00000000"))
    with pytest.raises(ConfigError, match=rf"brief-00000000.*{BRIEF.version}.*ste-plugin 0\.1\.0"):
        check_published(folder, "brief", BRIEF)


def test_another_format_may_be_asked_for_on_purpose(tmp_path):
    folder = written(tmp_path / "a", card(version="brief-00000000"))
    check_published(folder, "plan", FORMATS["plan"])


def test_a_format_of_a_plugin_that_is_not_here_is_named_with_it(tmp_path):
    folder = written(tmp_path / "a", card(name="ours", plugin="hooks.py"))
    with pytest.raises(ConfigError, match=r"'ours', which is not installed.*the plugin hooks\.py"):
        preset_settings(folder, FORMATS)
    assert preset_settings(folder, None)["format"] == "ours"


def test_a_format_that_comes_with_its_judge_is_asked_for_by_its_file(tmp_path):
    folder = written(tmp_path / "a", card(name="ours", file="judge_format.yaml"))
    asked = str(folder / "judge_format.yaml")
    assert preset_settings(folder, FORMATS)["format"] == asked
    check_published(folder, asked, BRIEF)
    folder = written(tmp_path / "b", card(file="../judge_format.yaml", version="ours-1"))
    asked = str(folder / "judge_format.yaml")
    assert preset_settings(folder, FORMATS)["format"] == asked
    with pytest.raises(ConfigError, match="ours-1"):
        check_published(folder, asked, BRIEF)


def test_a_file_of_a_newer_form_asks_for_an_update(tmp_path):
    with pytest.raises(ConfigError, match=r"form 2 of this file.*Install a newer one"):
        read_published(written(tmp_path / "a", ste_judge=2))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"ste_judge": 1}', '"x"', "null"])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(DataError, match=NAME):
        read_published(tmp_path)


def test_a_file_of_a_stranger_names_no_place_outside_its_folder(tmp_path):
    outside = tmp_path / "secret"
    outside.write_bytes(b"x")
    folder = written(tmp_path / "a", sha256={"../secret": sha256_of(outside)})
    with pytest.raises(DataError, match="no such file"):
        check_published(folder, "brief", BRIEF)
