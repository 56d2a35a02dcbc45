"""Pairs whose order is known by how the answers arose."""

from ste_plugin.engines.base import Completion
from ste_plugin.pairs.by_origin import BY_ORIGIN
from ste_plugin.pairs.strategies import read_pair
from ste_plugin.records import content_key
from tests.helpers.builders import instruction

KEY = content_key("i")
OWN = instruction(KEY, "Name a fruit.")


def made(name: str, *texts: str, reason: str = "stop"):
    replies = [Completion("k", text, reason, 1, 1) for text in texts]
    strategy = BY_ORIGIN[name]
    return read_pair(OWN, "An apple.", name, strategy, replies, {KEY: "An apple."}, [OWN], "weak")


def test_steps_are_listed_first_and_then_taken():
    strategy = BY_ORIGIN["decomposed-vs-oneshot"]
    (first,) = strategy.next_prompt(OWN, ["An apple."])
    (second,) = strategy.next_prompt(OWN, ["An apple.", "1. Think of a tree."])
    assert first.content.startswith("Name a fruit.")
    assert "An apple." not in first.content + second.content
    assert "1. Think of a tree." in second.content
    assert strategy.next_prompt(OWN, ["An apple.", "1. Think", "A pear."]) is None


def test_an_answer_in_steps_is_better_than_the_usual_one():
    pair = made("decomposed-vs-oneshot", "1. Think of a tree.", " A pear, from a tree. ")
    assert (pair.better, pair.worse) == ("A pear, from a tree.", "An apple.")
    assert pair.worse_by == ""


def test_the_generator_s_answer_is_better_than_the_weaker_model_s_which_is_named():
    pair = made("stronger-vs-weaker", "A spade.")
    assert (pair.better, pair.worse, pair.worse_by) == ("An apple.", "A spade.", "weak")


def test_a_reply_that_was_cut_off_makes_no_pair():
    found = made("decomposed-vs-oneshot", "1. Think", reason="length")
    assert found.reason == "decomposed-vs-oneshot: reply cut off by the token limit"


def test_answers_that_are_equal_make_no_pair():
    assert made("stronger-vs-weaker", "An  apple.").reason.endswith("both answers are equal")
