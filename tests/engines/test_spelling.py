"""Tokenizers that lost their merges: a model reads noise, and says something all the same."""

import json

import pytest
from transformers import AutoTokenizer

from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.errors import EngineError
from tests.helpers.tiny_model import tiny_tokenizer


def saved(folder, change):
    """Save a tokenizer with its model changed; return it as loaded."""
    tiny_tokenizer(
        sentences=["the answers of the other one, and which is the better"] * 9
    ).save_pretrained(folder)
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    change(whole["model"])
    path.write_text(json.dumps(whole))
    return AutoTokenizer.from_pretrained(folder)


def lose_merges(model):
    model["merges"] = []


def lose_words(model):
    model["merges"] = []
    model["vocab"] = {
        token: n for token, n in model["vocab"].items() if len(token) == 1 or "|" in token
    }


def test_a_tokenizer_that_spells_words_it_has_tokens_for_is_refused(tmp_path):
    with pytest.raises(EngineError, match="letter by letter.*merges were lost.*tokenizer.json"):
        ChatTemplate(saved(tmp_path, lose_merges))


@pytest.mark.parametrize("change", [dict, lose_words], ids=["words", "letters alone"])
def test_others_are_taken_as_they_are(tmp_path, change):
    assert ChatTemplate(saved(tmp_path, change))
