"""The scorer of inspect_ai, in its own evaluations; `test_single` has what it scores by."""

from pathlib import Path

import pytest

from tests.helpers.comparers import TOO_LONG, Always, ShorterWins

inspect_ai = pytest.importorskip("inspect_ai", reason="inspect_ai is not installed here")

from inspect_ai.dataset import Sample  # noqa: E402
from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from ste_plugin.errors import EngineError  # noqa: E402
from ste_plugin.integrations.inspect_scorer import win_rate  # noqa: E402

TARGETS = {"Name a fruit.": "An apple.", "Say hello.": "Hi.", "Count to two.": "One, two."}


def evaluated(said, tmp_path, judge=None, limit=None, targets=TARGETS, **settings):
    """The log of one evaluation in which a model says what is told."""

    def answer(turns, *_):
        output = ModelOutput.from_content("mockllm", said[turns[-1].text])
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    task = inspect_ai.Task(
        dataset=[Sample(input=ask, target=target, id=ask) for ask, target in targets.items()],
        scorer=win_rate(judge or ShorterWins(), **settings),
    )
    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(tmp_path), limit=limit, display="none")
    return log


def metrics(log):
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


SAID = {"Name a fruit.": "Fig.", "Say hello.": "Good morning.", "Count to two.": "One, two."}


def test_the_win_rate_comes_with_its_error_its_interval_and_abstentions(tmp_path):
    found = metrics(evaluated(SAID, tmp_path))
    assert found["mean"] == 0.5
    assert found["abstained"] == pytest.approx(1 / 3)
    assert 0 < found["lower"] < 0.5 < found["upper"] < 1
    assert found["stderr"] > 0


def test_a_log_of_another_model_may_take_the_place_of_targets(tmp_path):
    baseline = evaluated(dict.fromkeys(TARGETS, "Something long."), tmp_path).location
    log = evaluated(SAID, tmp_path, baseline=baseline)
    assert metrics(log)["mean"] == 1.0
    assert Path(baseline).is_file()


def test_a_baseline_that_said_nothing_loses_and_one_without_a_sample_is_an_error(tmp_path):
    silent = evaluated(dict.fromkeys(TARGETS, ""), tmp_path).location
    assert metrics(evaluated(SAID, tmp_path, baseline=silent))["mean"] == 1.0
    limited = evaluated(SAID, tmp_path, limit=1).location
    log = evaluated(SAID, tmp_path, baseline=limited)
    assert log.status == "error"
    assert "no answer to sample 'Say hello.' among 1" in log.error.message


def test_a_sample_without_output_is_unscored_rather_than_lost(tmp_path):
    broken = evaluated({}, tmp_path)
    assert broken.status == "error"
    scored = inspect_ai.score(broken, win_rate(ShorterWins()), display="none")
    assert scored.results.scores[0].scored_samples == 0


def test_several_targets_are_refused_as_only_one_can_be_beaten(tmp_path):
    log = evaluated(SAID, tmp_path, targets={ask: ["Fig.", "Plum."] for ask in TARGETS})
    assert log.status == "error"
    assert "target: found 2 of them" in log.error.message


def test_what_cannot_be_compared_is_left_unscored(tmp_path):
    log = evaluated(SAID, tmp_path, judge=Always(TOO_LONG))
    assert log.status == "success"
    assert log.results.scores[0].unscored_samples == 3


def test_a_judge_that_cannot_answer_ends_the_evaluation(tmp_path):
    class Failing(ShorterWins):
        async def acompare_many(self, pairs):
            raise EngineError("no server")

    log = evaluated(SAID, tmp_path, judge=Failing())
    assert log.status == "error"
    assert "no server" in log.error.message
