"""`engine: local`: transformers in this process. Settings are checked before the model loads."""

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Engine, LazyEngine, Place
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.model_folder import require_loadable
from ste_plugin.text.settings_errors import validate_settings


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that loads its model at the first request.

    Raises: ConfigError for a wrong option; EngineError, later, where the model cannot be loaded.
    """
    options = validate_settings(LocalOptions, model.options, "options of engine local")

    def load_engine() -> Engine:
        path = model_path(model, place.base)
        require_loadable(path)

        from ste_plugin.engines.chat import ChatTemplate
        from ste_plugin.engines.local.loading import load
        from ste_plugin.engines.local.model import LocalEngine

        loaded = load(path, options)
        template = ChatTemplate.of_model(loaded.tokenizer, model)
        return LocalEngine(loaded, options, place.say, template)

    return LazyEngine(load_engine)
