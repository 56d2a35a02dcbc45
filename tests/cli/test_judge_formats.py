"""`ste formats`, and a judge tried on one pair in the words of a file."""

import json

import pytest

from ste_plugin.cli.entry_point import main
from ste_plugin.judge import judge as asked_judge
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.testing import FakeEngine
from tests.helpers.documented_formats import REPLIES, format_file
from tests.helpers.scripted_judge import picks_the_apple


def ran(monkeypatch, capsys, *arguments):
    """What the command prints, and its exit code."""
    monkeypatch.setattr("sys.argv", ["ste", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    return capsys.readouterr().out, done.value.code


def test_the_formats_are_listed_with_their_versions(monkeypatch, capsys):
    printed, _ = ran(monkeypatch, capsys, "formats", "list")
    assert [line.split() for line in printed.splitlines()] == [
        [name, judge_format.version, "builtin"] for name, judge_format in FORMATS.items()
    ]


def test_a_format_is_shown_as_it_asks(monkeypatch, capsys):
    printed, _ = ran(monkeypatch, capsys, "formats", "show", "brief")
    assert printed.startswith(f"{FORMATS['brief'].version}: ends with [[A]] or [[B]]; 160 tokens\n")
    assert FORMATS["brief"].rubric in printed


@pytest.mark.parametrize("name", REPLIES)
def test_a_check_shows_a_pair_in_both_orders_and_says_what_was_read(
    monkeypatch, capsys, tmp_path, name
):
    path = format_file(tmp_path, name)
    printed, code = ran(monkeypatch, capsys, "formats", "check", path)
    assert code == 0
    first, second = printed.split("--- the pair the other way round ---")
    assert first.index("An apple.") < first.index("A spade.")
    assert second.index("A spade.") < second.index("An apple.")
    assert "sample replies are read as they should be." in second
    assert ("warning: no verdict can be forced" in second) == (name == "scores")


def test_a_check_names_what_a_text_could_say_for_the_judge(monkeypatch, capsys, tmp_path):
    path = format_file(tmp_path, "letters")
    path.write_text(path.read_text().replace("{{ instruction }}", "{{ instruction | upper }}"))
    monkeypatch.setattr("sys.argv", ["ste", "formats", "check", str(path)])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert "letters.yaml: 2 problem(s) to fix:\n  render does not show 'Name a fruit.'" in told


@pytest.mark.parametrize(("name", "problems"), [("letters", 0), ("object", 2)])
def test_a_check_asks_a_models_tokenizer_whether_letters_are_tokens(
    monkeypatch, capsys, tmp_path, tiny_model, name, problems
):
    path = format_file(tmp_path, name)
    if problems:
        path.write_text(path.read_text().replace("[m, M]", "[first, second]"))
        path.write_text(path.read_text().split("examples:")[0])
    printed, code = ran(
        monkeypatch, capsys, "formats", "check", path, "--model", tiny_model, "--json"
    )
    assert len(json.loads(printed)["problems"]) == problems
    assert bool(code) == bool(problems)


@pytest.mark.parametrize("name", REPLIES)
def test_a_judge_is_tried_in_the_words_of_a_file(monkeypatch, capsys, tmp_path, name):
    def says(request):
        return REPLIES[name][picks_the_apple(request.messages[-1].content)]

    monkeypatch.setattr(asked_judge, "open_engine", lambda *_: FakeEngine(says))
    shown = ("--column", "final_answer=a, b") if name == "object" else ()
    printed, _ = ran(
        monkeypatch,
        capsys,
        *("judge", "m", "--format", format_file(tmp_path, name), *shown),
        *("--instruction", "Name a fruit.", "--a", "A spade.", "--b", "An apple."),
    )
    assert printed.endswith("better: b\n")
