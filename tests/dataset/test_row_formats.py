"""What the rows of each format hold."""

from ste_plugin.dataset.row_formats import dpo_rows, grpo_rows, held_out_rows, kto_rows, sft_rows
from ste_plugin.judging.builtin import FORMATS
from tests.helpers.builders import judgment, kept, one_example, pair

FORM = FORMATS["brief"]


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
