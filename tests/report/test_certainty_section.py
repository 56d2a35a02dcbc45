"""The section on self-confirmation: which course of a run is called a sign of it, and which not."""

import pytest

from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.report.certainty_section import certainty_sections
from ste_plugin.report.page import write_report
from ste_plugin.report.parts import Details, Paragraph, Table
from ste_plugin.report.read_run import read_run
from ste_plugin.storage.jsonl import read_json, read_rows, replace_json, replace_rows
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.measured_runs import measured_run
from tests.helpers.sampled_rounds import sampled

COIN, SURE = [0.6] * 300, [1.0] * 180 + [0.0] * 120
"""As often right, drawn anew each time, or the same each time."""


def run(tmp_path, *rounds, rule="until_correct", **settings):
    """A measured run whose judges have these skills, question by question."""
    root = measured_run(tmp_path, skills=(0.5,) * (len(rounds) + 1), **settings)
    for number, skills in enumerate(rounds, 1):
        sampled(root / f"iter-{number:02d}", skills, rule, seed=number)
    return root


def parts_of(root):
    (section,) = certainty_sections(read_run(root))
    assert section.anchor == "self-confirmation"
    return section.parts


def words(root) -> dict[str, str]:
    """Each paragraph, and how it stands out."""
    return {p.text: p.tone for p in parts_of(root) if isinstance(p, Paragraph)}


@pytest.mark.parametrize(
    ("rounds", "told", "tone"),
    [
        ((COIN, SURE), "A sign of self-confirmation: errors grow confident", "bad"),
        ((COIN, [0.95] * 300), "No sign of self-confirmation: the judge is right more", "good"),
        ((COIN, COIN), "No sign of self-confirmation: errors do not grow", "good"),
        ((SURE, [0.5] * 300), "No sign of self-confirmation: errors do not grow", "good"),
        ((COIN * 3, [1.0] * 300 + [0.4] * 600), "Verdicts get more alike", "note"),
        ((COIN[:6], SURE[:6]), "Too few questions to say", "note"),
    ],
)
def test_errors_that_grow_confident_while_accuracy_stays_are_the_sign(tmp_path, rounds, told, tone):
    found = [t for text, t in words(run(tmp_path, *rounds)).items() if text.startswith(told)]
    assert found == [tone]


def test_every_round_has_its_figures_and_who_judged(tmp_path):
    table = next(p for p in parts_of(run(tmp_path, COIN, SURE)) if isinstance(p, Table))
    assert [c.heading for c in table.columns] == [
        "round",
        "pass rate",
        "entropy of verdicts",
        "confident errors",
        "questions",
    ]
    first, last = table.rows
    assert first[0] == "iteration 1 (judged by the seed)"
    assert last[1].value == pytest.approx(0.6)
    assert (last[2].value, last[3].value, last[4]) == (0, pytest.approx(0.4), 300)
    assert last[3].interval[0] > 0.3


def test_the_page_says_that_stopped_sampling_biases_shares_and_what_is_used_instead(tmp_path):
    root = run(tmp_path, COIN)
    captions = [p.caption for p in parts_of(root) if isinstance(p, Table)]
    assert "the estimate of `pass_rates.jsonl`, which is unbiased over pairs" in captions[0]
    assert any("Sampling stops at the first correct judgment" in text for text in words(root))


@pytest.mark.parametrize(("rule", "share"), [("until_correct", None), ("fixed", 0.6)])
def test_the_share_of_questions_that_are_always_right_is_told_where_it_is_seen(
    tmp_path, rule, share
):
    (details,) = [p for p in parts_of(run(tmp_path, SURE, rule=rule)) if isinstance(p, Details)]
    (row,) = details.parts[0].rows
    assert row[1:] == [0.6, 0, 0, 0, 0.4, share]


def test_one_round_has_no_trend(tmp_path):
    assert not [text for text in words(run(tmp_path, COIN)) if "sign of self" in text[:25]]


def test_questions_that_get_harder_from_round_to_round_are_told(tmp_path):
    judging = "{skip_always_right: true}"
    told = words(run(tmp_path, COIN, COIN, judging=judging))
    assert any("skip_always_right" in text for text in told)


def test_questions_that_are_others_from_round_to_round_are_told(tmp_path):
    training = "{recipe: sft-lora-8b, instructions: fresh}"
    told = words(run(tmp_path, COIN, COIN, training=training))
    assert any("not of the same questions" in text for text in told)
    (tmp_path / "all").mkdir()
    assert not any("same questions" in text for text in words(run(tmp_path / "all", COIN, COIN)))


def test_sampling_that_the_budget_ended_is_told(tmp_path):
    root = run(tmp_path, COIN)
    path = root / "iter-01/dataset/manifest.json"
    manifest = read_json(path)
    replace_json(path, manifest | {"counts": manifest["counts"] | {"ended_by_budget": True}})
    assert any(text.startswith("The budget ended some sampling") for text in words(root))


def test_held_out_pairs_tell_it_by_their_likelihoods(tmp_path):
    root = measured_run(tmp_path, skills=(0.6, 0.6), sets={"test": 400})
    for number, odds in ((0, 0.5), (1, 5.0)):
        path = root / f"iter-{number:02d}/eval/test/judged.jsonl"
        rows = [row for _, row in read_rows(path)]
        for row in rows:
            for order in "ab":
                row[f"log_odds_{order}"] = odds if row[f"verdict_{order}"] == "A" else -odds
        replace_rows(path, rows)
    told = words(root)
    assert any(text.startswith("A sign of self-confirmation") for text in told)
    assert any(text.endswith("right no more often on test.") for text in told)


def test_a_run_that_kept_nothing_of_it_has_no_such_section(tmp_path):
    assert certainty_sections(read_run(measured_run(tmp_path))) == []


def test_it_stands_in_the_page(tmp_path):
    root = run(tmp_path, COIN, SURE)
    page = write_report(RunLayout(root), plugin_manager()).read_text()
    assert 'id="self-confirmation"' in page
