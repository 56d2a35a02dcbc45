"""The chat template of a model that something else runs: known where its folder is at hand."""

from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.model_folder import tokenizer_of
from ste_plugin.engines.nested import revision_of
from ste_plugin.errors import EngineError


def find_template(model: ModelConfig, base: Path, *, ours: bool = False) -> ChatTemplate | None:
    """Return a model's chat template, or None where its folder, or transformers, is not here.

    `ours`: a server of our own loads that very model, of the hub, too. For others nothing is
    downloaded: what a server calls its model need not be a name there.
    """
    path = model_path(model, base)
    if not (ours or Path(path).is_dir()):
        return None
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_of(path), revision=revision_of(model), trust_remote_code=False
        )
        return ChatTemplate.of_model(tokenizer, model)
    except (ImportError, OSError, ValueError, EngineError):
        return None
