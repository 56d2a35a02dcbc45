"""A name is a hub's id where huggingface_hub takes it, or else a path."""

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

from ste_plugin.text.hub_id import may_be_hub_id


@pytest.mark.parametrize("name", ["gpt2", "org/judge", "Qwen/Qwen2.5-0.5B", "a/b", "o_/x_1"])
def test_a_hubs_id_may_be_one(name):
    assert may_be_hub_id(name)


@pytest.mark.parametrize(
    "name",
    ["./judge", "../judge", "~/judge", "/judge", "runs/judge.", "-x/y", "my--judge", "a/b/c", ""],
)
def test_a_path_is_none(name):
    assert not may_be_hub_id(name)


@pytest.mark.parametrize("name", ["cascade.json", "runs/ste.yaml", "ste.yml"])
def test_a_file_of_settings_is_none(name):
    assert not may_be_hub_id(name)


@given(st.text("aB1_.-/é ", max_size=8) | st.text("a", min_size=94, max_size=98))
def test_no_name_that_the_hub_refuses_is_taken_for_an_id(name):
    try:
        validate_repo_id(name)
    except HFValidationError:
        assert not may_be_hub_id(name)
