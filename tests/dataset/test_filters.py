"""Which judgments become training rows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.dataset.filters import (
    arrange,
    balance_letters,
    drop_reason,
    drop_single_orders,
    drop_too_long,
)
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import ORDERS
from tests.helpers.builders import judgment, kept, one_example, pair

FORM = FORMATS["brief"]
VERDICTS = st.sampled_from(["A", "B", None])
SAMPLED = st.dictionaries(
    st.tuples(st.integers(0, 8), st.sampled_from(ORDERS), st.integers(0, 3)), VERDICTS, max_size=40
)


def examples_of(sampled):
    pairs = [pair(key=f"p{n}") for n in range(9)]
    judgments = [
        judgment(f"p{n}", order, verdict, index) for (n, order, index), verdict in sampled.items()
    ]
    return kept(pairs, judgments, FORM, lambda *_: None)


@given(SAMPLED)
def test_only_correct_judgments_are_kept_one_a_pair_and_order(sampled):
    examples = examples_of(sampled)
    assert all(e.correct.verdict == e.gold for e in examples)
    assert max(Counter(e.key for e in examples).values(), default=1) == 1


@given(SAMPLED)
def test_balanced_examples_have_as_many_a_as_b_and_nothing_is_lost_uncounted(sampled):
    examples = examples_of(sampled)
    kept, drops = balance_letters(examples)
    letters = Counter(e.gold for e in kept)
    assert letters["A"] == letters["B"]
    assert len(kept) + len(drops) == len(examples)


@given(SAMPLED)
def test_balancing_never_splits_a_pair_that_was_right_in_both_orders(sampled):
    examples = examples_of(sampled)
    both, _ = drop_single_orders(examples)
    kept, _ = balance_letters(examples)
    assert {e.key for e in both} <= {e.key for e in kept}


def test_of_several_correct_samples_the_first_is_kept():
    sampled = [
        judgment(verdict="B", sample_index=0),
        judgment(sample_index=2),
        judgment(sample_index=1),
    ]
    (example,) = kept([pair()], sampled, FORM)
    assert (example.correct.sample_index, example.wrong.sample_index) == (1, 0)


def test_a_judgment_that_copies_an_answer_is_dropped():
    long = "An apple is a fruit. " * 12
    found = drop_reason(judgment(text=f"{long} [[A]]"), pair(better=long))
    assert found == "copies a whole answer"


def test_both_orders_of_a_pair_stand_side_by_side_in_a_drawn_order():
    sampled = {(n, order, 0): order for n in range(9) for order in ORDERS}
    examples = examples_of(sampled)
    one, other = arrange(examples, 1), arrange(examples, 2)
    assert [e.pair.key for e in one[0::2]] == [e.pair.key for e in one[1::2]]
    assert one != other
    assert sorted(e.key for e in one) == sorted(e.key for e in other)


def test_rows_beyond_the_sequence_length_and_special_tokens_are_dropped_and_counted():
    example = one_example()
    kept, drops = drop_too_long([example] * 3, [9, None, 8], 8)
    assert kept == [example]
    assert [d.reason for d in drops] == [
        "longer than sequence_len 8",
        "holds a special token of the judge's tokenizer",
    ]
