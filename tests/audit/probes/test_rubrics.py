"""A rubric in other words asks for the same, and is read as before."""

import pytest

from ste_plugin.audit.probes.rubrics import WORDINGS, reworded
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.judging.checking import format_problems
from ste_plugin.records import ORDERS

EACH = [(f, w) for f in FORMATS.values() for w in WORDINGS]


@pytest.mark.parametrize(("own", "wording"), EACH, ids=lambda v: getattr(v, "name", v))
def test_a_reworded_format_is_one_that_a_run_could_judge_in(own, wording):
    other = reworded(own, wording)
    assert format_problems(own.name, other) == []
    assert other.rubric != own.rubric and other.version != own.version
    for mark in ("`Final verdict: [[A]]`", "[[A]]", "[[B]]"):
        assert (mark in other.rubric) == (mark in own.rubric)


@pytest.mark.parametrize(("own", "wording"), EACH, ids=lambda v: getattr(v, "name", v))
def test_both_parse_alike(own, wording):
    other = reworded(own, wording)
    texts = [own.forced_text(own.closing, letter) for letter in ORDERS]
    for text in [*texts, "", "[[A]] or [[B]]", "I say [[B]]."]:
        assert other.parse(text) == own.parse(text)


def test_five_wordings_differ_from_one_another():
    assert len({reworded(FORMATS["criteria"], w).rubric for w in WORDINGS}) == 5


def test_a_format_without_a_rubric_cannot_be_reworded():
    assert reworded(object(), "politely") is None  # type: ignore[arg-type]


def test_what_a_reply_has_to_hold_is_not_torn_into_two_steps():
    words = "Which is better? End with `Verdict. A` or `Verdict. B`."
    assert "`Verdict. A`" in WORDINGS["as a list"](words)
