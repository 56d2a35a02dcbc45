"""The study's rows: what counts as a gain, and what a table says of it."""

from pathlib import Path

import pytest

from study.arms import ARMS, BASE, merged
from study.inputs import draw_instructions, read, write
from study.results import add, cells, is_done, read_results
from study.run_arm import Trial
from tests.helpers.study_rows import row


def test_a_gain_counts_where_the_corrected_test_and_the_interval_say_so() -> None:
    found = cells([row(), row(set="two", p=0.03), row(set="three", p=0.03)])
    assert [cell.better for cell in found.values()] == [1, 0, 0]  # 0.03 of three tests is none
    unsure = cells([row(interval=(-0.1, 0.7))])
    assert next(iter(unsure.values())).better == 0


def test_a_loss_is_counted_apart_and_means_are_over_random_seeds() -> None:
    lost = row(seed=1, right=0.1, gain=-0.2, interval=(-0.3, -0.1), seed_right=0.3)
    (cell,) = cells([row(), lost]).values()
    assert (cell.better, cell.worse, cell.seeds) == (1, 1, 2)
    assert cell.right == pytest.approx(0.2)


def test_a_trial_is_done_where_every_round_has_a_row_on_every_set_that_is_asked_for(
    tmp_path: Path,
) -> None:
    path, trial = tmp_path / "results.jsonl", Trial("base", "small", 0)
    add([row(), row(set="two")], path)
    add([row(right=0.9)], path)  # measured again: the first row stays
    rows = read_results(path)
    assert [(r["set"], r["right"]) for r in rows] == [("one", 0.3), ("two", 0.3)]
    assert is_done(trial, rows, 1, ["one", "two"])
    assert not is_done(trial, rows, 2, ["one"])
    assert not is_done(trial, rows, 1, ["one", "three"])
    assert not is_done(Trial("base", "small", 1), rows, 1, ["one"])


def test_an_arm_changes_what_it_names_and_nothing_else() -> None:
    for name, arm in ARMS.items():
        changed = merged(BASE, arm.config)
        assert changed.keys() == BASE.keys(), name
        assert merged(changed, BASE) | {} == merged(merged(BASE, arm.config), BASE)
    shorter = merged(BASE, ARMS["one-style"].config)
    assert shorter["pairs"]["strategies"] == BASE["pairs"]["strategies"]
    assert shorter["pairs"]["max_new_tokens"] == 64


def test_instructions_are_drawn_alike_for_one_seed_and_otherwise_for_another(
    tmp_path: Path,
) -> None:
    for name in ("oasst_en", "self_instruct_seed", "mbpp", "gsm8k_train"):
        rows = [{"id": f"{name}-{n}", "instruction": f"Count to {n}."} for n in range(30)]
        write(tmp_path / "instructions" / f"{name}.jsonl", rows)
    drawn = []
    for n, seed in enumerate((0, 0, 1)):
        draw_instructions(tmp_path, 40, seed, tmp_path / f"{n}.jsonl")
        drawn.append(read(tmp_path / f"{n}.jsonl"))
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(d) for d in drawn] == [40, 40, 40]


def test_a_text_with_a_line_separator_of_unicode_s_is_one_row(tmp_path: Path) -> None:
    line = '{"instruction": "one\u2028two\x85three"}\n'
    (tmp_path / "rows.jsonl").write_text(line + line, encoding="utf-8")
    assert read(tmp_path / "rows.jsonl") == [{"instruction": "one\u2028two\x85three"}] * 2
