"""Final answers are found where a reply states them, and compared by what they mean."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.text.final_answer import (
    find_final_answer,
    is_number,
    is_other,
    is_same,
    normal_answer,
    read_known_answer,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"First 3, then \boxed{12\text{ cm}}.", "12 cm"),
        (r"So \(\boxed{\frac{1}{2}}\), not \boxed{0.75}", "3/4"),
        ("48/2 = 24\n48 + 24 = 72\n#### 72", "72"),
        ("The answer is 5. It took 3 steps.", "5"),
        ("**Answer:** $1,200", "1200"),
        ("Answer:\n 42 clips", "42 clips"),
        ("Answer：42", "42"),
        ("答案：5 个", "5 个"),
        ("**最终答案**： 5 个\n希望对你有帮助", "5 个"),
        ("所以答案是5。因为 2 + 3 = 5。", "5"),
        ("答案为：\n**巴黎**", "巴 黎"),
        ("这个答案是否正确？答案为什么是它？\n#### 5", "5"),
        ("这个答案很清楚。\n2 + 3 = 5", "5"),
        ("Answer: 5\nNo, wait. Final answer: 6", "6"),
        ("Answer: Paris\n\nI hope this answer is helpful!", "paris"),
        ("答案：巴黎\n希望这个答案是有用的。", "巴 黎"),
        ("Total = 48 + 24 = 72", "72"),
        ("The answer to the whole question is 7 dollars.", "7 dollars"),
        ("Answer: (B).", "b"),
        ("Answer: Paris", "paris"),
        ("Answer: 10%", "10"),
        ("Answer: x = 0.50", "1/2"),
        ("#### Step 1: boxes\n2 x 3 = 6\n\n#### Step 2: cost\n6 x 12 = 72\n\nAnswer: 72", "72"),
        ("The answer is near.\n48 + 24 = 72\n#### 72", "72"),
        ("#### Answer: 72", "72"),
        ("Answer: \u22125", "-5"),
        ("\\boxed{\u22120.5}", "-1/2"),
        ("5 - 10 = \u22125", "-5"),
        ("In the end, 3 apples cost $6 in total.", "apples cost 6 in total"),
        (
            "There were many of them. They leave at last on June 5. Good luck!",
            "they leave at last on june 5",
        ),
        ("在这之后，小明一共还有6个苹果。", "在 这 之 后 小 明 一 共 还 有 6 个 苹 果"),
        ("1, 2 and 3", "1 2 and 3"),
        ("是巴黎。", "是 巴 黎"),
        ("It follows.\nYes.", "yes"),
    ],
)
def test_a_final_answer_is_found_where_it_is_announced_or_at_the_end(text, answer):
    assert find_final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Answer:",
        "Here is a long closing sentence without any figure in it.",
        "所以法国的首都是巴黎。",
        "There are 3 steps to this, and they are:",
        "So we find in the end that x = 1 or x = 2.",
        "In the end it is x = 2, y = 4.",
        "1. Boil it.\n2. Serve it with as much salt as you like.",
    ],
)
def test_a_reply_that_ends_in_mere_words_has_none(text):
    assert find_final_answer(text) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.50 dollars", "$1234.5 Dollars"),
        ("+5%", "5"),
        ("2/4", "0.5"),
        ("x = 3", "3"),
        (r"$\frac{3}{4}$", ".75"),
        ("(A)", "a."),
        ("New  York", "new york"),
        ("\u22121,234", "-1234"),
        ("6个", "6 个。"),
        ("5:00 PM", "5:00 pm."),
        ("H2O", "H₂O"),
        (r"\text{H}_{2}\text{O}", "H2O."),
        ("x^2", "x²"),
        ("$x^{10}$", "x¹⁰"),
        ("–5", "-5"),
        ("x ≤ 5", "x<=5"),
        (r"$x \geq 5$", "x ≥ 5"),
        (r"3\sqrt{2}", "3√2"),
        ("y = 2x + 3", "2x+3"),
        ("12", "12 (check: 12/4 = 3)."),
        ("f(x) = 12", "6 x 2 = 12"),
        ("Mr. Darcy", "Mr Darcy"),
        ("J.R.R. Tolkien", "J. R. R. Tolkien"),
        ("the U.S.", "the US"),
        ("no", "No. There is none."),
        ("Paris", "Paris!"),
        (r"1\frac{1}{2}", "1 1/2"),
    ],
)
def test_answers_that_mean_the_same_are_equal(one, other):
    assert normal_answer(one) == normal_answer(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("दिन", "दान"),
        ("ไม้", "ไม่"),
        ("7:30", "730"),
        ("1 or 2", "2"),
        ("x^2", "2"),
        ("-5", "5"),
        ("5/0", "5"),
        ("12", "1,2"),
    ],
)
def test_answers_that_mean_something_else_are_not(one, other):
    assert normal_answer(one) != normal_answer(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1 or x = 2", "x = 5 or x = 2"),
        ("x = 2, y = 4", "x = 3, y = 4"),
        ("x = 3, y = 4", "y = 3, x = 4"),
        ("2x = 6", "3x = 6"),
        ("5 = x", "7 = x"),
        ("St. Louis", "St. Paul"),
        ("Mr. Darcy", "Mr. Bingley"),
        ("Mrs. Bennet", "Mrs. Gardiner"),
        ("No. 5", "No. 7"),
        ("J. K. Rowling", "J. R. R. Tolkien"),
        ("E. coli", "E. faecalis"),
        ("U.S. Steel", "U.S. Airways"),
        ("x ≤ 5", "x ≥ 5"),
        ("x >= 5", "5"),
        ("x>5", "5"),
        ("x + 5", "5"),
        ("√2", "2"),
        (r"$\sqrt{2}$", "2"),
        ("sqrt(2)", "2"),
        ("$x^{2}$", "2"),
        ("a ≠ 0", "a = 0"),
        ("5!", "5"),
        ("C#", "C"),
        ("–5", "5"),
        ("3*4", "34"),
        ("2x = 6", "6"),
        ("So we find that x = 1 or x = 2", "2"),
    ],
)
def test_answers_that_differ_in_a_name_a_sign_or_one_of_two_values_are_not_the_same(one, other):
    assert not is_same(normal_answer(one), normal_answer(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1 or x = 2", "x = 2 or x = 1"),
        ("1.5 hours", r"$1\frac{1}{2}$ hours"),
        ("2", "√4"),
        ("120", "5!"),
        ("∞", "infinity"),
        ("12", "12 (check: 12/4 = 3)"),
        ("H2O", "H_2O"),
    ],
)
def test_answers_that_may_be_one_written_in_two_ways_are_no_others(one, other):
    assert not is_other(normal_answer(one), normal_answer(other))


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        ("x = -5 or x = 5", "x -5 or x 5"),
        ("It is x = 3, and then y = 4.", "it is x 3 and then y 4"),
        ("48 + 24 clips were sold in all. So there were 72.", "so there were 72"),
        ("48 + 24 = 72\n#### 72", "72"),
        ("The answer is 72.", "72"),
        ("St. Louis", "st louis"),
        ("", ""),
    ],
)
def test_a_known_answer_is_a_sentence_as_a_whole_or_found_as_in_a_reply(known, answer):
    assert read_known_answer(known) == answer


def test_a_unit_with_a_power_is_one():
    assert is_same("12", normal_answer("12 cm²"))


@pytest.mark.parametrize("told", ["B. Paris", "(B) Paris", "B) Paris", "b: Paris", "**B.** Paris"])
def test_a_letter_says_the_same_as_it_does_with_what_it_stands_for(told):
    assert is_same("b", normal_answer(told)) and is_other("a", normal_answer(told))
    assert not is_same("paris", normal_answer(told))


def test_a_word_of_one_letter_is_none_that_was_chosen():
    assert not is_same("a", normal_answer("A prime number"))


@given(number=st.integers() | st.decimals(-(10**9), 10**9, places=3))
def test_a_number_is_found_however_it_is_announced(number):
    written = f"{number:,f}" if not isinstance(number, int) else f"{number:,}"
    for form in ("#### {}", "Answer: {}", "The answer is {}.", r"\boxed{{{}}}", "So it is {}"):
        found = find_final_answer(form.format(written))
        assert is_same(found, str(Fraction(number)))


@pytest.mark.parametrize("text", ["9" * 5000, "1/" + "3" * 5000, "." + "1" * 5000])
def test_figures_without_end_are_no_number(text):
    assert not is_number(find_final_answer(f"Answer: {text}"))


@pytest.mark.parametrize(("answer", "expected"), [("-1/2", True), ("5/0", False), ("x 1", False)])
def test_a_number_is_what_has_a_value(answer, expected):
    assert is_number(answer) is expected


@given(text=st.text())
def test_any_text_has_a_final_answer_or_none(text):
    assert isinstance(find_final_answer(text), str)


_ANSWERS = st.one_of(
    st.fractions().map(str),
    st.lists(st.sampled_from(["a", "b", "paris", "the", "5/0", "5", "7:30", "pm", "巴"])).map(
        " ".join
    ),
    st.text().map(normal_answer),
)


@given(one=_ANSWERS, other=_ANSWERS)
def test_an_answeris_other_than_another_just_where_thatis_other_than_it(one, other):
    assert is_other(one, other) == is_other(other, one)
    assert not is_other(one, one)
    assert not is_other(one, "")


@given(one=_ANSWERS, other=_ANSWERS)
def test_answers_that_say_the_same_do_so_from_either_side_and_are_never_others(one, other):
    assert is_same(one, other) == is_same(other, one)
    assert is_same(one, one)
    assert not (is_same(one, other) and is_other(one, other))


@given(number=st.fractions(), words=st.lists(st.sampled_from(["apples", "red", "个"])))
def test_a_number_says_the_same_as_it_does_with_words_but_not_with_two_words_for_one(number, words):
    assert is_same(str(number), " ".join([str(number), *words]))
    assert not is_same(f"{number} hours", " ".join([str(number), *words, "minutes"]))


@given(one=_ANSWERS, more=_ANSWERS)
def test_an_answer_with_further_words_is_not_another(one, more):
    assert not is_other(one, f"{one} {more}".strip())


@given(number=st.fractions())
def test_a_number_is_no_other_than_the_same_in_percent(number):
    assert not is_other(str(number), str(100 * number))


@given(whole=st.integers(), more=st.integers(1))
def test_whole_numbers_are_others_unless_one_is_the_other_in_percent_thousands_or_millions(
    whole, more
):
    powers = {Fraction(10) ** power for power in (*range(-99, -1), *range(2, 100))}
    assert is_other(str(whole), str(whole + more)) == (
        not whole or Fraction(whole + more, whole) not in powers
    )


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("1/3", "0.33"),
        ("1/3", "33.3%"),
        ("10", "approximately 10.02"),
        ("-2/3", "-0.67"),
        ("1234567", "1.23 million"),
    ],
)
def test_a_number_that_may_be_the_other_one_rounded_is_no_other(exact, rounded):
    assert not is_other(normal_answer(exact), normal_answer(rounded))


@pytest.mark.parametrize(
    ("number", "other"),
    [("1/3", "0.3"), ("1/3", "-0.333"), ("1/3", "3.33"), ("300", "301"), ("0", "0.001")],
)
def test_numbers_that_no_rounding_makes_equal_are_others(number, other):
    assert is_other(normal_answer(number), normal_answer(other))
