"""A misspelt optimizer or schedule is found before a training looks for it."""

import pytest

from ste_plugin.axolotl.trainer_names import trainer_name_problems


@pytest.mark.parametrize(
    ("key", "name", "meant"),
    [("optimizer", "adamw_torhc", "adamw_torch"), ("lr_scheduler", "cosinus", "cosine")],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest(key, name, meant):
    assert list(trainer_name_problems({key: name})) == [
        f"{key}: there is none called {name!r}; did you mean {meant!r}?"
    ]


def test_a_name_like_no_other_is_answered_with_all():
    (problem,) = trainer_name_problems({"lr_scheduler": "?"})
    assert "'one_cycle'" in problem
    assert "'warmup_stable_decay'" in problem


@pytest.mark.parametrize("name", ["adamw_8bit", "paged_adamw_8bit", "muon", "lion_8bit", "sgd"])
def test_names_of_the_trainer_and_of_axolotl_pass(name):
    assert not list(trainer_name_problems({"optimizer": name, "lr_scheduler": "rex"}))


@pytest.mark.parametrize("empty", [None, ["adamw_torch"]])
def test_what_is_no_name_is_axolotls_to_judge(empty):
    assert not list(trainer_name_problems({"optimizer": empty, "lr_scheduler": empty}))
