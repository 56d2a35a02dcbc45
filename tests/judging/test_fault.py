"""Whether reasons name the fault that is known to be in the worse answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ste_plugin.judging.fault import names_fault
from tests.helpers.builders import pair

EGGS = replace(pair(), fault="36 + 5 = 41", correction="36 - 5 = 31")


@pytest.mark.parametrize(
    ("reasons", "named"),
    [
        ("Answer B says that 41 eggs are left.", True),
        ("It should be 31.", True),
        ("Answer B adds where 36 and 5 are to be subtracted.", False),
        ("Answer A is clearer and more polite.", False),
        ("In 1941 there were 310.", False),
        ("", False),
    ],
)
def test_a_fault_is_named_by_its_words_or_by_what_should_stand_there(reasons, named):
    assert names_fault(EGGS, reasons) == named


def test_of_many_words_half_are_enough():
    long = replace(pair(), fault="trees make more green dye", correction="they stop")
    assert names_fault(long, "Trees do not make more dye.")
    assert not names_fault(long, "Why trees?")


@pytest.mark.parametrize(
    ("fault", "correction", "reasons", "named"),
    [
        ("上海", "北京", "答案B说首都是上海，这是错的。", True),
        ("上海市", "北京市", "应为北京。", True),
        ("上海", "北京", "答案A更清楚，以上的海岸线也对。", False),
        ("三", "四", "B说有三个。", True),
        ("三", "四", "B说有五个。", False),
        ("用Java", "用Python", "B用了Java。", True),
    ],
)
def test_in_a_script_without_spaces_a_fault_is_named_by_characters_in_a_row(
    fault, correction, reasons, named
):
    assert names_fault(replace(pair(), fault=fault, correction=correction), reasons) == named


@given(reasons=st.text())
def test_a_pair_without_a_known_fault_has_none_to_be_named(reasons):
    assert not names_fault(pair(), reasons)
