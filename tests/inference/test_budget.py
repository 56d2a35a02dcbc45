"""What is left of a run's tokens and minutes."""

import pytest

from ste_plugin.inference.budget import Budget


@pytest.mark.parametrize("limits", [{}, {"tokens": 9}, {"minutes": 9}])
def test_a_budget_that_lasts_gives_each_item_once(limits):
    budget = Budget(**limits)
    assert list(budget.limit(["a", "b"])) == ["a", "b"]
    assert not budget.stopped
