"""One process of lm-eval measures a judge on several sets; what it says of each is kept apart."""

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ste_plugin.config import EvaluationConfig, HostConfig
from ste_plugin.errors import DataError, HostError
from ste_plugin.lm_eval_tasks import measure_sets, orders, runner
from ste_plugin.lm_eval_tasks.measuring_process import MeasuringProcess
from ste_plugin.lm_eval_tasks.prompt_states import SharedPrompts
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers import ROOT
from tests.helpers.scripted_judge import PAIRS

STUBS = ROOT / "tests/survival/soak/hosts"


@pytest.fixture
def judge(tmp_path, monkeypatch) -> Path:
    """A judge, measured by the lm-eval of the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (STUBS, ROOT))))
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"seed")
    return folder


def order(judge: Path, name: str, pairs: list[dict] = PAIRS, **env: str) -> dict:
    folder = judge.parent
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    asked = orders.order(
        str(judge),
        folder / name,
        JudgeSettings(data, "verdict"),
        config=EvaluationConfig(),
        task="ste_local",
        folder=folder,
    )
    return {**asked, "env": {**asked["env"], **env}}


def started(timeout_minutes=None) -> MeasuringProcess:
    return MeasuringProcess(sys.executable, timeout_minutes)


def test_the_model_is_loaded_once_for_all_sets(judge):
    logs = [judge.parent / f"{name}.log" for name in "abc"]
    with started() as process:
        for log in logs:
            process.measure(order(judge, log.stem), log, "lm-eval")
    assert [log.read_text().count("weights are loaded") for log in logs] == [1, 0, 0]
    assert all(len(list(judge.parent.glob(f"{n}/lm-eval/samples_*"))) == 1 for n in "abc")


def test_the_log_of_a_set_says_how_to_measure_it_by_lm_evals_own_command(judge):
    log = judge.parent / "a.log"
    with started() as process:
        process.measure(order(judge, "a"), log, "lm-eval")
    assert "python -m lm_eval run --model hf --model_args " in log.read_text()


def test_a_set_that_fails_is_told_with_its_own_log_and_the_next_one_is_measured(judge):
    a, b, c = (judge.parent / f"{name}.log" for name in "abc")
    with started() as process:
        process.measure(order(judge, "a"), a, "lm-eval on a")
        missing = order(judge, "b", STE_JUDGE_DATA="/no/such/pairs")
        with pytest.raises(
            HostError, match=r"lm-eval on b: failed, exit code 1(.|\n)*No such"
        ) as told:
            process.measure(missing, b, "lm-eval on b")
        process.measure(order(judge, "c"), c, "lm-eval on c")
    assert str(told.value).endswith(f"Log: {b}")
    assert "Traceback" not in a.read_text() + c.read_text()
    assert "weights are loaded" in c.read_text()


def test_a_process_that_is_killed_is_told_as_that(judge):
    with started() as process:
        process.measure(order(judge, "a"), judge.parent / "a.log", "lm-eval")
        guard = process.guard.pid
        children = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        with pytest.raises(HostError, match="killed by signal 9 .*ran out of memory"):
            process.measure(order(judge, "b"), judge.parent / "b.log", "lm-eval")


def test_the_time_limit_is_that_of_each_set(judge):
    with started(timeout_minutes=0.05) as process:
        process.measure(order(judge, "a"), judge.parent / "a.log", "lm-eval")
        many = [{**PAIRS[0], "id": str(n)} for n in range(1000)]
        with pytest.raises(HostError, match=r"stopped after .* minutes, the hosts.\*.timeout"):
            process.measure(order(judge, "b", many), judge.parent / "b.log", "lm-eval")
        guard = process.guard
    assert guard is None


def test_no_process_is_started_for_what_was_measured_before(judge, monkeypatch):
    monkeypatch.setattr(runner, "judge_token_counter", lambda *_: None)  # it has no tokenizer

    def measured(process):
        data = judge.parent / "pairs.jsonl"
        data.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
        return runner.evaluate(
            str(judge),
            judge.parent / "out",
            settings=JudgeSettings(data, "verdict"),
            config=EvaluationConfig(),
            host=HostConfig(),
            process=process,
        )

    with started() as process:
        first = measured(process)
    with started() as process:
        assert measured(process) == first
        assert process.guard is None


def test_a_set_is_measured_as_if_there_had_been_no_other(judge, monkeypatch):
    import lm_eval

    found = []
    monkeypatch.setattr(
        lm_eval,
        "simple_evaluate",
        lambda m, *_, **__: found.append((m.batch_sizes, m._model_generate.scored)),
    )
    shared = SharedPrompts(SimpleNamespace(_model_generate=None))
    shared.scored[1, 2] = -0.5, True
    model = SimpleNamespace(batch_sizes={0: 64}, _model_generate=shared)
    measure_sets.measure(model, order(judge, "a"))
    assert found == [({}, {})]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_log_that_finds_no_room_ends_no_measurement_and_is_the_reason_where_one_fails(judge):
    log = judge.parent / "a.log"
    log.symlink_to("/dev/full")
    with started() as process:
        process.measure(order(judge, "a"), log, "lm-eval")
        assert list(judge.parent.glob("a/lm-eval/samples_*"))
        with pytest.raises(DataError, match="No space left on device"):
            process.measure(order(judge, "b", STE_JUDGE_DATA="/no/such/pairs"), log, "lm-eval")
