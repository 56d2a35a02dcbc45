"""What a row says: forms, keys and columns."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.config import SourceConfig
from ste_plugin.errors import ConfigError, DataError
from tests.helpers.source_files import read, texts, written

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


def test_wildchat_gives_the_first_user_turn(tmp_path: Path) -> None:
    turns = [("assistant", "Hello"), ("user", "First"), ("assistant", "x"), ("user", "Second")]
    written(tmp_path, {"conversation": [{"role": r, "content": c} for r, c in turns]})
    assert texts(tmp_path, form="wildchat") == ["First"]


def test_sharegpt_gives_the_first_turn_of_the_human(tmp_path: Path) -> None:
    turns = [("system", "Be brief"), ("human", "First"), ("gpt", "x")]
    written(tmp_path, {"conversations": [{"from": f, "value": v} for f, v in turns]})
    assert texts(tmp_path, form="sharegpt") == ["First"]


def test_openai_content_may_be_text_parts(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    written(
        tmp_path,
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]},
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


@pytest.mark.parametrize(
    ("conversation", "said"),
    [
        ("hi", "expected a list of turns, found str 'hi'"),
        (["hi"], "expected a list of turns, found list"),
        ([{"role": "user"}], "found one without 'content'"),
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
    from ste_plugin.instructions.sources.forms import BadRow, read_row

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
