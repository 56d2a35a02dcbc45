"""What a training by reward earned, and when there was nothing to learn from it."""

import pytest

from ste_plugin.axolotl.reward_figures import read_rewards, reward_problem

GOOD = {"first": 0.2, "last": 0.5, "alike": 0.4, "cut_off": 0.1}


def log(*lines: tuple[float, float, float]) -> list[dict]:
    """A trainer's log of (reward, share of prompts without a difference, share cut off)."""
    return [
        {"reward": r, "frac_reward_zero_std": alike, "completions/clipped_ratio": cut}
        for r, alike, cut in lines
    ]


def test_the_rewards_of_the_first_and_the_last_quarter_are_told():
    lines = log(*[(step / 10, 0.5, 0.25) for step in range(8)])
    found = read_rewards([{"loss": 1.0}, *lines, {"train_loss": 0.1}])
    assert found == pytest.approx({"first": 0.05, "last": 0.65, "alike": 0.5, "cut_off": 0.25})


def test_one_line_is_first_and_last():
    assert (
        read_rewards(log((0.3, 0.0, 0.0)))["first"] == 0.3 == read_rewards(log((0.3, 0, 0)))["last"]
    )


def test_a_training_by_no_reward_has_none_and_nothing_wrong_with_them():
    assert read_rewards([{"loss": 1.0}, {"reward": None}]) == {}
    assert reward_problem({}, masks_cut_off=True) == ""


def test_rewards_that_never_differ_teach_nothing():
    told = reward_problem(read_rewards(log(*[(0.0, 1.0, 0.5)] * 3)), masks_cut_off=True)
    assert "all earned the same (on average 0.00)" in told
    assert "training.recipe: [sft-lora-8b, grpo-lora-8b]" in told
    assert reward_problem(read_rewards(log((0, 1, 0.5), (0.1, 0.9, 0.5))), masks_cut_off=True) == ""


def test_judgments_that_are_all_cut_off_teach_nothing_where_those_are_left_out():
    cut = GOOD | {"cut_off": 1.0}
    assert "Raise trl.max_completion_length" in reward_problem(cut, masks_cut_off=True)
    assert reward_problem(cut, masks_cut_off=False) == ""
    assert reward_problem(GOOD, masks_cut_off=True) == ""
