"""`engine: serve`: a vLLM server of the run's own, in its own environment, started when needed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Thread
from typing import Annotated, Any

from pydantic import Field

from ste_plugin.config import ModelConfig, Positive, ServeConfig
from ste_plugin.engines.base import ChatRequest, Completion, Engine, LazyEngine, Place
from ste_plugin.engines.chat import ChatTemplate
from ste_plugin.engines.http import engine as http
from ste_plugin.engines.http.options import Seconds
from ste_plugin.engines.identity import model_path
from ste_plugin.engines.model_template import find_template
from ste_plugin.engines.vllm.options import (
    VllmOptions,
    as_flags,
    read_options,
    visible_gpus,
    vllm_arguments,
)
from ste_plugin.engines.vllm.server_process import ServerProcess, free_port
from ste_plugin.errors import EngineError

_SERVER = ("-m", "vllm.entrypoints.openai.api_server")


class ServeOptions(VllmOptions):
    """`options:` of an `engine: serve`."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where the server listens on this machine; by default a free port is found."""
    arguments: tuple[str, ...] = ()
    """Further arguments of its command line: `[--kv-cache-dtype, fp8]`."""
    start_timeout_s: Seconds = 1800.0
    """How long it may take to answer first: large models load for minutes."""
    concurrency: Positive = 128
    """Most calls in flight at once."""


def create(model: ModelConfig, place: Place) -> Engine:
    """Return an engine that starts its server at the first request; its log is `serve.log`.

    Raises: ConfigError for a wrong option; EngineError, later, where the server does not come up.
    """
    options = read_options(ServeOptions, model.options, "serve")
    path = model_path(model, place.base)
    return LazyEngine(lambda: ServedEngine(model, path, options, place))


class ServedEngine:
    """A server of our own, and the HTTP engine that calls it."""

    def __init__(self, model: ModelConfig, path: str, options: ServeOptions, place: Place) -> None:
        port = free_port(options.port)
        command = server_command(place.serve, model.model, path, port, options)
        log = place.logs / "serve.log"
        self._server = ServerProcess(command, visible_gpus(options), port, log, path)
        try:
            self._server.wait_until_ready(options.start_timeout_s)
            client = client_of(model, place, self._server.base_url, options.concurrency)
            self._http_engine = http.create(client, place, _finder(model, place))
        except BaseException:  # an interrupt, too, must leave nothing running
            self._server.stop()
            raise
        Thread(target=self._end_calls_with_server, daemon=True).start()

    @property
    def base_url(self) -> str:
        """Where the server answers: http://127.0.0.1:PORT/v1."""
        return self._server.base_url

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """Yield completions as the server gives them.

        Raises: EngineError with the end of the server's log where that ends; answers before it are
        yielded.
        """
        if self._server.ended:
            raise self._server.failure("has ended")
        try:
            yield from self._http_engine.complete(requests)
        except EngineError as error:
            if self._server.ends_soon():
                raise self._server.failure("ended during a call") from error
            raise

    def _end_calls_with_server(self) -> None:
        """End the calls in flight, and with them their retries, once no server can answer them."""
        self._server.wait()
        self._http_engine.close()

    def close(self) -> None:
        """End the calls in flight and the server with all its processes."""
        self._http_engine.close()
        self._server.stop()


def client_of(model: ModelConfig, place: Place, base_url: str, concurrency: int) -> ModelConfig:
    """Return the same model behind a vLLM server at an address."""
    http_options: dict[str, Any] = {
        "base_url": base_url,
        "prefill": "vllm",
        "concurrency": concurrency,
    }
    template = _finder(model, place)()
    if template and template.has_special_marks:  # else thought and answer would be one text
        http_options["extra_body"] = {"skip_special_tokens": False}
    return model.model_copy(update={"engine": "http", "options": http_options})


def _finder(model: ModelConfig, place: Place) -> Callable[[], ChatTemplate | None]:
    """Return what finds the model's chat template, as its server has it.

    A command of the user's own may give the model a name that is another's on the hub.
    """
    return partial(find_template, model, place.base, ours=not place.serve.command)


def server_command(
    serve: ServeConfig, name: str, path: str, port: int, options: ServeOptions
) -> list[str]:
    """Return the command that starts a server of the model at `path`, under `name`."""
    command = list(serve.command or (serve.python or sys.executable, *_SERVER))
    if any("{port}" in word for word in command):
        values = {"{port}": str(port), "{model}": path, "{name}": name}
        for placeholder, value in values.items():
            command = [word.replace(placeholder, value) for word in command]
        return [*command, *options.arguments]
    arguments = vllm_arguments(path, options)
    names = {"served_model_name": name}
    if "enable_lora" in arguments:
        names = {
            "served_model_name": f"{name} (base)",
            "lora_modules": json.dumps({"name": name, "path": path}),
        }
    # Requests say how to sample; the model's generation_config must not fill what they leave open.
    listen = {"host": "127.0.0.1", "port": port, "generation_config": "vllm"}
    return [*command, *as_flags(arguments | names | listen), *options.arguments]
