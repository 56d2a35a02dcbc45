"""Rewards of verifiers, called as its versions call them; with verifiers itself where it is."""

import asyncio
from types import SimpleNamespace

import pytest

from ste_plugin.errors import DataError, EngineError
from ste_plugin.integrations import verifiers_reward
from ste_plugin.integrations.verifiers_reward import RewardFailed, rubric_win_rate, win_rate
from tests.helpers.chat_server import Refuse, chat_server
from tests.helpers.comparers import ShorterWins, says_shorter

ASK = [{"role": "user", "content": "Name a fruit."}]


def said(*texts):
    return [[{"role": "assistant", "content": text}] for text in texts]


class Failing(ShorterWins):
    def compare_many(self, pairs):
        raise EngineError("no server")


@pytest.fixture
def of_environment(monkeypatch):
    verifiers_reward._of_environment.cache_clear()
    yield lambda **given: [
        monkeypatch.setenv(f"STE_REWARD_{name.upper()}", text) for name, text in given.items()
    ]
    verifiers_reward._of_environment.cache_clear()


@pytest.mark.parametrize(("against", "expected"), [("group", [1.0, 0.0]), ("answer", [0.5, 0.0])])
def test_a_rubric_scores_a_group(against, expected):
    reward = rubric_win_rate(ShorterWins(), against=against)
    found = reward(prompts=[ASK] * 2, completions=said("Fig.", "An apple."), answers=["Plu."] * 2)
    assert asyncio.run(found) == expected
    assert reward.__name__ == "win_rate"


def test_a_rubric_does_not_make_a_zero_of_a_failing_judge():
    reward = rubric_win_rate(Failing())
    assert not issubclass(RewardFailed, Exception)  # which a rubric catches
    with pytest.raises(RewardFailed, match="EngineError: no server"):
        asyncio.run(reward([ASK] * 2, said("Fig.", "An apple."), ["", ""]))


def test_a_rubric_of_verifiers_itself_takes_it():
    verifiers = pytest.importorskip("verifiers", reason="verifiers is not installed here")
    if not hasattr(verifiers, "Rubric"):
        pytest.skip("this version of verifiers has no rubrics")
    rubric = verifiers.Rubric(funcs=[rubric_win_rate(ShorterWins())])
    states = [
        {"prompt": ASK, "completion": completion, "trajectory": [], "answer": ""}
        for completion in said("Fig.", "An apple.")
    ]
    asyncio.run(rubric.score_group(states))
    assert [state["reward"] for state in states] == [1.0, 0.0]


def test_a_trace_is_scored_against_a_field_of_its_task(of_environment):
    trace = SimpleNamespace(last_reply="<think>Hm.</think>Fig.")
    task = SimpleNamespace(prompt_text="Name a fruit.", answer="An apple.", short="F.")
    with chat_server(says_shorter, models=("judge",)) as server:
        of_environment(judge="judge", base_url=server.base_url, format="brief")
        assert asyncio.run(win_rate(task, trace)) == 1.0
        verifiers_reward._of_environment.cache_clear()
        of_environment(reference="short")
        assert asyncio.run(win_rate(task, trace)) == 0.0
        verifiers_reward._of_environment.cache_clear()
        of_environment(reference="target")
        with pytest.raises(DataError, match="no field 'target'.*STE_REWARD_REFERENCE"):
            asyncio.run(win_rate(task, trace))


def test_a_trace_is_not_scored_by_a_server_that_fails(of_environment):
    trace, task = SimpleNamespace(last_reply="Fig."), SimpleNamespace(prompt_text="x", answer="y")
    with chat_server(says_shorter, models=("judge",), fault=lambda _: Refuse(500)) as server:
        of_environment(judge="judge", base_url=server.base_url, options='{"max_attempts": 1}')
        with pytest.raises(EngineError, match="no usable answer"):
            asyncio.run(win_rate(task, trace))
