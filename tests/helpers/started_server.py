"""A server that the run starts, whose part a script plays."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ste_plugin.config import ModelConfig, ServeConfig
from ste_plugin.engines import ChatRequest, Engine, Message, Place, Sampling
from ste_plugin.engines.vllm import server
from tests.helpers import ROOT

FAKE = (sys.executable, str(ROOT / "tests/helpers/fake_vllm.py"))


def asked(number: int) -> list[ChatRequest]:
    how = Sampling(1.0, 1.0, 8)
    return [ChatRequest("m", (Message("user", f"Name fruit {i}."),), how) for i in range(number)]


@contextmanager
def served(tmp_path: Path, *, options: dict | None = None, **then: object) -> Iterator[Engine]:
    command = (*FAKE, "--then", json.dumps(then))
    place = Place(tmp_path, tmp_path / "logs", ServeConfig(command=command))
    model = ModelConfig(model="judge", engine="serve", options=options or {})
    with closing(server.create(model, place)) as engine:
        yield engine
