"""Which judge is meant: the one that a run ships, as the run asks it."""

import json
import shutil

import pytest
import yaml

from ste_plugin import Judge
from ste_plugin.cli.measuring import TaskOptions, parse_backend, presets
from ste_plugin.errors import ConfigError, DataError, PluginError
from ste_plugin.judge.which import OfModel, find_judge
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import calibrate, write_calibration
from ste_plugin.lm_eval_tasks.orders import weights_revision
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.hub_cache import downloaded
from tests.helpers.trained_runs import trained_run

MARGINS = [6.0 * (-1 if n % 4 == 0 else 1) for n in range(80)]
"""Of a judge that is sure, and right three times of four."""


def shipped(root, best):
    (root / "report.json").write_text(json.dumps({"best": best, "iterations": [{"number": 1}]}))


@pytest.fixture
def run(tmp_path, tiny_model):
    judging = {"format": "verdict", "force_verdict": True, "max_new_tokens": 7}
    config = trained_run(tmp_path, tiny_model, iterations=2, judging=judging)
    return config.parent / "run"


def hooks(run):
    return {"plugins": [run.parent / "hooks.py"]}


def test_the_judge_of_a_run_is_the_one_it_ships_asked_as_the_run_is_configured(run):
    shipped(run, 2)
    judge = Judge(run, **hooks(run))
    assert judge.name == f"{run}: iteration 2, which the run ships"
    assert judge.format.name == "verdict"
    found = judge.compare("Say 1.", "Reply to <Say 1.>", "no")
    assert (found.verdict, found.orders[0].reply.text) == ("A", "[[A]]")


def test_the_judge_of_a_run_is_asked_at_the_length_at_which_it_was_measured(run):
    shipped(run, 2)
    config = run.parent / "ste.yaml"
    told = yaml.safe_load(config.read_text()) | {"evaluation": {"max_new_tokens": 33}}
    config.write_text(yaml.safe_dump(told))
    assert Judge(config, **hooks(run)).asked_as.max_new_tokens == 33
    assert Judge(config, max_new_tokens=5, **hooks(run)).asked_as.max_new_tokens == 5


def test_another_iteration_of_it_can_be_named(run):
    shipped(run, 2)
    assert "the run ships iteration 2" in Judge(run, iteration=1, **hooks(run)).name
    assert "the seed" in Judge(run, iteration=0, **hooks(run)).name
    assert "iteration 1 " in Judge(run / "iter-01", **hooks(run)).name
    with pytest.raises(DataError, match=r"iter-03.*no trained model there"):
        Judge(run, iteration=3, **hooks(run))


@pytest.mark.parametrize("engine", ["http", "decisions"])
def test_a_trained_judge_is_not_asked_of_a_server_that_goes_on_serving_its_seed(run, engine):
    shipped(run, 1)
    config = run.parent / "ste.yaml"
    told = yaml.safe_load(config.read_text())
    endpoints = [{"base_url": "http://127.0.0.1:9/v1", "model": "seed"}]
    told["judge"] |= {"engine": engine, "options": {"endpoints": endpoints}}
    config.write_text(yaml.safe_dump(told))
    with pytest.raises(ConfigError, match=rf"judge.engine: {engine} cannot judge with the trained"):
        Judge(config, **hooks(run))
    assert Judge(config, iteration=0, **hooks(run)).name.endswith("the run ships iteration 1)")


def test_a_run_that_ships_its_seed_has_the_seed_as_its_judge(run):
    shipped(run, 0)
    assert "the seed, which the run ships" in Judge(run, **hooks(run)).name


def test_a_run_without_a_judge_says_what_to_do(run):
    with pytest.raises(DataError, match="not finished .*iteration=2; or finish the run"):
        Judge(run, **hooks(run))
    for number in (1, 2):
        (run / f"iter-0{number}" / "model" / "trained.json").unlink()
    with pytest.raises(DataError, match="not finished .*Its seed is iteration=0"):
        Judge(run, **hooks(run))


def test_a_run_says_by_itself_how_its_judge_is_asked(run):
    shipped(run, 1)
    with pytest.raises(ConfigError, match="a run says by itself .* found format, base_url as well"):
        Judge(run, format="brief", base_url="http://localhost:1/v1", **hooks(run))


