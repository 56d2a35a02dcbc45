"""What generators are asked: under which system turn, and under which key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ste_plugin.config import PairsConfig
from ste_plugin.inference.requests import GeneratorRequests, user
from tests.helpers.builders import instruction

SYSTEMS = ("", "In one sentence.", "In three sentences.")


def systems_of(requests: GeneratorRequests, texts: list[str]) -> list[str]:
    turns = [requests.answer(instruction(text=text)).messages for text in texts]
    return ["" if said[0].role == "user" else said[0].content for said in turns]


def test_of_several_system_turns_each_answer_draws_one_and_all_are_drawn():
    requests = GeneratorRequests("m", PairsConfig(system=SYSTEMS))
    drawn = systems_of(requests, [f"Question {number}?" for number in range(300)])
    assert {system: drawn.count(system) >= 70 for system in SYSTEMS} == dict.fromkeys(SYSTEMS, True)


@given(st.text(min_size=1))
def test_the_same_prompt_draws_the_same_system_turn_and_has_the_same_key(text: str):
    one, two = (GeneratorRequests("m", PairsConfig(system=SYSTEMS)) for _ in range(2))
    assert one.answer(instruction(text=text)).key == two.answer(instruction(text=text)).key
    assert (
        one.answer(instruction(text=text)).messages[:-1]
        == one.worse_answer(user(text), "s", "1").messages[:-1]
    )


def test_a_list_of_one_system_turn_asks_what_the_turn_by_itself_asks():
    alone = GeneratorRequests("m", PairsConfig(system="Be brief."))
    listed = GeneratorRequests("m", PairsConfig(system=("Be brief.",)))
    assert alone.answer(instruction(text="Why?")).key == listed.answer(instruction(text="Why?")).key


def test_an_empty_list_of_system_turns_is_refused():
    with pytest.raises(ValidationError, match="at least 1 item"):
        PairsConfig(system=())
