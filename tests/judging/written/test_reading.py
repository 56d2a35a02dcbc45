"""What a format's file says of its verdicts, held against replies of every shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.judging import TIE
from ste_plugin.judging.written import format_of
from ste_plugin.judging.written.load import parse_format
from tests.helpers.documented_formats import REPLIES, SHOWN

TURNS = [{"template": "{{ instruction }}\n{{ answer_a }}\n{{ answer_b }}"}]
ANY_TEXT = st.text(max_size=60) | st.text(alphabet='[]{}":AB12.,>=< \n', max_size=60)


def made(**more):
    return format_of(parse_format({"name": "own", "turns": TURNS} | more, "own.yaml"), "own.yaml")


def shown(name):
    import yaml

    return format_of(parse_format(yaml.safe_load(SHOWN[name]), name), name)


@pytest.mark.parametrize(
    ("verdict", "said", "read"),
    [
        ({"marks": "<v>{letter}</v>"}, "so <v>B</v>", "B"),
        ({"marks": "<v>{letter}</v>"}, "<v>A</v> or <v>B</v>", None),
        ({"marks": "<v>{letter}</v>", "take": "last"}, "<v>A</v> or <v>B</v>", "B"),
        ({"marks": "<v>{letter}</v>", "take": "first"}, "<v>A</v> or <v>B</v>", "A"),
        ({"marks": "<v>{letter}</v>"}, "<think><v>A</v></think>hm", None),
        ({"marks": "Winner: {letter}"}, "Winner: Adam", None),
        ({"marks": "Winner: {letter}"}, "Winner: B.", "B"),
        ({"pattern": r"(?i)best is (?P<letter>\w+)"}, "The best is b", "B"),
        ({"pattern": r"(?i)best is (?P<letter>\w+)"}, "The best is c", None),
        ({"pattern": r"(?P<first>\S+)/(?P<second>\S+)"}, "3/3.0", TIE),
        ({"pattern": r"(?P<first>\S+)/(?P<second>\S+)"}, "10/9", "A"),
        ({"pattern": r"(?P<first>\S+)/(?P<second>\S+)"}, "nan/9", None),
        ({"pattern": r"(?P<first>\S+)/(?P<second>\S+)"}, f"{'9' * 400}/1", None),
        ({"json": {"letter": "a.b.1"}}, '{"a": {"b": [0, "B"]}}', "B"),
        ({"json": {"letter": "w"}}, '{"w": "A", "w": "B"}', None),
        ({"json": {"letter": "w"}}, '{"w": "A"} {"w": "B"}', None),
        ({"json": {"letter": "w"}}, '{"w": true}', None),
        ({"json": {"letter": "w"}}, "[" * 5000 + '{"w": "A"', None),
        ({"json": {"letter": "w"}}, '{"x":' * 5000, None),
        ({"json": {"letter": "w"}}, 'I say {this}: {"w": " A "}', "A"),
        ({"json": {"first": "s.0", "second": "s.1"}}, '{"s": [2, "7.5"]}', "B"),
        ({"json": {"first": "s.0", "second": "s.1"}}, '{"s": [2]}', None),
    ],
)
def test_a_verdict_is_read_as_its_kind_says(verdict, said, read):
    assert made(verdict=verdict).parse(said) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Winner: A", "A"),
        ("Winner: A.", "A"),
        ("**Winner: A**", "A"),
        ("Winner: A, as it is right.", "A"),
        ("Winner: A (it is right)", "A"),
        ("Winner: A\nbecause it is right", "A"),
        ("Winner: A tie, as both are right.", None),
        ("Winner: A  tie", None),
        ("Winner: A and B are equally good", None),
        ("Winner: A/B", None),
        ("Winner: A / B", None),
        ("Winner: A, B", None),
        ("Winner: A & B", None),
        ("Winner: A because it is right", None),
    ],
)
def test_a_letter_that_nothing_closes_is_no_word_of_a_sentence_and_no_one_of_two(said, read):
    assert made(verdict={"marks": "Winner: {letter}"}).parse(said) == read


def test_a_word_for_both_answers_is_read_whole_where_nothing_closes_it():
    own = made(verdict={"marks": "Winner: {letter}"}, tie="A tie")
    assert own.parse("Winner: A tie.") == TIE
    assert own.parse("Winner: A tie, or rather none") == TIE
    assert own.parse("Winner: A tie of two") is None


@pytest.mark.parametrize("step", ["A>>B", "A>B", "A=B", "B>A", "B>>A"])
def test_a_step_of_a_scale_is_for_the_answer_that_it_leans_to(step):
    expected = TIE if "=" in step else step[0]
    assert shown("scale").parse(f"[[{step}]]") == expected


def test_letters_that_differ_by_case_alone_are_two():
    parse = made(letters=["m", "M"], verdict={"json": {"letter": "w"}}).parse
    assert [parse(f'{{"w": "{letter}"}}') for letter in "mM"] == ["A", "B"]


def test_marks_of_thoughts_that_no_family_writes_are_the_formats_own():
    own = made(verdict={"marks": "[{letter}]"}, thinking={"open": "(((", "close": ")))"})
    assert own.parse("(((It is [A].)))It is [B].") == "B"


@pytest.mark.parametrize("name", REPLIES)
@given(text=ANY_TEXT)
def test_any_reply_is_read_as_a_verdict_or_as_none(name, text):
    judge_format = shown(name)
    assert judge_format.parse(text) in ("A", "B", TIE, None)
    for choice, meant in judge_format.choices.items():
        prefix = judge_format.forced_prefix("It is better.")
        assert judge_format.parse(judge_format.forced_text(prefix, choice)) == meant


@pytest.mark.parametrize("name", REPLIES)
@given(text=ANY_TEXT)
def test_no_answer_can_hold_a_label_of_the_prompt_or_a_verdict(name, text):
    judge_format = shown(name).for_row({"final_answer": "x"})
    label = judge_format.render("i", "ANSWER", "b")[-1].content.partition("ANSWER")[0]
    label = label.rstrip().rpartition("\n")[2]
    closed = [judge_format.forced_text(judge_format.closing, c) for c in judge_format.choices]

    def count(answer, mark):
        prompt = judge_format.render("i", answer, "b")[-1].content
        return prompt.count(mark)

    for mark in (label, *closed):
        assert count(f"{text}\n{mark}\n", mark) == count("plain", mark)


def test_an_expression_that_would_backtrack_for_ever_elsewhere_is_read_at_once():
    nested = made(verdict={"pattern": r"(?P<letter>A|(?:a+)+B)$"})
    assert nested.parse("a" * 50_000 + "!") is None
