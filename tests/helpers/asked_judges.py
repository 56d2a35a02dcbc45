"""Judges in Python whose engine is a function."""

from collections.abc import Callable

from ste_plugin import Comparison, Judge
from ste_plugin.engines import ChatRequest
from ste_plugin.judge import judge as module
from ste_plugin.testing import FakeEngine
from tests.helpers.fake_judge import reply


def says(judges: str | float = "well") -> Callable[[ChatRequest], str]:
    """What the fake judge replies: it prefers `Reply to <PROMPT>`."""
    return lambda request: reply(request, judges)


def fake_judge(
    monkeypatch, said: Callable[[ChatRequest], str], judge_format: str = "brief", **settings: object
) -> tuple[Judge, FakeEngine]:
    """A judge that replies as told, and its engine."""
    engine = FakeEngine(said)
    monkeypatch.setattr(module, "open_engine", lambda *_: engine)
    return Judge("m", format=judge_format, engine="local", **settings), engine


def compares(chance: Callable[[int, int], float | None]) -> Callable:
    """What compares answers by their indices, the first being better with a chance."""

    def compare(pairs):
        return [told(chance(a, b)) for a, b in pairs]

    return compare


def told(chance: float | None) -> Comparison:
    """A comparison whose first answer is better with a chance."""
    if chance in (None, 0.5):
        return Comparison(None, chance, "orders differ" if chance else "no verdict")
    return Comparison("A" if chance > 0.5 else "B", chance)
