"""One fault is put into a good answer: in words of it, named, and nothing else changes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ste_plugin.engines.base import Completion
from ste_plugin.pairs.injected import INJECTED, put_fault
from ste_plugin.pairs.strategies import read_pair
from ste_plugin.records import Drop, content_key
from tests.helpers.builders import instruction

KEY = content_key("i")
GOOD = "Rome is the capital of Italy. It is on the Tiber; in Rome live 2.7 million people."
STRATEGY = INJECTED["inject-error"]
WORD = st.text(st.characters(categories=["L", "N"], max_codepoint=0x5FF), min_size=1)
UNSPACED = st.text("北京上海是中国的首都在", min_size=1)


def made(named: str):
    own, better = instruction(KEY), {KEY: GOOD}
    replies = [Completion("k", named, "stop", 1, 1)]
    return read_pair(own, GOOD, "inject-error", STRATEGY, replies, better, [own])


def test_the_generator_is_shown_its_good_answer_and_how_others_were_done():
    prompt = STRATEGY.next_prompt(instruction(), [GOOD])
    assert [turn.role for turn in prompt] == ["user", "assistant"] * 5 + ["user"]
    assert GOOD in prompt[-1].content
    assert STRATEGY.next_prompt(instruction(), [GOOD, "Rome -> Oslo"]) is None


def test_every_example_that_it_is_shown_is_one_that_can_be_put_in():
    turns = STRATEGY.next_prompt(instruction(), [GOOD])[:-1]
    for asked, named in zip(turns[::2], turns[1::2], strict=True):
        answer = asked.content.split("\n\nWhich")[0]
        assert not isinstance(put_fault(answer, named.content), str)


def test_the_named_words_are_replaced_wherever_they_are_and_go_with_the_pair():
    pair = made("Rome -> Oslo")
    assert pair.worse == GOOD.replace("Rome", "Oslo")
    assert (pair.better, pair.fault, pair.correction) == (GOOD, "Oslo", "Rome")


@pytest.mark.parametrize(
    "named",
    [
        '"the tiber" -> "the Po"',
        "on the\n  Tiber => on the Po\n\nThis is false, as it is the Tiber.",
        "Sure.\n\n`Tiber` → `Po`",
    ],
)
def test_quotes_spaces_case_and_what_is_said_around_do_not_matter(named):
    assert "Po; in Rome live 2.7 million people." in made(named).worse


@pytest.mark.parametrize(
    "named",
    [
        "Rome -> Oslo\nOslo is in Norway, so this is false.",
        "Rome ->\nOslo\n(false)",
        'Rome -> "Oslo".',
    ],
)
def test_what_is_said_below_the_wrong_words_is_no_part_of_them(named):
    assert made(named).worse == GOOD.replace("Rome", "Oslo")


def test_words_over_several_lines_stand_for_such():
    found = put_fault(
        "for n in m:\n    print(n)", "for n in m:\n    print(n) -> for n in k:\n    run(n)"
    )
    assert found.worse == "for n in k:\n    run(n)"


def test_an_arrow_may_be_among_the_words():
    code = "fn one() -> i32 { 1 }"
    found = put_fault(code, "one() -> i32 -> one() -> u8")
    assert found.worse == "fn one() -> u8 { 1 }"


NO_FAULT = "no fault named in words of the answer"
EXPLAINED = "the wrong words come with an explanation"
REWRITTEN = "answer rewritten rather than one fault put into it"


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("Rome is now Oslo.", NO_FAULT),
        ("-> Oslo", NO_FAULT),
        ("Rome ->", NO_FAULT),
        ("Milan -> Oslo", NO_FAULT),
        ("Rom -> Oslo", NO_FAULT),
        ("Rome -> Oslo -> Bern", NO_FAULT),
        ("rome ->  Rome", "answer unchanged"),
        ("Rome -> " + "many " * 20, REWRITTEN),
        (f"{GOOD} -> Oslo", REWRITTEN),
        ("Rome -> Oslo, which is in Norway now", REWRITTEN),
        ("Rome -> Oslo (false)", EXPLAINED),
        ("Rome -> Oslo. This is false", EXPLAINED),
        ("Rome -> Oslo; false", EXPLAINED),
    ],
)
def test_what_is_no_single_named_fault_makes_no_pair(named, reason):
    assert made(named) == Drop("pairs", KEY, f"inject-error: {reason}")


def test_in_a_script_without_spaces_words_are_found_within_a_sentence():
    found = put_fault("中国的首都是北京，不在Rome附近。", "北京 -> 上海")
    assert (found.worse, found.fault) == ("中国的首都是上海，不在Rome附近。", "上海")
    assert "Oslo附近" in put_fault("中国的首都是北京，不在Rome附近。", "Rome -> Oslo").worse
    assert put_fault("首都不在Rome附近。", "Rom -> Oslo") == NO_FAULT


def test_a_whole_answer_that_is_rewritten_without_spaces_is_no_fault():
    answer = "中国的首都是北京，位于华北平原的北部。"
    assert put_fault(answer, f"{answer} -> 法国的首都是巴黎，位于塞纳河畔。") == REWRITTEN
    assert put_fault(answer, "北京 -> 上海，而且它是世界上最大的城市之一") == REWRITTEN


@given(before=UNSPACED, right=UNSPACED, wrong=UNSPACED, after=UNSPACED)
def test_without_spaces_too_all_but_the_named_words_stays_as_it_is(before, right, wrong, after):
    answer = f"{before}{right}{after}"
    found = put_fault(answer, f"{right} -> {wrong}")
    if isinstance(found, str):
        assert right == wrong or (found == REWRITTEN and max(len(right), len(wrong)) > 5)
    else:
        assert found.worse == answer.replace(right, wrong)


def test_a_short_answer_may_change_altogether():
    assert put_fault("No.", "No -> Yes").worse == "Yes."


@given(before=st.lists(WORD, max_size=9), right=WORD, wrong=WORD, after=st.lists(WORD, max_size=9))
def test_all_but_the_named_word_stays_as_it_is(before, right, wrong, after):
    assume(right.casefold() != wrong.casefold())
    assume(all(w.casefold() != right.casefold() for w in before + after))
    answer = " ".join([*before, right, *after])
    found = put_fault(answer, f"{right} -> {wrong}")
    assume(not isinstance(found, str))
    assert found.worse == " ".join([*before, wrong, *after])
