"""Models that share a machine's memory are open one after another, others side by side."""

import pytest

from ste_plugin.config import ModelConfig
from ste_plugin.engines.model_pool import ModelPool, share_hardware
from ste_plugin.testing import FakeEngine


class Watched(FakeEngine):
    """An engine that remembers whether it is open."""

    def __init__(self) -> None:
        super().__init__(lambda _: "")
        self.open = True

    def close(self) -> None:
        self.open = False


def model(engine: str, name: str = "m", **options) -> ModelConfig:
    return ModelConfig(model=name, engine=engine, options=options)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (model("local"), model("local"), True),
        (model("auto"), model("vllm"), True),
        (model("serve"), model("somebody's"), True),
        (model("http"), model("local"), False),
        (model("http"), model("http"), False),
        (model("auto"), model("http"), False),
        (model("local", device="cuda:0"), model("local", device="cuda:1"), False),
        (model("local", device="cuda"), model("local", device="cuda:0"), True),
        (model("local", device="cpu"), model("local", device="cuda"), False),
        (model("local", device="auto"), model("local", device="cuda:1"), True),
        (model("local", device="cuda:1"), model("vllm"), True),
        (model("serve", gpus=[0, 1]), model("serve", gpus=[2, 3]), False),
        (model("serve", gpus=[0, 1]), model("local", device="cuda:1"), True),
    ],
)
def test_two_models_share_memory_unless_they_say_otherwise(one, other, shared):
    assert share_hardware(one, other) is shared
    assert share_hardware(other, one) is shared


def test_a_model_is_closed_before_another_needs_its_memory():
    models = ModelPool(lambda _: Watched())
    first = models.use(model("local", "one"))
    assert models.use(model("local", "one")) is first
    second = models.use(model("vllm", "two"))
    assert (first.open, second.open) == (False, True)


def test_models_that_share_nothing_stay_open_side_by_side():
    models = ModelPool(lambda _: Watched())
    configs = [model("http"), model("local", device="cuda:0"), model("local", device="cuda:1")]
    engines = [models.use(config) for config in configs]
    assert [engine.open for engine in engines] == [True, True, True]
    assert [models.use(config) for config in configs] == engines
    models.close()
    assert not any(engine.open for engine in engines)
