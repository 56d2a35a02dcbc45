"""Judges of a letter alone learn the right one of every pair, whatever they said of it."""

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.records import ORDERS, Judgment
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.sampling.pass_rates import PassRate
from ste_plugin.storage.jsonl import read_records
from tests.helpers.fake_runs import SPLITS, generated, rows_of, written

DECISION = {"format": "decision", "samples": 8}


def made(folder, tiny_model, judges, *, judging=DECISION, recipe="sft-lora-8b", **dataset):
    training = {"recipe": recipe}
    settings = {"judging": judging, "training": training, "dataset": SPLITS | dataset}
    return written(folder, tiny_model, judges=judges, **settings)


def said(path):
    return list(read_records(path.parent / "run/iter-01/judgments.jsonl", Judgment))


def replies(path, name="sft-train"):
    rows = rows_of(path, name)
    return {(r["pair"], r["better_is"]): r["messages"][-1]["content"] for r in rows}


@pytest.mark.parametrize("judges", ["letter A", "letter wrong"])
def test_a_pair_on_which_the_judge_is_wrong_is_learnt_in_both_orders(tiny_model, tmp_path, judges):
    path = made(tmp_path, tiny_model, judges)
    manifest = generated(path)
    found = replies(path)
    assert len(found) > 20
    assert all(reply == gold for (_, gold), reply in found.items())
    pairs = {pair for pair, _ in found}
    assert set(found) == {(pair, gold) for pair in pairs for gold in ORDERS}
    assert len(replies(path, "sft-dev")) > 4
    assert "dataset: no correct judgment" not in manifest["drops"]


def test_the_judge_is_asked_once_in_each_order_which_says_how_good_it_is(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, "letter A")
    manifest = generated(path)
    judgments = said(path)
    assert len(judgments) == len({(j.pair_key, j.gold) for j in judgments})
    assert {j.verdict for j in judgments} == {"A"}
    rates = read_records(path.parent / "run/iter-01/pass_rates.jsonl", PassRate)
    assert {(r.gold, r.rate) for r in rates} == {("A", 1.0), ("B", 0.0)}
    told = manifest["settings"]["judging"]
    assert (told["sampling"], told["samples"]) == ("constructed", 1)


def test_who_asks_for_right_judgments_gets_those_alone(tiny_model, tmp_path):
    judging = DECISION | {"sampling": "until_correct", "samples": 2, "top_up": 0}
    path = made(tmp_path, tiny_model, "letter sees A", judging=judging)
    manifest = generated(path)
    assert manifest["drops"]["dataset: no correct judgment"] > 0


def test_a_letter_in_brackets_is_written_as_the_format_closes(tiny_model, tmp_path):
    judging = {"format": "verdict", "force_verdict": True, "sampling": "constructed"}
    path = made(tmp_path, tiny_model, "letter wrong", judging=judging)
    generated(path)
    assert set(replies(path).values()) == {"[[A]]", "[[B]]"}


def test_a_judgment_that_a_plugin_drops_takes_its_row_along(tiny_model, tmp_path):
    path = made(tmp_path, tiny_model, "letter A")
    hooks = tmp_path / "hooks.py"
    drops = "\n\n@hookimpl\ndef ste_drop_judgment(judgment, pair):\n    return 'of B' * (%s)\n"
    hooks.write_text(hooks.read_text() + drops % "judgment.gold == 'B'")
    with open_run(path, [], quiet=True) as context, pytest.raises(Exception, match="of B"):
        stages.generate(context, 1)


@pytest.mark.parametrize("name", ["brief", "rating"])
def test_a_reply_with_more_than_a_letter_cannot_be_constructed(tiny_model, tmp_path, name):
    path = made(tmp_path, tiny_model, "well", judging={"format": name, "sampling": "constructed"})
    with pytest.raises(ConfigError, match=f"found constructed with judging.format {name}"):
        generated(path)


RECIPE = "decision-lora-8b"


@pytest.mark.parametrize("sampling", ["until_correct", "constructed"])
def test_a_recipe_of_both_orders_keeps_whole_pairs_alone(tiny_model, tmp_path, sampling):
    judging = DECISION | {"sampling": sampling, "samples": 2}
    path = made(tmp_path, tiny_model, "letter sees A", judging=judging, recipe=RECIPE)
    manifest = generated(path)
    found = replies(path)
    pairs = {pair for pair, _ in found}
    assert len(pairs) > 4
    assert set(found) == {(pair, gold) for pair in pairs for gold in ORDERS}
    assert manifest["counts"]["topped_up"] == 0
    dropped = manifest["drops"].get("dataset: right in one order only", 0)
    assert (dropped > 0) == (sampling == "until_correct")


@pytest.mark.parametrize(
    ("judging", "told"),
    [
        ({"format": "brief"}, "judging.format brief writes reasons before its verdict"),
        ({"format": "rating"}, "judging.format rating rates one answer at a time"),
        ({"format": "verdict"}, "Set judging.force_verdict: true, or judging.format: decision"),
    ],
)
def test_a_recipe_for_judges_of_letters_refuses_a_format_of_more(
    tiny_model, tmp_path, judging, told
):
    path = made(tmp_path, tiny_model, "well", judging=judging, recipe=RECIPE)
    with open_run(path, [], quiet=True) as context, pytest.raises(ConfigError, match=told):
        stages.read_row_formats(context)
