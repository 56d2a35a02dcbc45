"""`ste calibrate` and `ste judge --calibration` as people run them."""

import json
import sys
from math import log

import pytest

from ste_plugin.cli.entry_point import main
from tests.helpers.cascades import StagedEngine, pair_row, use_engine, write_pairs

JUDGE = "m --format verdict --engine local"


@pytest.fixture
def ste(tmp_path, monkeypatch, capsys):
    """Run a command; return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ste_plugin.cli.stopping.leave_interrupts", lambda: None)
    use_engine(monkeypatch, StagedEngine())
    write_pairs(tmp_path / "people.jsonl", map(pair_row, range(0, 200, 2)))

    def run(command, *more):
        monkeypatch.setattr(sys, "argv", ["ste", *command.split(), *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr()

    return run


def asked(ste, more=""):
    row = pair_row(4)
    texts = ["--instruction", row["prompt"], "--a", row["chosen"], "--b", row["rejected"]]
    code, printed = ste(f"judge {JUDGE} --force-verdict --json {more}", *texts)
    return code, printed


def test_it_says_what_the_labels_tell_and_how_to_use_it(ste, tmp_path):
    code, printed = ste(f"calibrate {JUDGE} --labels people.jsonl")
    assert code == 0, printed.err
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert told["labels_by"] == "people"
    assert f"Temperature {told['temperature']:g}, by 200 judgments" in printed.out
    assert "ste judge JUDGE --calibration calibration.json" in printed.out


def test_probabilities_are_at_the_temperature_of_the_file_and_verdicts_are_the_same(ste, tmp_path):
    ste(f"calibrate {JUDGE} --labels people.jsonl")
    temperature = json.loads((tmp_path / "calibration.json").read_text())["temperature"]
    plain = json.loads(asked(ste)[1].out)
    found = json.loads(asked(ste, "--calibration calibration.json")[1].out)
    assert found["better"] == plain["better"]
    odds = [log(each["probability"] / (1 - each["probability"])) for each in (found, plain)]
    assert odds[0] == pytest.approx(odds[1] / temperature, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"judge": "other@main"}, "fitted for the judge other@main; found"),
        ({"judge_format": "verdict-0"}, "fitted for the format verdict-0; found verdict-"),
        ({"temperature": 0}, "not what a training or `ste calibrate` writes"),
        (None, "no such file"),
    ],
)
def test_a_file_for_another_judge_or_none_is_refused(ste, tmp_path, change, said):
    ste(f"calibrate {JUDGE} --labels people.jsonl")
    file = tmp_path / "calibration.json"
    if change is None:
        file.unlink()
    else:
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
    code, printed = asked(ste, "--calibration calibration.json")
    assert code in (2, 3)
    assert said in printed.err


def test_what_a_chat_template_is_given_makes_another_judge(ste):
    kwargs = "--chat-template-kwargs enable_thinking=false"
    assert ste(f"calibrate {JUDGE} --labels people.jsonl {kwargs}")[0] == 0
    assert asked(ste, f"--calibration calibration.json {kwargs}")[0] == 0
    code, printed = asked(ste, "--calibration calibration.json")
    assert code == 2 and "fitted for the judge m@main+" in printed.err


def test_a_cascade_is_told_to_have_a_threshold_instead(ste, tmp_path):
    (tmp_path / "c.yaml").write_text("decision: {judge: m, format: decision}\n")
    code, printed = ste("calibrate c.yaml --labels people.jsonl")
    assert code == 2 and "a cascade has a threshold of its own" in printed.err
