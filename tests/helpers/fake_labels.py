"""The fake judge, which labels instructions, too."""

from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Place
from ste_plugin.testing import FakeEngine
from tests.helpers.fake_judge import reply


def create(_model: ModelConfig, _place: Place) -> FakeEngine:
    """Return an engine that labels, writes answers and judges."""
    return FakeEngine(said)


def said(request: ChatRequest) -> str:
    if '"expected_words"' in request.messages[-1].content:
        return '{"category": "coding", "complexity": 4, "expected_words": 80}'
    return reply(request, "well")
