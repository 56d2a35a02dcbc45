"""Whether a tokenizer reads words, or spells them letter by letter, as its model never saw them."""

from typing import Any

from ste_plugin.errors import EngineError

_TEXT = "Which of the two answers is the better one, and why is the other not?"
_SPACES = "▁Ġ"
"""How tokenizers write a space that belongs to a token."""


def require_words(tokenizer: Any) -> None:
    """Return unless a tokenizer spells all words of English while it has tokens for them.

    A model reads such text as noise, and every judgment of it is one. Tokenizers that lost their
    merges do so: of a GGUF file, by transformers 5.16, once they are saved and loaded.
    Raises: EngineError saying so.
    """
    pieces = [piece.strip(_SPACES) for piece in tokenizer.tokenize(_TEXT)]
    if any(len(piece) > 1 for piece in pieces):
        return
    vocabulary = tokenizer.get_vocab()
    if words := [word for word in ("▁the", "Ġthe", "the") if word in vocabulary]:
        raise EngineError(
            f"{tokenizer.name_or_path}: its tokenizer spells every word letter by letter, though "
            f"its vocabulary has {words[0]!r}: its merges were lost, as where it was converted from"
            " GGUF. The model cannot read that. Put the tokenizer.json of the model's own source "
            "in its folder."
        )
