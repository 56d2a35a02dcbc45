"""What comes of a run's review: rates of strategies, judge and people, each against hand counts."""

import json

import pytest
import yaml
from msgspec.structs import replace
from typer.testing import CliRunner

from ste_plugin.cli.entry_point import app
from ste_plugin.errors import DataError
from ste_plugin.lm_eval_tasks.judged_file import write_judged
from ste_plugin.lm_eval_tasks.judged_pair import JudgedPair, OrderVerdict
from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import ResponsePair
from ste_plugin.review.labels import Label, append_labels, labels_path
from ste_plugin.review.population import find_run
from ste_plugin.review.results import review_results
from ste_plugin.storage.jsonl import read_json, read_records, replace_records
from tests.helpers.fake_runs import generated, written
from tests.helpers.review_runs import judgment_of

TWO_CALLS, OTHER = "modified-instruction-two-calls", "other-instruction"


@pytest.fixture(scope="module")
def made(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    generated(written(folder, tiny_model))
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A run with a pool and nothing labelled; its pairs by split and strategy."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "run.yaml").write_bytes((made / "run/run.yaml").read_bytes())
    (root / "pool").symlink_to(made / "run/pool")
    return root


def pairs_of(root, strategy, splits=("dev", "test")):
    _, config = find_run(root)
    every = read_records(root / "pool/pairs.jsonl", ResponsePair)
    there = [pair for pair in every if split_of(pair.instruction_key, config) in splits]
    return [pair for pair in there if pair.strategy == strategy]


def say(root, rater, pairs, choices, kind="pair"):
    labels = [
        Label(rater, kind, pair.key, choice, judgment_key="" if kind == "pair" else f"j{i}")
        for i, (pair, choice) in enumerate(zip(pairs, choices, strict=True))
    ]
    append_labels(labels_path(find_run(root)[0]), labels)


def measure(root, iteration, said):
    """Pretend that an iteration's judge was measured: pair key → what it said in both orders."""
    letters = {
        "better": ("A", "B"),
        "worse": ("B", "A"),
        "tie": ("A", "A"),
        "nothing": (None, None),
        "nothing once": ("A", None),
    }
    judged = [
        JudgedPair(key, "s", key, tuple(map(OrderVerdict, "AB", letters[word])), 1, 2)
        for key, word in said.items()
    ]
    folder = root / f"iter-{iteration:02d}/eval/test"
    folder.mkdir(parents=True)
    write_judged(folder, judged)
    (folder / "results.json").write_text("{}")


def results(root, iteration=None):
    return review_results(*find_run(root), iteration)


def test_it_is_counted_how_often_the_better_answers_of_a_strategy_are_better(run):
    pairs = pairs_of(run, OTHER)[:8]
    say(run, "ann", pairs, ["better"] * 5 + ["worse"] * 2 + ["tie"])
    say(run, "ben", pairs[:2], ["worse", "better"])  # divided; better still
    rate = results(run).strategies[OTHER]
    assert (rate.pairs, rate.better, rate.worse, rate.undecided) == (8, 4, 2, 2)
    assert (rate.rate.value, rate.wrong.value) == (0.5, 0.25)
    assert rate.rate.interval[0] < 0.5 < rate.rate.interval[1]


def test_over_all_strategies_each_counts_by_how_many_pairs_it_has(run):
    first, second = pairs_of(run, OTHER), pairs_of(run, TWO_CALLS)
    assert len(first) == len(second) > 6
    say(run, "ann", first[:6], ["better"] * 6)
    say(run, "ann", second[:2], ["worse"] * 2)
    assert results(run).strategies["all"].rate.value == pytest.approx(0.5)


def test_people_are_held_against_each_other_and_the_judge_against_them(run):
    pairs = pairs_of(run, OTHER, ("test",))[:6]
    say(run, "ann", pairs, ["better", "better", "better", "worse", "worse", "tie"])
    say(run, "ben", pairs, ["better", "better", "worse", "worse", "worse", "better"])
    measure(run, 1, {pair.key: "better" for pair in pairs[:5]})
    found = results(run)
    assert found.people.raw.value == found.ceiling == pytest.approx(4 / 6)
    # chance: 3/6·3/6 better + 2/6·3/6 worse + 1/6·0 tie
    assert found.people.kappa.expected == pytest.approx(15 / 36)
    assert list(found.pairs_of_people) == ["ann / ben"]
    assert (found.judge.items, found.judge_iteration) == (5, 1)
    assert found.judge.raw.value == pytest.approx((1 + 1 + 0.5 + 0 + 0) / 5)
    assert found.judge_with["ann"].raw.value == pytest.approx(3 / 5)


def test_a_judge_that_says_nothing_agrees_with_nobody_not_with_peoples_ties(run):
    pairs = pairs_of(run, OTHER, ("test",))[:4]
    say(run, "ann", pairs, ["tie"] * 4)
    words = ["tie", "nothing", "nothing", "nothing once"]
    measure(run, 1, {pair.key: word for pair, word in zip(pairs, words, strict=True)})
    found = results(run).judge
    assert (found.items, found.raw.value) == (4, 1 / 4)


def test_the_last_judge_that_was_measured_counts_unless_another_is_named(run):
    pairs = pairs_of(run, OTHER, ("test",))[:4]
    say(run, "ann", pairs, ["better"] * 4)
    measure(run, 0, {pair.key: "tie" for pair in pairs})
    measure(run, 2, {pair.key: "better" for pair in pairs})
    assert (results(run).judge_iteration, results(run).judge.raw.value) == (2, 1)
    assert results(run, 0).judge.raw.value == 0
    with pytest.raises(DataError, match="iteration 1 was not measured; those of 0, 2 were"):
        results(run, 1)


def test_the_judge_is_named_and_another_iteration_leaves_what_the_report_shows(run):
    pairs = pairs_of(run, OTHER, ("test",))[:4]
    say(run, "ann", pairs, ["better"] * 4)
    measure(run, 0, {pair.key: "tie" for pair in pairs})
    measure(run, 1, {pair.key: "better" for pair in pairs})
    (run / "report.json").write_text(json.dumps({"best": 0}))
    assert "The judge is iteration 1 (the run ships the seed)." in said_by("agreement", run)
    kept = read_json(run / "review/agreement.json")
    assert kept["judge_is"] == "iteration 1 (the run ships the seed)"
    assert "\njudge (seed), person" in said_by("agreement", run, "--iteration", "0")
    assert read_json(run / "review/agreement.json") == kept


def test_one_rater_and_no_judge_leave_rates_alone(run):
    say(run, "ann", pairs_of(run, OTHER)[:3], ["better"] * 3)
    found = results(run)
    assert (found.people, found.judge, found.judge_iteration, found.ceiling) == (None,) * 4


def test_reasoning_is_that_of_the_newest_judge_whose_judgments_were_labelled(run):
    pairs = pairs_of(run, OTHER, ("train",))[:4]
    say(run, "ann", pairs, ["fails", "fails", "holds", "holds"], kind="judgment")
    for number, keys in ((1, ("j0", "j1")), (2, ("j2", "j3")), (3, ("j8",))):
        folder = run / f"iter-{number:02d}"
        folder.mkdir(exist_ok=True)
        written = [replace(judgment_of(pairs[0], 0), key=key) for key in keys]
        replace_records(folder / "judgments.jsonl", written)
    found = results(run)
    assert (found.reasoning[OTHER].value, found.reasoning_of_others) == (1, 2)
    assert found.reasoning_by == "iteration 1"
    told = "reasoning hold? (of iteration 1; 2 labels are of other judges' judgments: left out)"
    assert told in said_by("agreement", run)


def test_it_is_counted_how_often_reasoning_holds(run):
    pairs = pairs_of(run, OTHER, ("train",))[:4]
    say(run, "ann", pairs, ["holds", "holds", "fails", "unclear"], kind="judgment")
    say(run, "ben", pairs[:2], ["holds", "fails"], kind="judgment")
    found = results(run)
    assert found.reasoning[OTHER].value == pytest.approx(3 / 6)
    assert found.people_on_reasoning.raw.value == 0.5
    assert found.strategies == {}


def test_labels_of_other_pairs_are_left_out_and_told_and_alone_are_an_error(run):
    (pair,) = pairs_of(run, OTHER)[:1]
    gone = ResponsePair("gone", "i", "Why?", "a", "b", OTHER)
    say(run, "ann", [gone], ["better"])
    with pytest.raises(DataError, match="1 labels, none of a pair of this run"):
        results(run)
    say(run, "ann", [pair], ["better"])
    assert results(run).of_other_pairs == 1


def test_nobody_has_labelled_anything(run):
    with pytest.raises(DataError, match="nobody has labelled anything yet. `ste review` shows"):
        results(run)


def said_by(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_prints_a_table_and_json_and_keeps_a_file(run):
    pairs = pairs_of(run, OTHER, ("test",))[:5]
    for rater in ("ann", "ben"):
        say(run, rater, pairs, ["better"] * 4 + ["worse"])
    measure(run, 1, {pair.key: "better" for pair in pairs})
    table = said_by("agreement", run)
    assert "labels by ann (5), ben (5)" in table
    assert f"\n{OTHER}      5        5       4      1          0  80% [" in table
    assert "\njudge (iteration 1), person" in table
    assert "Two people say the same of 100% of the pairs" in table
    told = json.loads(said_by("agreement", run, "--json"))
    assert told == read_json(run / "review/agreement.json")
    assert (told["ceiling"], told["judge"]["raw"]["value"]) == (1.0, 0.8)


def test_figures_that_are_not_defined_are_explained_in_words(run):
    pairs = pairs_of(run, OTHER, ("test",))[:2]
    for rater in ("ann", "ben"):
        say(run, rater, pairs, ["better"] * 2)
    table = said_by("agreement", run)
    assert "people: kappa, alpha: every rating is the same category" in table
    assert "nan" not in table.lower()


def test_a_run_is_named_by_its_config_too(made, run):
    config = made / "other.yaml"
    settings = yaml.safe_load((made / "ste.yaml").read_text())
    config.write_text(yaml.safe_dump(settings | {"run": str(run)}))
    say(run, "ann", pairs_of(run, OTHER)[:2], ["better"] * 2)
    assert "labels by ann (2)" in said_by("agreement", config)
