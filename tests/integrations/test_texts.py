"""Prompts and completions as hosts hand them over: text, turns, parts, models."""

import pytest
from pydantic import BaseModel

from ste_plugin.errors import DataError
from ste_plugin.integrations.texts import read_answer, read_prompt


class Turn(BaseModel):
    """A turn as verifiers has it."""

    role: str
    content: str | list[dict] | None
    reasoning_content: str | None = None


def said(content, role="assistant", **beside):
    return {"role": role, "content": content, **beside}


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (" An apple.\n", "An apple."),
        ([said("An apple.")], "An apple."),
        ([said("One."), said("4", role="tool"), said("An apple.")], "An apple."),
        (
            [said([{"type": "text", "text": "An "}, {"type": "text", "text": "apple."}])],
            "An apple.",
        ),
        ([Turn(role="assistant", content="An apple.")], "An apple."),
        ([said(None, tool_calls=[{}])], ""),
        ([], ""),
        ("<think>A fruit?</think>\n\nAn apple.", "An apple."),
        ("<think>A fruit? It never ends.", ""),
        (" \n", ""),
    ],
)
def test_an_answer_is_what_the_assistant_says_last_without_its_thoughts(completion, answer):
    assert read_answer(completion) == answer


def test_a_thought_that_the_prompt_opened_is_one():
    assert read_answer("Hm.</think>An apple.", prompt="<|im_start|>assistant\n<think>\n") == (
        "An apple."
    )
    assert read_answer("Hm, it goes on", prompt="<think>") == ""


@pytest.mark.parametrize("completion", [7, None, [said([{"type": "image"}])], ["An apple."]])
def test_what_is_no_text_is_refused_with_what_was_found(completion):
    with pytest.raises(DataError, match="completion 3: found .*expected a text, or a list"):
        read_answer(completion, where="completion 3")


def test_a_prompt_keeps_roles_and_texts_alone():
    assert read_prompt("Hi") == "Hi"
    turns = [
        Turn(role="system", content="Be brief."),
        said([{"type": "text", "text": "Hi"}], "user"),
    ]
    assert read_prompt(turns) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ([said("Hi")], "its last turn is the assistant's"),
        ([said([{"type": "image"}], "user")], "found content of type list; expected text"),
        (" ", "found an empty text"),
        ([], "expected a text, or a list of turns"),
        (None, "expected a text, or a list of turns"),
        (["Hi"], "turn 1: found 'Hi'"),
    ],
)
def test_a_prompt_that_cannot_be_shown_is_an_error_rather_than_a_draw(prompt, problem):
    with pytest.raises(DataError, match="prompt 2: ") as error:
        read_prompt(prompt, "prompt 2")
    assert problem in str(error.value)
