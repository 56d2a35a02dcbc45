"""Cards and reports say where pairs came from, whose labels they have, and what was constructed."""

import json
from pathlib import Path

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.report.making_sections import making_sections
from ste_plugin.report.parts import Paragraph, Table
from ste_plugin.report.read_run import read_run
from tests.helpers.judged_runs import labelled
from tests.helpers.published_runs import finished_run, publish

HELD_OUT = {"dev_fraction": 0.4, "test_fraction": 0.2}
LETTER = {"format": "verdict", "sampling": "constructed", "max_new_tokens": 256}


def made_from(folder: Path, tiny_model: Path, *, strategies: list[str], **more) -> Path:
    """A finished run that was given 40 labelled pairs."""
    folder.mkdir()
    labelled(folder / "mine.jsonl")
    pairs = {"given": "mine.jsonl", "strategies": strategies}
    more |= {} if strategies else {"instructions": []}
    return finished_run(folder, tiny_model, 0.97, pairs=pairs, dataset=HELD_OUT, **more)


@pytest.fixture(scope="module")
def given(tmp_path_factory, tiny_model):
    """A run of given pairs alone, whose judgments were constructed."""
    root = tmp_path_factory.mktemp("given") / "r"
    return made_from(root, tiny_model, strategies=[], judging=LETTER)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, tiny_model):
    root = tmp_path_factory.mktemp("mixed") / "r"
    return made_from(root, tiny_model, strategies=["other-instruction"])


def cards(run: Path, out: Path, *options: object) -> tuple[str, str]:
    publish(run, out, "--what", "model,data", "--iteration", 1, "--although-failed", *options)
    return tuple((out / name / "README.md").read_text() for name in ("model", "data"))


def told(run: Path, anchor: str) -> str:
    parts = next(s for s in making_sections(read_run(run)) if s.anchor == anchor).parts
    rows = [str(row) for part in parts if isinstance(part, Table) for row in part.rows]
    return "\n".join([*(p.text for p in parts if isinstance(p, Paragraph)), *rows])


def by_split(run: Path) -> str:
    counts = json.loads((run / "pool/done.json").read_text())["pairs"]
    return ", ".join(f"{n} {split}" for split, n in counts.items())


def test_cards_of_a_judge_of_given_pairs_say_whose_labels_it_learnt(given, tmp_path):
    for card in cards(given, tmp_path / "out"):
        assert f"40 labelled pairs of mine.jsonl ({by_split(given)})" in card
        for false in ("unlabelled", "No person labelled", "measured on no benchmark"):
            assert false not in card, false
        assert "| answers written by | nobody: all pairs were given with their labels |" in card
        assert (
            "given ones are so by their labels, and nobody has looked at them in this run" in card
        )
    model, data = cards(given, tmp_path / "again")
    assert "of a given pair its label says which answer is better" in model.lower()
    assert "are so by their labels, of which the run does not know whose they are." in data


def test_cards_and_report_say_that_what_was_learnt_was_constructed(given, tmp_path):
    for card in cards(given, tmp_path / "out"):
        assert "what is learnt was constructed, not sampled" in card
        assert "own judgments of them were sampled" not in card
        assert "Judgments that were learnt were constructed in iteration 1" in card
    assert "Judgments that were learnt were constructed in iteration 1" in told(given, "data")
    assert "'1, as the judgments that are learnt were constructed'" in told(given, "settings")


def test_the_report_says_which_pairs_were_given(given, mixed):
    labels = f"there are 40 labelled pairs of mine.jsonl ({by_split(given)})"
    assert f"No pair was made: {labels}" in told(given, "data")
    settings = told(given, "settings")
    assert "['writes the answers', 'nobody: all pairs were given with their labels']" in settings
    assert f"['given', '40 labelled pairs of mine.jsonl ({by_split(given)})']" in settings
    assert "worse answers by" not in settings
    assert "answers to them, and 40 labelled pairs of mine.jsonl" in told(mixed, "data")


def test_cards_tell_given_pairs_from_made_ones(mixed, tmp_path):
    model, data = cards(mixed, tmp_path / "out")
    for card in (model, data):
        assert "from unlabelled instructions" in card
        assert "40 labelled pairs of mine.jsonl (" in card
        assert "No person labelled" not in card
        assert "judge's own judgments of them were sampled" in card
    assert "and others by the way they were made" not in data
    assert "in made ones by the way in which the pairs were made." in data


def test_given_files_have_licences_which_are_unknown_unless_they_are_said(given, mixed, tmp_path):
    unsaid = "- The licence of the source mine.jsonl."
    for card in cards(given, tmp_path / "unsaid"):
        assert "| mine.jsonl | labelled pairs | unknown |" in card
        assert unsaid in card
    licence = ("--source-license", "mine.jsonl=cc-by-4.0")
    for card in cards(mixed, tmp_path / "said", *licence):
        assert "| mine.jsonl | labelled pairs | cc-by-4.0 |" in card
        assert unsaid not in card
        assert "| instructions.jsonl | jsonl | unknown |" in card
    with pytest.raises(ConfigError, match=r"The run's sources are: instructions\.jsonl, mine"):
        cards(mixed, tmp_path / "other", "--source-license", "yours.jsonl=cc0-1.0")
