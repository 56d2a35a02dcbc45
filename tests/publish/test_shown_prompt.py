"""Cards of judges whose format shows columns, or has a rubric by category, and of other letters."""

import shlex

import pytest

from ste_plugin.judging.builtin import FORMATS
from ste_plugin.publish.cards import shown_prompt
from tests.helpers.published_runs import finished_run, publish

HOUSE = """
name: house
columns: [reference]
turns:
  - {role: system, template: "What counts: {{ rubric }} Right is: {{ reference }}"}
  - template: |
      [Instruction]
      {{ instruction }}

      [Answer A]
      {{ answer_a }}

      [Answer B]
      {{ answer_b }}
verdict: {marks: "[[{letter}]]"}
closing: "[["
after_letter: "]]"
max_new_tokens: 256
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory, tiny_model):
    """What is published of a run of such a format, without test pairs."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "house.yaml").write_text(HOUSE)
    rubric = {"default": "Be right.", "code": "It runs."}
    run = finished_run(
        folder,
        tiny_model,
        0.97,
        judging={"format": "house.yaml", "rubric": rubric, "samples": 4},
        instructions=[{"path": "instructions.jsonl", "columns": {"reference": "instruction"}}],
        dataset={"dev_fraction": 0.4, "test_fraction": 0},
    )
    publish(run, folder / "out", "--what", "model,data", "--iteration", 1, "--although-failed")
    return folder / "out"


def test_a_card_shows_where_columns_and_the_rubric_of_a_category_go(out):
    card = (out / "model/README.md").read_text()
    shown = "What counts: {the rubric of the row's category} Right is: {the column reference}"
    assert shown in card
    assert "## The prompt" in card and "exact prompt" not in card
    assert "The rubric in it is that of the row's `category`" in card
    assert "It also shows of each row the column `reference`, which has to be in the data." in card


def test_the_command_on_a_card_gives_what_the_format_shows(out):
    lines = (out / "model/README.md").read_text().splitlines()
    (command,) = [line for line in lines if line.startswith("$ ste judge")]
    words = shlex.split(command)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--column"]
    assert given == ["reference=TEXT", "category=default"]


def test_a_data_card_measures_only_on_pairs_that_are_there(out):
    assert not (out / "data/pairs/test.jsonl").exists()
    assert "test.jsonl" not in (out / "data/README.md").read_text()


def test_a_rubric_by_category_is_shown_by_what_stands_for_it_in_a_format_of_the_packages_own():
    own = FORMATS["brief"].with_criteria({"code": "It runs.", "default": "Be right."})
    (turn,) = shown_prompt(own)
    assert "{the rubric of the row's category}" in turn.content
    assert "It runs." not in turn.content
