"""What a row says: forms, keys and columns."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from tests.helpers.source_files import read, reasons, texts, written

# Forms


def test_the_plain_form_reads_instruction_category_and_id(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": " Sort a list. ", "category": "coding", "id": 7})
    (found,), drops = read(tmp_path)
    assert (found.text, found.category, found.source) == ("Sort a list.", "coding", "a.jsonl:1 (7)")
    assert drops == []


def test_columns_map_the_forms_names_to_the_files(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "Hi", "kind": "other"})
    (found,), _ = read(tmp_path, columns={"instruction": "prompt", "category": "kind"})
    assert (found.text, found.category) == ("Hi", "other")


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (" 72 ", "72"),
        (72, "72"),
        (0.5, "0.5"),
        ("a\n#### 72", "a\n#### 72"),
        ("", None),
        (None, None),
    ],
)
def test_a_final_answer_is_read_from_the_column_that_is_named(tmp_path, value, answer) -> None:
    written(tmp_path, {"instruction": "Hi", "answer": value})
    (found,), _ = read(tmp_path, columns={"final_answer": "answer"})
    assert found.to_dict().get("final_answer") == answer


def test_a_column_that_happens_to_be_called_so_is_not(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "Hi", "final_answer": "72"})
    (found,), _ = read(tmp_path)
    assert "final_answer" not in found.to_dict()


@pytest.mark.parametrize(
    ("value", "category"), [(3, "3"), (["coding", "maths"], ""), (None, ""), (" coding ", "coding")]
)
def test_a_category_that_nobody_named_refuses_no_row(tmp_path: Path, value: Any, category) -> None:
    written(tmp_path, {"instruction": "Hi", "category": value})
    (found,), _ = read(tmp_path)
    assert found.category == category


def test_a_category_that_is_named_is_a_text_or_a_number(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "Hi", "kind": 3})
    assert read(tmp_path, columns={"category": "kind"})[0][0].category == "3"
    written(tmp_path, {"instruction": "Hi", "category": ["coding"]})
    with pytest.raises(DataError, match=r"a.jsonl:1: category: expected text, found list"):
        read(tmp_path, columns={"category": "category"})


@pytest.mark.parametrize("value", [True, ["72"], {"a": 1}])
def test_a_final_answer_that_is_no_text_or_number_is_told(tmp_path: Path, value: Any) -> None:
    written(tmp_path, {"instruction": "Hi", "answer": value})
    with pytest.raises(DataError, match=r"a.jsonl:1: final_answer: expected text, found"):
        read(tmp_path, columns={"final_answer": "answer"})


CONVERSATIONS = {
    "wildchat": ("conversation", "role", "content", "user", "assistant"),
    "sharegpt": ("conversations", "from", "value", "human", "gpt"),
    "openai": ("messages", "role", "content", "user", "assistant"),
}
"""Form → its column, its two keys, and what it calls the user and the assistant."""


def conversation(form: str, *turns: tuple[str, Any]) -> dict[str, Any]:
    """A row of (speaker, words); the speaker is system, user, assistant or a name as it is."""
    column, role, content, user, assistant = CONVERSATIONS[form]
    names = {"user": user, "assistant": assistant}
    return {column: [{role: names.get(who, who), content: said} for who, said in turns]}


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_a_conversation_gives_what_the_user_says_first(tmp_path: Path, form: str) -> None:
    turns = [("user", "First"), ("assistant", "x"), ("user", "Second")]
    written(tmp_path, conversation(form, *turns))
    assert texts(tmp_path, form=form) == ["First"]


@pytest.mark.parametrize("form", CONVERSATIONS)
@pytest.mark.parametrize("on_bad_line", ["error", "skip"])
def test_the_middle_of_a_conversation_is_left_out_and_counted(
    tmp_path: Path, form: str, on_bad_line: str
) -> None:
    middle = [("assistant", "That was the third."), ("user", "Go on"), ("assistant", "Fourth")]
    written(
        tmp_path,
        conversation(form, *middle),
        conversation(form, ("system", "Be brief."), *middle),
        conversation(form, ("tool", "3"), ("user", "And now?")),
        conversation(form, ("user", "Name a sea.")),
    )
    settings = {"form": form, "on_bad_line": on_bad_line}
    assert texts(tmp_path, **settings) == ["Name a sea."]
    assert reasons(tmp_path, **settings) == ["first turn is not the user's"] * 3


@pytest.mark.parametrize("form", CONVERSATIONS)
@pytest.mark.parametrize("first", ["tool", "function", "observation", "function_call", "bing"])
def test_whoever_else_speaks_first_the_row_is_left_out_and_counted(
    tmp_path: Path, form: str, first: str
) -> None:
    written(
        tmp_path,
        conversation(form, (first, "3"), ("user", "And now?")),
        conversation(form, ("system", "Rhyme."), (first, ""), ("user", "And now?")),
        conversation(form, ("user", "Name a sea."), (first, "3"), ("user", "And now?")),
    )
    assert texts(tmp_path, form=form) == ["Name a sea."]
    assert reasons(tmp_path, form=form) == ["first turn is not the user's"] * 2


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_all_that_the_user_says_before_an_answer_is_asked(tmp_path: Path, form: str) -> None:
    answered = ("assistant", "x")
    written(
        tmp_path,
        conversation(form, ("user", "Here is a poem."), ("user", "Translate it."), answered),
        conversation(form, ("user", " "), ("user", "Name a sea."), answered, ("user", "Another.")),
    )
    assert texts(tmp_path, form=form) == ["Here is a poem.\n\nTranslate it.", "Name a sea."]


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_a_conversation_may_be_written_as_json_in_a_column_of_text(
    tmp_path: Path, form: str
) -> None:
    turns = (("system", "Rhyme."), ("user", "Name a sea."), ("assistant", "x"))
    ((column, said),) = conversation(form, *turns).items()
    written(tmp_path, {column: json.dumps(said)}, {column: json.dumps(said[2:] + said[1:2])})
    assert texts(tmp_path, form=form) == ["Rhyme.\n\nName a sea."]
    assert reasons(tmp_path, form=form) == ["first turn is not the user's"]


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '"hi"', "[[" * 9999])
def test_text_that_is_no_conversation_in_json_is_told(tmp_path: Path, text: str) -> None:
    turns = [{"from": "human", "value": "Name a sea."}]
    written(tmp_path, {"conversations": text}, {"conversations": turns})
    assert texts(tmp_path, form="sharegpt", on_bad_line="skip") == ["Name a sea."]
    assert reasons(tmp_path, form="sharegpt", on_bad_line="skip") == ["malformed line"]


def test_who_speaks_is_read_in_any_letter_case(tmp_path: Path) -> None:
    turns = [{"from": who, "value": who} for who in ("System", "Human", "GPT")]
    written(tmp_path, {"conversations": turns}, {"conversations": turns[2:] + turns[1:2]})
    assert texts(tmp_path, form="sharegpt") == ["System\n\nHuman"]
    assert reasons(tmp_path, form="sharegpt") == ["first turn is not the user's"]


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_what_the_system_was_told_stands_above_the_users_words(tmp_path: Path, form: str) -> None:
    asked = ("user", "The train is late.")
    written(
        tmp_path,
        conversation(form, ("system", " Answer in French. "), asked),
        conversation(form, ("system", "Rhyme."), ("developer", "Be kind."), asked),
        conversation(form, ("system", "You are a helpful translation assistant."), asked),
        conversation(form, asked, ("assistant", "x"), ("system", "Later."), ("user", "y")),
    )
    assert texts(tmp_path, form=form) == [
        "Answer in French.\n\nThe train is late.",
        "Rhyme.\n\nBe kind.\n\nThe train is late.",
        "You are a helpful translation assistant.\n\nThe train is late.",
        "The train is late.",
    ]


@pytest.mark.parametrize("form", CONVERSATIONS)
@pytest.mark.parametrize(
    "said",
    [
        "",
        None,
        "You are a helpful assistant.",
        "You are a helpful AI assistant",
        "you are an assistant.",
        "You are a helpful, respectful and honest assistant.",
    ],
)
def test_a_system_turn_that_asks_for_nothing_is_no_part_of_the_instruction(
    tmp_path: Path, form: str, said: str | None
) -> None:
    written(tmp_path, conversation(form, ("system", said), ("user", "First")))
    assert texts(tmp_path, form=form) == ["First"]


def test_an_empty_message_is_no_instruction_whatever_the_system_was_told(tmp_path: Path) -> None:
    written(tmp_path, conversation("openai", ("system", "Rhyme."), ("user", " ")))
    with pytest.raises(DataError, match="found an empty one"):
        read(tmp_path, form="openai")


@pytest.mark.parametrize("turns", ["first", "last"])
@pytest.mark.parametrize("form", CONVERSATIONS)
@pytest.mark.parametrize("keys", [("role", "content"), ("from", "value")])
@pytest.mark.parametrize("user", ["user", "human"])
def test_a_form_is_its_column_whatever_its_turns_call_who_speaks_and_what_is_said(
    tmp_path: Path, form: str, keys: tuple[str, str], user: str, turns: str
) -> None:
    said = [("system", "Rhyme."), (user, "Name a sea.")]
    written(tmp_path, {CONVERSATIONS[form][0]: [dict(zip(keys, s, strict=True)) for s in said]})
    expected = {"first": "Rhyme.\n\nName a sea.", "last": "System: Rhyme.\n\nUser: Name a sea."}
    assert texts(tmp_path, form=form, turns=turns) == [expected[turns]]


def test_a_conversation_may_be_stored_as_one_list_per_key(tmp_path: Path) -> None:
    turns = {"from": ["system", "human", "gpt"], "value": ["Rhyme.", "First", "x"]}
    written(tmp_path, {"conversations": turns})
    assert texts(tmp_path, form="sharegpt") == ["Rhyme.\n\nFirst"]


def test_openai_content_may_be_text_parts(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    written(
        tmp_path,
        {"messages": [{"role": "user", "content": parts}]},
        {"messages": [{"role": "user", "content": "Plain"}]},
    )
    assert texts(tmp_path, form="openai") == ["One\nTwo", "Plain"]


def test_an_image_part_is_no_instruction(tmp_path: Path) -> None:
    written(tmp_path, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})
    with pytest.raises(DataError, match=r"a\.jsonl:1: .*'text' only, found .*image_url"):
        read(tmp_path, form="openai")


def test_alpaca_appends_its_input_after_a_blank_line(tmp_path: Path) -> None:
    written(
        tmp_path,
        {"instruction": "Translate.", "input": "Guten Tag", "output": "Hello"},
        {"instruction": "Name a river.", "input": ""},
        {"instruction": "Name a sea."},
    )
    assert texts(tmp_path, form="alpaca") == [
        "Translate.\n\nGuten Tag",
        "Name a river.",
        "Name a sea.",
    ]


@pytest.mark.parametrize("nothing", ["<noinput>", "<No Input>", "nan", float("nan"), " "])
def test_what_data_sets_write_for_no_input_is_none(tmp_path: Path, nothing: Any) -> None:
    written(tmp_path, {"instruction": "Name a fruit.", "input": nothing})
    assert texts(tmp_path, form="alpaca") == texts(tmp_path) == ["Name a fruit."]


@pytest.mark.parametrize(
    ("form", "column", "cure"),
    [
        ("plain", "input", "Set form: alpaca to read both"),
        ("plain", "context", "Set form: alpaca and columns: {input: context} to read both"),
        ("alpaca", "context", "Set columns: {input: context} to read both"),
    ],
)
def test_a_row_that_asks_more_than_is_read_is_refused(tmp_path, form, column, cure) -> None:
    written(tmp_path, {"instruction": "Translate it.", column: "Guten Tag, wie geht es Ihnen?"})
    with pytest.raises(DataError) as error:
        read(tmp_path, form=form)
    assert str(error.value) == (
        f"a.jsonl:1: {column!r} asks something that is not in 'instruction', "
        f"'Guten Tag, wie geht es Ihnen?'. {cure}, or columns: {{instruction: instruction}} for "
        "that alone.\nOr set on_bad_line: skip to leave such lines out and count them."
    )
    written(tmp_path, {"instruction": "Sing."}, {"instruction": "Translate it.", column: "Hallo"})
    _, drops = read(tmp_path, form=form, on_bad_line="skip")
    assert [drop.reason for drop in drops] == [f"{column!r} is not read"]


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        ({"input": "Hi"}, {"columns": {"instruction": "instruction"}}),
        ({"prompt": "Say it.", "input": "Hi"}, {"columns": {"instruction": "prompt"}}),
        ({"context": "Say  it."}, {}),
        ({"context": ["Hi"], "input": "Hi"}, {"columns": {"category": "input"}}),
        ({"input": 5}, {"form": "alpaca"}),
        ({"context": "Hi"}, {"form": "alpaca", "columns": {"input": "context"}}),
    ],
)
def test_what_is_named_or_said_in_the_instruction_is_not(tmp_path, row, settings) -> None:
    written(tmp_path, {"instruction": "Say it.", "category": "x"} | row)
    (text,) = texts(tmp_path, **settings)
    assert text.startswith("Say it.")


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        ("hi", "expected a list of turns, found str 'hi'"),
        (["hi"], "expected a list of turns, found list"),
        ([{"role": "user"}], "found one without 'content'"),
        ([{"role": "user", "content": None}], "found one without 'content'"),
        ([{"who": "human", "said": "x"}], "found one without 'role'"),
        ({"role": "user", "content": "x"}, "expected a list of turns, found dict"),
        ([{"role": "assistant", "content": "x"}], "no turn of the user among 1"),
        ([], "no turn of the user among 0"),
        ([{"role": "user", "content": 5}], "expected text, found int '5'"),
    ],
)
def test_a_conversation_of_another_shape_is_told(
    tmp_path: Path, conversation: Any, said: str
) -> None:
    written(tmp_path, {"conversation": conversation})
    with pytest.raises(DataError) as error:
        read(tmp_path, form="wildchat")
    assert "a.jsonl:1: conversation" in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        '["What is a fjord?", "And a cove?"]',
        '["What is a fjord?", null]',
        '["What is a fjord?"]',
        "['What is a fjord?', None]",
        '[{"role": "user", "content": "What is a fjord?"}]',
    ],
)
@pytest.mark.parametrize("form", ["plain", "alpaca"])
def test_a_list_of_turns_written_as_text_is_no_instruction(
    tmp_path: Path, form: str, text: str
) -> None:
    written(tmp_path, {"instruction": text}, {"instruction": "Sort the list [1, 2]."})
    with pytest.raises(DataError) as error:
        read(tmp_path, form=form)
    assert "a.jsonl:1: instruction: expected one text, found a list" in str(error.value)
    assert texts(tmp_path, form=form, on_bad_line="skip") == ["Sort the list [1, 2]."]
    assert reasons(tmp_path, form=form, on_bad_line="skip") == ["list written as text"]


# Keys


def test_equal_texts_have_equal_keys_wherever_they_are_read(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "Hi "}, {"instruction": "\nHi"}, {"instruction": "Ho"})
    found, _ = read(tmp_path)
    assert found[0].key == found[1].key != found[2].key


def test_a_lone_surrogate_becomes_a_replacement_character(tmp_path: Path) -> None:
    written(tmp_path, b'{"instruction": "a\\ud800b \\ud83d\\ude00"}')
    assert texts(tmp_path) == ["a\ufffdb \U0001f600"]


@given(st.text())
def test_whatever_a_line_says_its_text_is_stripped_and_fits_utf8(text: str) -> None:
    from ste_plugin.instructions.sources.forms import read_row
    from ste_plugin.instructions.sources.row_values import BadRow

    try:
        found = read_row("p", {"instruction": text}, SourceConfig(path="p"))
    except BadRow as error:
        assert error.reason == "empty instruction"
    else:
        assert found.text == found.text.strip() != ""
        assert found.text.encode()


# Columns


def test_a_wrong_column_names_those_found_the_nearest_and_the_cure(tmp_path: Path) -> None:
    written(tmp_path, {"instructions": "x", "note": 1})
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert "no column 'instruction'; found 'instructions', 'note'" in str(error.value)
    assert "set columns: {instruction: instructions}" in str(error.value)


def test_a_usual_name_is_proposed_where_none_is_alike(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "x"})
    with pytest.raises(DataError, match=r"set columns: \{instruction: prompt\}"):
        read(tmp_path)


def test_columns_of_another_form_are_recognised(tmp_path: Path) -> None:
    written(tmp_path, {"messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(DataError, match="The columns fit form: openai"):
        read(tmp_path)


def test_mapping_a_column_that_the_form_lacks_is_a_config_error(tmp_path: Path) -> None:
    written(tmp_path, {"prompt": "x"})
    with pytest.raises(ConfigError, match="Did you mean 'instruction'"):
        read(tmp_path, columns={"instuction": "prompt"})


def test_a_mapped_category_must_be_there(tmp_path: Path) -> None:
    written(tmp_path, {"instruction": "x"})
    with pytest.raises(DataError, match="no column 'topic'"):
        read(tmp_path, columns={"category": "topic"})
