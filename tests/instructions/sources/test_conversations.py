"""Conversations as instructions: up to the user's last turn, or up to each of them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ste_plugin.config import SourceConfig
from ste_plugin.errors import DataError
from ste_plugin.instructions.sources.forms import read_instructions_of
from ste_plugin.records import Instruction, content_key
from tests.helpers.source_files import read, written

CALL = {"tool_calls": [{"function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]}


def chat(*turns: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": said} for role, said in turns], **more}


OSLO = chat(
    ("user", "What is there in Oslo?"),
    ("assistant", "The Opera."),
    ("user", "What else?"),
    ("assistant", "A fjord."),
    id="c7",
)


def found(folder: Path, *rows: dict[str, Any], **settings: Any) -> list[Instruction]:
    written(folder, *rows)
    return read(folder, form="openai", **{"turns": "all", **settings})[0]


def said(instruction: Instruction) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in instruction.turns or ()]


def drops(folder: Path, *rows: dict[str, Any], **settings: Any) -> list[tuple[str, str]]:
    written(folder, *rows, chat(("user", "Fine?")))
    more = {"turns": "all", "on_bad_line": "skip", **settings}
    return [(d.key, d.reason) for d in read(folder, form="openai", **more)[1]]


def test_by_default_a_conversation_is_what_the_user_says_first(tmp_path: Path):
    (first,) = found(tmp_path, OSLO, turns="first")
    assert (first.text, said(first)) == ("What is there in Oslo?", [])


def test_last_is_the_conversation_up_to_the_last_turn_of_the_user(tmp_path: Path):
    (last,) = found(tmp_path, OSLO, turns="last")
    assert last.text == (
        "User: What is there in Oslo?\n\nAssistant: The Opera.\n\nUser: What else?"
    )
    assert said(last) == [
        ("user", "What is there in Oslo?"),
        ("assistant", "The Opera."),
        ("user", "What else?"),
    ]
    assert (last.last_turn, last.source) == ("What else?", "a.jsonl:1 (c7)")


def test_all_is_an_instruction_for_each_turn_of_the_user(tmp_path: Path):
    one, two = found(tmp_path, OSLO)
    assert (one.text, said(one), one.source) == ("What is there in Oslo?", [], "a.jsonl:1 (c7)")
    assert (two.last_turn, two.source) == ("What else?", "a.jsonl:1, turn 2 (c7)")


def test_a_first_turn_has_the_key_that_its_text_has_anywhere(tmp_path: Path):
    one, two = found(tmp_path, OSLO)
    (first,) = found(tmp_path, OSLO, turns="first")
    assert one.key == first.key == content_key("instruction", first.text)
    assert {one.conversation, two.conversation, first.conversation} == {first.key}


def test_what_came_before_is_part_of_the_key(tmp_path: Path):
    other = chat(("user", "What is there in Bonn?"), ("assistant", "A."), ("user", "What else?"))
    twice = found(tmp_path, OSLO, other, turns="last")
    assert len({instruction.key for instruction in twice}) == 2
    assert len({instruction.conversation for instruction in twice}) == 2


def test_turns_of_one_side_in_a_row_are_one(tmp_path: Path):
    row = chat(("user", "Hi."), ("user", "Why?"), ("assistant", "So."), ("user", "And?"))
    one, two = found(tmp_path, row)
    assert (one.text, said(two)[0]) == ("Hi.\n\nWhy?", ("user", "Hi.\n\nWhy?"))


def test_a_sharegpt_conversation_is_read_alike(tmp_path: Path):
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"from": names[t["role"]], "value": t["content"]} for t in OSLO["messages"]]
    written(tmp_path, {"conversations": turns, "id": "c7"})
    assert read(tmp_path, form="sharegpt", turns="all")[0] == found(tmp_path, OSLO)


SYSTEM = chat(("system", "Be curt."), *[(t["role"], t["content"]) for t in OSLO["messages"]])


def test_a_system_turn_is_the_first_of_the_turns(tmp_path: Path):
    one, two = found(tmp_path, SYSTEM)
    assert said(one) == [("system", "Be curt."), ("user", "What is there in Oslo?")]
    assert one.text == "System: Be curt.\n\nUser: What is there in Oslo?"
    assert said(two)[0] == ("system", "Be curt.")
    assert one.conversation == two.conversation


def test_what_is_below_one_first_turn_is_one_conversation_however_it_is_read(tmp_path: Path):
    curt = chat(("system", "Be curt."), ("developer", "In verse."), ("user", "What is in Oslo?"))
    bare = chat(("user", "What is in Oslo?"))
    read = [
        i
        for row in (curt, bare)
        for turns in ("first", "last")
        for i in found(tmp_path, row, turns=turns)
    ]
    assert read[0].text == "Be curt.\n\nIn verse.\n\nWhat is in Oslo?"
    assert read[0].key == content_key("instruction", read[0].text)
    assert {i.conversation for i in read} == {content_key("instruction", "What is in Oslo?")}
    (other,) = found(tmp_path, chat(("system", "Be curt."), ("user", "Why?")), turns="first")
    assert other.conversation == content_key("instruction", "Why?")


def test_a_system_turn_that_is_dropped_leaves_the_conversation_as_it_is_without(tmp_path: Path):
    assert [i.key for i in found(tmp_path, SYSTEM, system="drop")] == [
        i.key for i in found(tmp_path, OSLO)
    ]
    (first,) = found(tmp_path, SYSTEM, turns="first", system="drop")
    assert first.text == "What is there in Oslo?"


@pytest.mark.parametrize("turns", ["first", "last", "all"])
def test_a_system_turn_that_is_refused_is_a_counted_drop(tmp_path: Path, turns: str):
    found = drops(tmp_path, SYSTEM, turns=turns, system="refuse", on_bad_line="error")
    assert found == [("a.jsonl:1", "system turn")]


def test_one_that_asks_for_nothing_is_no_system_turn(tmp_path: Path):
    row = chat(("system", "You are a helpful assistant."), ("user", "Hi."))
    (only,) = found(tmp_path, row, system="refuse")
    assert only.text == "Hi."


TOOLS = {
    "messages": [
        {"role": "user", "content": "How warm is it?"},
        {"role": "assistant", "content": None, **CALL},
        {"role": "tool", "content": "12 C"},
        {"role": "assistant", "content": "12 degrees."},
        {"role": "user", "content": "And in kelvin?"},
    ]
}


def test_from_a_call_of_a_tool_on_a_conversation_is_left_out_and_counted(tmp_path: Path):
    (before,) = found(tmp_path, TOOLS)
    assert before.text == "How warm is it?"
    refused = ("a.jsonl:1", "tool call in the conversation")
    assert drops(tmp_path, TOOLS, on_bad_line="error") == [refused]
    assert drops(tmp_path, TOOLS, turns="last", on_bad_line="error") == [refused]


def test_calls_that_are_kept_are_words_of_the_assistant(tmp_path: Path):
    (last,) = found(tmp_path, TOOLS, turns="last", tools="keep")
    assert said(last)[1] == (
        "assistant",
        'Tool call: weather({"city": "Oslo"})\n\nTool result: 12 C\n\n12 degrees.',
    )


def test_a_known_final_answer_is_that_of_the_last_turn_alone(tmp_path: Path):
    one, two = found(tmp_path, {**OSLO, "gold": "5"}, columns={"final_answer": "gold"})
    assert (one.to_dict().get("final_answer"), two.final_answer) == (None, "5")


BAD = {
    "nobody known": (chat(("user", "Hi."), ("narrator", "…"), ("user", "So?")), "unknown role"),
    "nothing said": (chat(("user", "Hi."), ("assistant", " "), ("user", "So?")), "empty turn"),
    "nothing asked": (chat(("user", "Hi."), ("assistant", "A."), ("user", "")), "empty turn"),
    "no user": (chat(("assistant", "Hello?")), "no user turn"),
    "the middle": (chat(("assistant", "Hi!"), ("user", "So?")), "first turn is not the user's"),
    "a late system turn": (
        chat(("user", "Hi."), ("assistant", "A."), ("system", "Be curt."), ("user", "So?")),
        "system turn within the conversation",
    ),
}


@pytest.mark.parametrize("turns", ["last", "all"])
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_a_counted_drop(tmp_path: Path, name: str, turns: str):
    row, reason = BAD[name]
    assert drops(tmp_path, row, turns=turns) == [("a.jsonl:1", reason)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody known", r"a.jsonl:1: messages: turn 2: expected 'role' to be user, assistant,"),
        ("nothing said", r"a.jsonl:1: messages: turn 2: expected words, found an empty turn"),
        ("no user", r"a.jsonl:1: messages: no turn of the user among 1"),
    ],
)
def test_a_bad_conversation_ends_the_reading_unless_it_is_skipped(tmp_path: Path, name, told):
    with pytest.raises(DataError, match=told):
        found(tmp_path, BAD[name][0])


@pytest.mark.parametrize("setting", [{"turns": "last"}, {"system": "drop"}, {"tools": "keep"}])
def test_rows_of_a_single_text_have_no_turns_to_choose_from(setting):
    with pytest.raises(ValidationError, match="expected a form of conversations"):
        SourceConfig(path="a.jsonl", **setting)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Zs", "Cc"]), min_size=1)
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), WORDS), min_size=1)


@given(TURNS)
def test_each_turn_has_before_it_what_came_before_and_the_last_is_the_last_of_all(turns):
    row = chat(("user", "So?"), *turns)
    every, last = (
        [*read_instructions_of("a:1", row, SourceConfig(path="a", form="openai", turns=which))]
        for which in ("all", "last")
    )
    assert every[-1].key == last[0].key
    lengths = [len(i.turns or (1,)) for i in every]
    assert lengths == list(range(1, 2 * len(every), 2))
    assert all(i.turns[-1].role == "user" for i in every[1:])
    assert len({i.conversation for i in every}) == 1
    for before, after in pairwise(every):
        earlier = said(before) or [("user", before.text)]
        assert said(after)[: len(earlier)] == earlier
