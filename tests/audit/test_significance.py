"""What chance alone makes of figures."""

import pytest

from ste_plugin.audit.significance import binomial_tail


def test_a_binomial_tail_is_one_for_no_hits_and_all_of_them_for_every_one():
    assert binomial_tail(0, 9, 0.3) == pytest.approx(1)
    assert binomial_tail(9, 9, 0.3) == pytest.approx(0.3**9)
