"""The chat template of a model that something else runs: known where its folder is at hand."""

from pathlib import Path

from ste_plugin.config import ModelConfig
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.identity import model_path
from ste_plugin.errors import EngineError


def find_template(model: ModelConfig, base: Path) -> ChatTemplate | None:
    """Return a model's chat template, or None where its folder, or transformers, is not here.

    Nothing is downloaded: what a server calls its model need not be a name on the hub.
    """
    folder = Path(model_path(model, base))
    if not folder.is_dir():
        return None
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return ChatTemplate.of_model(tokenizer, model)
    except (ImportError, OSError, ValueError, EngineError):
        return None
