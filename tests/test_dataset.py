"""Which judgments become training rows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from builders import judgment, kept, pair
from ste_plugin.dataset.filters import (
    arrange,
    balance_letters,
    drop_reason,
    drop_single_orders,
    drop_too_long,
)
from ste_plugin.dataset.row_formats import dpo_rows, grpo_rows, held_out_rows, kto_rows, sft_rows
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.records import ORDERS

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


def one_example(**more):
    (example,) = kept([pair()], [judgment(**more)], FORM)
    return example


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


def test_training_targets_are_stripped():
    (row,) = sft_rows(one_example(text="  A is better. [[A]]\n\n"))
    assert row["messages"][-1] == {"role": "assistant", "content": "A is better. [[A]]"}


def test_a_training_prompt_is_the_prompt_that_was_judged():
    example = one_example()
    (turn,) = FORM.render_pair(
        example.pair.instruction, example.pair.better, example.pair.worse, "A"
    )
    assert sft_rows(example)[0]["messages"][0] == {"role": "user", "content": turn.content}


def test_a_preference_row_sets_a_correct_against_a_wrong_judgment_of_one_prompt():
    sampled = [judgment(text="one [[B]]", verdict="B"), judgment(text="two [[A]]", sample_index=1)]
    (example,) = kept([pair()], sampled, FORM)
    (row,) = dpo_rows(example)
    assert (row["chosen"]["content"], row["rejected"]["content"]) == ("two [[A]]", "one [[B]]")


def test_a_prompt_without_a_wrong_judgment_makes_no_preference_row():
    assert dpo_rows(one_example()) == []


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


def test_unpaired_rows_label_the_correct_judgment_true_and_the_wrong_one_false():
    sampled = [judgment(text="one [[B]]", verdict="B"), judgment(text="two [[A]]", sample_index=1)]
    (example,) = kept([pair()], sampled, FORM)
    found = {row["reply"]["content"]: row["label"] for row in kto_rows(example)}
    assert found == {"two [[A]]": True, "one [[B]]": False}


def test_a_prompt_for_reinforcement_says_which_letter_is_right_and_in_which_format():
    (row,) = grpo_rows(one_example())
    assert (row["better_is"], row["judge_format"]) == ("A", "brief")
    assert [turn["role"] for turn in row["prompt"]] == ["user"]


def test_every_row_names_the_instruction_and_pair_it_came_of():
    example = one_example()
    for rows in (sft_rows, kto_rows, grpo_rows):
        (row,) = rows(example)
        assert (row["instruction"], row["pair"]) == (pair().instruction_key, pair().key)


def test_held_out_prompts_show_a_pair_in_both_orders_with_the_words_before_the_letter():
    first, second = held_out_rows(pair(better="good", worse="bad"), FORM)
    assert (first["better_is"], second["better_is"]) == ("A", "B")
    assert first["messages"][0]["content"].index("good") < first["messages"][0]["content"].index(
        "bad"
    )
    assert first["opening"] == FORM.forced_prefix("")
