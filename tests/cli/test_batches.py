"""`ste requests export`, `ste completions import` and `--part`, as they are typed and read."""

import json

import pytest

from ste_plugin.cli.entry_point import main
from tests.helpers.batch_farm import answered_in_parts
from tests.helpers.said_runs import config_in, says


@pytest.fixture
def typed(tiny_model, tmp_path, monkeypatch, capsys):
    """A function that types a command beside a run's config, and returns what it says."""
    config_in(tmp_path, tiny_model)
    monkeypatch.chdir(tmp_path)

    def run(command: str, code: int = 0) -> str:
        words = ["ste", *command.split(), "--plugin", "hooks.py"]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
        return capsys.readouterr().out

    return run


def test_a_wave_is_written_answered_and_taken_back(typed, tmp_path):
    said = typed("requests export ste.yaml --to wave-1 --max-requests 30")
    assert "writing answers: 41 samples in 41 requests, in 2 files in wave-1." in said
    one, two, three = answered_in_parts(tmp_path / "wave-1", says)
    said = typed(f"completions import ste.yaml {one} {two}")
    assert "28 completions imported." in said
    assert "13 samples are still to be answered. Write them: ste requests export ste.yaml" in said
    found = json.loads(typed(f"completions import ste.yaml {three} --json"))
    assert (found["imported"], found["unanswered"]) == (13, [])
    assert found["stage"] == "writing worse answers (modified-instruction-two-calls)"


def test_lines_without_an_answer_are_named(typed, tmp_path):
    typed("requests export ste.yaml --to wave --openai --json")
    (answers,) = answered_in_parts(tmp_path / "wave", says, parts=1, fails=lambda _: True)
    said = typed(f"completions import ste.yaml {answers}", code=4)
    assert "0 completions imported.\n41 lines hold no answer, and are to be asked again:" in said
    assert f"{answers}:1: HTTP 500: out of memory" in said
    assert "  and 36 more (--json lists them)" in said
