"""vLLM in this process: settings and creation; vLLM itself is imported when it is first needed."""

from ste_plugin.config import ModelConfig
from ste_plugin.engines.base import Engine, LazyEngine, Place
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.model_folder import require_loadable
from ste_plugin.engines.vllm.options import VllmOptions, read_options
from ste_plugin.errors import ConfigError, EngineError


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that loads its model at the first request; vLLM's log is `vllm.log`.

    Raises: ConfigError for a wrong option; EngineError, later, where the model cannot be loaded.
    """
    options = read_options(VllmOptions, model.options, "vllm")
    if options.data_parallel_size > 1:
        raise ConfigError(
            f"options of engine vllm: data_parallel_size is {options.data_parallel_size}, but "
            "inside one process vLLM runs a single copy of a model. Set engine: serve for several "
            "copies, or tensor_parallel_size to share one copy among GPUs."
        )

    def load() -> Engine:
        try:
            from ste_plugin.engines.vllm.model import VllmEngine
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "vllm":
                raise
            raise EngineError(
                "engine vllm: vLLM is not installed beside ste-plugin. Install it here (`pip "
                "install vllm`), or set engine: serve and hosts.serve.python to an environment "
                "that has it."
            ) from error

        path = model_path(model, place.base)
        require_loadable(path)
        return VllmEngine(path, model, options, place.logs / "vllm.log")

    return LazyEngine(load)
