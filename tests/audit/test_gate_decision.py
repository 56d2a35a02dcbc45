"""Gates are decided together: what breaks one would be a surprise among as many as were tested."""

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.gate_decision import CHECK, P, Tested, decide, undecided

ps = st.dictionaries(st.integers(0, 2), st.floats(0, 1), max_size=2)
gates = st.lists(st.tuples(st.booleans(), ps), max_size=8)


def measured(is_beyond, against, words="so it is ({p})."):
    finding = Finding(CHECK, "a gate", "iteration 2", 0.9, (0.8, 1.0), 0.7, 40, False, words)
    return Tested(finding, is_beyond, against, "beyond: ")


@given(gates)
def test_only_what_is_beyond_breaks_and_never_with_more_than_one_chance_in_twenty(rows):
    found = list(decide([measured(*row) for row in rows]))
    smallest = min((p for _, against in rows for p in against.values()), default=1.0)
    number = sum(len(against) for _, against in rows)
    for (is_beyond, against), finding in zip(rows, found, strict=True):
        if finding.failed:
            assert is_beyond
            assert min(against.values()) < 0.05
            assert smallest * number < 0.05


@given(gates, st.floats(0, 1))
def test_one_more_gate_that_chance_explains_breaks_no_gate_that_was_kept(rows, p):
    before = [f.failed for f in decide([measured(*row) for row in rows])]
    after = [f.failed for f in decide([*(measured(*row) for row in rows), measured(False, {0: p})])]
    assert all(was or not now for was, now in zip(before, after, strict=False)) or p < 0.05


def test_its_words_say_how_likely_chance_is_and_among_how_many_tests():
    broken, kept = decide([measured(True, {0: 0.001, 1: 0.4}), measured(True, {0: 0.03})])
    assert (broken.failed, broken.words) == (
        True,
        "so it is (p = 0.003, corrected for 3 tests).",
    )
    assert (kept.failed, kept.words) == (
        False,
        "beyond: so it is (p = 0.06, corrected for 3 tests).",
    )


def test_what_cannot_be_computed_is_no_test():
    (gate, unknown) = decide([measured(True, {0: 0.03}), undecided("b", 1, 0.1, "no pairs.")])
    assert gate.failed
    assert not unknown.failed
    assert unknown.words == "undecided: no pairs."
    assert P not in gate.words
