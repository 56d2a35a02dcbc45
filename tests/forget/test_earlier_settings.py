"""Forgetting what was asked by other settings than the run's of today, and from other folders."""

import json
import shutil

import pytest
import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.forget import read_run
from ste_plugin.pairs.pool import prepare_pool
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import Redo
from ste_plugin.storage.jsonl import read_rows
from tests.helpers.fake_runs import written
from tests.helpers.forgetting import forgotten
from tests.helpers.tiny_model import save_without_weights

TEXT = "Write to Jane Doe about her visit."


@pytest.fixture
def path(tmp_path):
    """A run's config, with an instruction to forget."""
    model = save_without_weights(tmp_path / "model")
    path = written(tmp_path, model, judges="half", texts=12)
    with (tmp_path / "instructions.jsonl").open("a") as file:
        file.write(json.dumps({"instruction": TEXT}) + "\n")
    return path


def changed(path, **settings):
    old = yaml.safe_load(path.read_text())
    for key, value in settings.items():
        old[key] = old.get(key, {}) | value if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(old))


def make(path, stage="pool", redo=None):
    with open_run(path, [], quiet=True, redo=redo) as context:
        prepare_pool(context) if stage == "pool" else stages.generate(context, 1)


def key_of(run):
    rows = (row for _, row in read_rows(run / "pool/instructions.jsonl"))
    return next(row["key"] for row in rows if row["text"] == TEXT)


def answers(run):
    return sum(1 for path in run.rglob("*.completions.jsonl") for _ in read_rows(path))


def forget_all(run):
    for _, row in list(read_rows(run / "pool/instructions.jsonl")):
        forgotten(run, key=row["key"])


def test_answers_of_earlier_settings_go(path, tmp_path):
    make(path)
    changed(path, pairs={"temperature": 0.3})
    make(path, redo=Redo("pool"))
    report = forgotten(tmp_path / "run", key=key_of(tmp_path / "run"))
    assert report.unread == report.quoted == []
    left = (tmp_path / "run").rglob("*.completions.jsonl")
    assert not any("Jane" in file.read_text() for file in left)


def test_judgments_in_a_format_whose_file_was_edited_go(path, tmp_path):
    words = "Which is better? End with `Final verdict: [[A]]` or `Final verdict: [[B]]`."
    form = tmp_path / "mine.yaml"
    form.write_text(yaml.safe_dump({"like": "brief", "rubric": words}))
    changed(path, judging={"format": "mine.yaml", "force_verdict": True})
    make(path, "generate")
    before = answers(tmp_path / "run")
    form.write_text(yaml.safe_dump({"like": "brief", "rubric": f"Be just. {words}"}))
    make(path, "generate", redo=Redo("generate"))
    assert answers(tmp_path / "run") > before
    forget_all(tmp_path / "run")
    assert answers(tmp_path / "run") == 0


def test_where_earlier_settings_are_not_known_that_is_said(path, tmp_path):
    make(path)
    make(path, redo=Redo("pool"))
    (tmp_path / "run/old-1/run.yaml").unlink()
    (told,) = forgotten(tmp_path / "run", key=key_of(tmp_path / "run")).unread
    assert told.startswith("what was asked by the settings of old-1 (")


@pytest.fixture
def elsewhere(path, tmp_path, monkeypatch):
    """The folder of a run that its config names by an absolute path, and its model by another."""
    run = tmp_path / "scratch/judge"
    changed(path, run=str(run), judge={"model": "model"}, plugins=[])
    with open_run(path, [tmp_path / "hooks.py"], quiet=True) as context:
        prepare_pool(context)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return run


def test_a_run_by_an_absolute_path_is_forgotten_in_from_any_folder(elsewhere, tmp_path):
    config, base = read_run(elsewhere)
    assert (base, config.run) == (tmp_path, elsewhere)
    before = answers(elsewhere)
    assert forgotten(elsewhere, key=key_of(elsewhere)).removed["completions"] > 1
    assert answers(elsewhere) < before


def test_where_nothing_says_from_where_paths_start_the_config_is_asked_for(
    elsewhere, tmp_path, monkeypatch
):
    record = yaml.safe_load((elsewhere / "run.yaml").read_text())
    del record["base"]
    (elsewhere / "run.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(ConfigError, match=r"instructions\.jsonl, and there is none in .*CONFIG"):
        read_run(elsewhere)
    monkeypatch.chdir(tmp_path)
    assert read_run(elsewhere)[1] == tmp_path


def test_a_config_that_went_from_where_it_lay_is_asked_for(elsewhere, tmp_path):
    shutil.move(tmp_path / "instructions.jsonl", tmp_path / "other")
    with pytest.raises(ConfigError, match="give the config instead"):
        read_run(elsewhere)