def test_plugins_that_a_run_lists_run_only_if_they_are_named(run):
    shipped(run, 1)
    with pytest.raises(PluginError, match=r"If you trust them, add: plugins=\['.*hooks.py'\]"):
        Judge(run)


def test_a_config_stands_for_its_run(run):
    shipped(run, 1)
    assert "iteration 1, which the run ships" in Judge(run.parent / "ste.yaml", **hooks(run)).name


def test_a_hub_judge_presets_what_its_measured_revision_does(tmp_path, monkeypatch):
    folders = downloaded(tmp_path, monkeypatch, "org/judge", main=None, v2=None)
    write_calibration(folders["v2"], calibrate(MARGINS, FORMATS["decision"].version))
    told = {
        args: TaskOptions("ste_local", tmp_path / "x", None, None, "", (), "").settings(
            "org/judge", weights_revision(parse_backend("hf", args)), [shipped_folder("tasks")]
        )
        for args in ("", "revision=v2")
    }
    assert [found.format for found in told.values()] == ["criteria", "decision"]


def test_another_format_than_the_published_one_has_its_own_longest_judgment(tmp_path, tiny_model):
    folder = tmp_path / "judge"
    shutil.copytree(tiny_model, folder)
    card = published_card(force_verdict=True, max_new_tokens=7)
    (folder / "ste_judge.json").write_text(json.dumps(card))
    asked = {
        name: find_judge(folder, (), None, OfModel(name, "local", *[None] * 4), {}).judging
        for name in (None, "brief", "plan")
    }
    assert [asked[name].max_new_tokens for name in (None, "brief", "plan")] == [7, 7, None]
    assert {each.force_verdict for each in asked.values()} == {True}
    told = {
        name: presets(str(folder), (), {"format": name}, "main") for name in (None, "brief", "plan")
    }
    assert [told[name].get("max_new_tokens") for name in (None, "brief", "plan")] == [7, 7, None]


def test_a_calibrated_judge_is_asked_in_the_format_of_its_letters(tmp_path, tiny_model):
    folder = shutil.copytree(tiny_model, tmp_path / "judge")
    write_calibration(folder, calibrate(MARGINS, FORMATS["decision"].version))
    found = find_judge(folder, (), None, OfModel(None, "local", *[None] * 4), {}).judging
    assert (found.format, found.force_verdict) == ("decision", True)
    assert presets(str(folder), (), {}, "main") == {"format": "decision", "force": True}
    other = find_judge(folder, (), None, OfModel("brief", "local", *[None] * 4), {}).judging
    assert other.format == "brief"
    write_calibration(folder, calibrate(MARGINS, "ours-0123456789"))
    with pytest.raises(ConfigError, match="trained in the format 'ours'"):
        presets(str(folder), (), {}, "main")
    assert presets(str(folder), (), {"format": "brief"}, "main")["force"]


@pytest.mark.parametrize("engine", ["http", "decisions", None])
def test_a_server_that_names_its_judge_by_its_folder_is_asked_as_the_folder_says(
    tmp_path, tiny_model, engine
):
    folder = shutil.copytree(tiny_model, tmp_path / "judge")
    card = published_card(force_verdict=True, max_new_tokens=7)
    (folder / "ste_judge.json").write_text(json.dumps(card))
    there = (engine, "http://127.0.0.1:9/v1", *[None] * 3)
    own = find_judge(folder, (), None, OfModel(None, *there), {}).judging
    assert (own.format, own.force_verdict, own.max_new_tokens) == ("brief", True, 7)
    other = find_judge(folder, (), None, OfModel("plan", *there), {}).judging
    assert (other.format, other.max_new_tokens) == ("plan", None)
    assert find_judge("judge", (), None, OfModel(None, *there), {}).judging.format == "criteria"


def published_card(**more):
    own = FORMATS["brief"]
    judge_format = {
        "name": "brief",
        "version": own.version,
        "closing": own.closing,
        "reasons": True,
        "pointwise": False,
        "max_new_tokens": own.max_new_tokens,
    }
    return {
        "ste_judge": 1,
        "ste_plugin": "0.1.0",
        "base_model": "",
        "iteration": 1,
        "judge_format": judge_format,
        "chat_template_kwargs": {},
        "thinking": None,
        "sha256": {},
    } | more
