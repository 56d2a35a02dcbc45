"""`ste cascade fit` as people run it: the curve, the promise in words, and what it takes."""

import json
import shutil
import sys
from math import log
from pathlib import Path

import pytest

from ste_plugin.cli.entry_point import main
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.calibration import Calibration, quality, sigmoid, write_calibration
from tests.helpers.cascades import StagedEngine, drawn, pair_row, use_engine, write_pairs
from tests.helpers.hub_cache import downloaded

OF_JUDGES = ("format", "reasoning", "reasoning_format", "max_new_tokens", "votes")
JUDGES = "small --reasoning large --reasoning-format brief --engine local --votes 3"


@pytest.fixture
def fitted(tmp_path, monkeypatch, capsys):
    """Run the command; return its exit code, what it printed, and the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ste_plugin.cli.stopping.leave_interrupts", lambda: None)

    def run(rows, more="", engine=None):
        use_engine(monkeypatch, engine or StagedEngine())
        labels = write_pairs(tmp_path / "people.jsonl", rows)
        command = f"ste cascade fit {JUDGES} --labels {labels} {more}"
        monkeypatch.setattr(sys, "argv", command.split())
        with pytest.raises(SystemExit) as ended:
            main()
        out = tmp_path / "cascade.json"
        told = json.loads(out.read_text()) if out.is_file() else None
        return ended.value.code or 0, capsys.readouterr(), told

    return run


def test_it_prints_the_curve_of_all_pairs_and_what_is_promised(fitted):
    code, printed, told = fitted(map(pair_row, range(160)))
    assert code == 0
    assert "all: 160 pairs" in printed.out
    assert printed.out.count("<- chosen") == 1
    assert "the reasoning judge alone: answers 0.950, accuracy 1.000" in printed.out
    promise = told["fitted"]["promise"]
    assert promise.startswith("With a chance of at least 95% over the draw of these 160 prompts")
    assert promise in printed.out
    chosen = next(
        row
        for row in told["fitted"]["curve"]
        if not row["subset"]
        and row["setting"]
        == {"deepest": told["fitted"]["deepest"], "threshold": told["fitted"]["threshold"]}
    )
    assert chosen["answered"] == 160  # the vote answers what reasons do not
    alone = told["fitted"]["curve"][-1]
    assert chosen["written_tokens"] < alone["written_tokens"]
    assert told["fitted"]["bound"] <= 0.10


def test_of_a_subset_it_prints_the_chosen_setting_alone_and_writes_the_whole_curve(fitted):
    _, printed, told = fitted(map(pair_row, range(160)))
    of_even = [line.split() for line in printed.out.splitlines() if line.startswith("even")]
    chosen = {name: told["fitted"][name] for name in ("deepest", "threshold")}
    curve = [row for row in told["fitted"]["curve"] if row["subset"] == "even"]
    (row,) = (row for row in curve if row["setting"] == chosen)
    accuracy = row["right"] / row["judged"]
    assert [line[:4] for line in of_even] == [["even", "80", "1.000", f"{accuracy:.3f}"]]
    assert "by subset, under the chosen setting (vote, " in printed.out
    assert len(curve) == 30


def test_where_no_setting_keeps_the_promise_subsets_are_told_under_the_nearest(fitted):
    wrong = [pair_row(i, labels={"ann": "rejected"}) for i in range(160)]
    _, printed, _ = fitted(wrong, "--error 0.05")
    assert "by subset, under the setting that comes nearest (" in printed.out
    assert [line.split()[0] for line in printed.out.splitlines() if " 80 " in line] == [
        "even",
        "odd",
    ]


def test_a_calibrated_judge_decides_in_its_own_format_and_is_told_at_its_temperature(
    fitted, tiny_model, tmp_path, monkeypatch, capsys
):
    known, version = quality([1.0]), FORMATS["decision"].version
    shutil.copytree(tiny_model, tmp_path / "small")
    write_calibration(tmp_path / "small", Calibration(1, 2.0, version, 80, 60, known, known))
    code, _, told = fitted(map(pair_row, range(160)))
    assert code == 0
    assert told["decision"]["format"] == "decision"
    assert told["fitted"]["asked_as"]["decision"]["calibration"] == 2.0
    sure = next(n for n in range(160) if n % 4 < 3 and drawn("sure", n) > 0.95)
    row = pair_row(sure)
    asked = ["--instruction", row["prompt"], "--a", row["chosen"], "--b", row["rejected"], "--json"]
    monkeypatch.setattr(sys, "argv", ["ste", "judge", "cascade.json", *asked])
    with pytest.raises(SystemExit):
        main()
    found = json.loads(capsys.readouterr().out)
    assert found["stage"] == "decision"
    raw = 0.5 + 0.499 * drawn("sure", sure)
    raw = raw if drawn("right", sure) < raw else 1 - raw
    assert found["probability"] == pytest.approx(sigmoid(log(raw / (1 - raw)) / 2), abs=1e-3)


def test_labels_too_few_for_the_promise_say_how_many_more_it_takes(fitted):
    code, printed, told = fitted(map(pair_row, range(10)))
    assert (code, told) == (9, None)
    assert "10 labelled prompts are too few to promise an error of 0.1: it takes at least 51" in (
        printed.err
    )
    assert "No judge was asked" in printed.err and not printed.out


def test_judges_that_err_too_often_are_said_to_be_no_matter_of_labels(fitted):
    wrong = [pair_row(i, labels={"ann": "rejected"}) for i in range(160)]
    code, printed, told = fitted(wrong, "--error 0.05")
    assert (code, told) == (8, None)
    assert "more labels alone will not help" in printed.err


def test_pairs_by_construction_promise_nothing_elsewhere(fitted):
    _, _, told = fitted(map(pair_row, range(100)), "--constructed")
    assert told["fitted"]["labels_by"] == "construction"
    assert told["fitted"]["promise"].startswith("On constructed pairs; promises nothing elsewhere.")


def test_ties_are_left_out_or_count_as_wrong_answers(fitted):
    rows = [pair_row(i, labels={"ann": "both" if i % 10 == 0 else "chosen"}) for i in range(200)]
    _, _, told = fitted(rows)
    assert (told["fitted"]["tied"], told["fitted"]["prompts"]) == (20, 180)
    code, printed, _ = fitted(rows, "--ties wrong --error 0.05")
    assert code == 8, printed.err


class ByPosition(StagedEngine):
    """Prefers whatever is shown first, also by its reasons and votes."""

    def said(self, request):
        said = super().said(request)
        return "Because. Final verdict: [[A]]" if "Because" in said else said


def test_stages_that_never_hold_in_both_orders_are_said_to_answer_nothing(fitted):
    # the decision goes by position on these
    rows = map(pair_row, range(3, 323, 4))
    code, printed, told = fitted(rows, engine=ByPosition())
    assert (code, told) == (8, None)
    assert "no stage gives a verdict that holds in both orders on any of 80" in printed.err
    assert "the reasoning judge alone: answers 0.000, accuracy -," in printed.out


def test_a_judge_whose_reasons_never_end_is_named_before_most_of_them_and_all_votes_are_paid(
    fitted,
):
    engine = StagedEngine()  # three tokens hold no judgment with reasons
    code, printed, told = fitted(map(pair_row, range(160)), "--max-new-tokens 3", engine)
    assert (code, told) == (3, None)
    assert (
        "reasoning: no verdict of large could be read on any of the first 32 pairs that it was "
        "asked about. A reply of it is cut off by the token limit" in printed.err
    )
    assert "Raise max_new_tokens" in printed.err
    reasoned = [r for r in engine.requests if "Say why" in r.messages[-1].content]
    assert len(reasoned) == 2 * 32
    assert {r.sampling.temperature for r in reasoned} == {0}


def test_whose_labels_they_are_is_said_where_ties_count_as_wrong(fitted):
    rows = [pair_row(i, labels={"ann": "both" if i % 50 == 0 else "chosen"}) for i in range(200)]
    _, _, told = fitted(rows, "--ties wrong --error 0.2")
    assert "any answer is wrong unless most people prefer it" in told["fitted"]["promise"]
    _, _, told = fitted(rows, "--ties wrong --error 0.2 --constructed")
    assert "unless the other one is worse by construction" in told["fitted"]["promise"]


@pytest.mark.parametrize("out", ["there", "there/c.txt", "nowhere/c.json"])
def test_a_file_that_cannot_be_written_is_told_before_a_judge_is_asked(fitted, tmp_path, out):
    (tmp_path / "there").mkdir()
    code, printed, _ = fitted(map(pair_row, range(160)), f"--out {out}")
    assert code == 2
    assert f"--out: found {out}; expected a file that ends in .json, in a folder" in printed.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("c.yaml --votes 0", "c.yaml: it says by itself which judges there are; found --votes"),
        ("m --reasoning-format brief", "m: no --reasoning is given; found --reasoning-format"),
        ("m --max-new-tokens 9", "m: no --reasoning is given; found --max-new-tokens"),
        ("m --reasoning n --votes 1", "votes: one sample is no vote; expected 0 for none, or at"),
        ("runs/a --format verdict", "runs/a: a run says by itself how its judge is asked; found"),
        (
            "m --engine decisions --base-url http://h:1/v1 --reasoning n",
            "reasoning: n in format criteria-",
        ),
    ],
)
def test_options_without_an_effect_are_refused(tmp_path, monkeypatch, capsys, command, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ste_plugin.cli.stopping.leave_interrupts", lambda: None)
    (tmp_path / "c.yaml").write_text("decision: {judge: m}\n")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "run.yaml").touch()
    labels = write_pairs(tmp_path / "people.jsonl", map(pair_row, range(160)))
    argv = f"ste cascade fit {command} --labels {labels}".split()
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_judge_behind_the_decisions_endpoint_decides_in_its_own_format(tmp_path):
    from ste_plugin.cli.cascades import _settings

    of_model = {"engine": "decisions", "base_url": "http://h:1/v1", "options": None}
    told = _settings(tmp_path / "m", of_model, dict.fromkeys(OF_JUDGES))
    assert told.decision.format == "decision"


def test_a_hub_judge_decides_in_the_format_of_the_revision_that_is_asked(tmp_path, monkeypatch):
    from ste_plugin.cli.cascades import _settings

    folders = downloaded(tmp_path, monkeypatch, "org/judge", main=None, v2=None)
    known, version = quality([1.0]), FORMATS["decision"].version
    write_calibration(folders["v2"], Calibration(1, 2.0, version, 80, 60, known, known))
    for revision, expected in (("main", "verdict"), ("v2", "decision")):
        of_model = {"engine": "local", "base_url": None, "options": {"revision": revision}}
        told = _settings(Path("org/judge"), of_model, dict.fromkeys(OF_JUDGES))
        assert told.decision.format == expected
