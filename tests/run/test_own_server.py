"""A server of the run's own measures a judge, and samples for the next iteration."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from tests.helpers.started_server import FAKE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("aiohttp") is None, reason="lm-eval's API backends need lm-eval[api]"
)


def written(folder: Path, judge: Path, **evaluation: object) -> Path:
    rows = [{"instruction": f"Say the number {n} in words."} for n in range(40)]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    pair = {"id": "p", "subset": "s", "prompt": "Name a fruit.", "chosen": "Fig", "rejected": "Saw"}
    (folder / "mine.jsonl").write_text(json.dumps(pair))
    config = {
        "run": "run",
        "judge": {"model": str(judge), "engine": "serve"},
        "instructions": [{"path": "instructions.jsonl"}],
        "selection": {"selectors": ["exact-duplicates"]},
        "pairs": {"strategies": ["other-instruction"]},
        "judging": {"format": "verdict", "max_new_tokens": 4},
        "dataset": {"dev_fraction": 0.2, "test_fraction": 0.0},
        "training": {"recipe": "sft-lora-8b"},
        "evaluation": {"pairs": {"mine": "mine.jsonl"}, **evaluation},
        "hosts": {"serve": {"command": list(FAKE)}},
    }
    path = folder / "ste.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_one_server_writes_measures_and_judges(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, backend="local-chat-completions")
    with open_run(path, [], quiet=True) as context:
        results = stages.evaluate(context, 0)
        engine = context.models.use(stages.read_iteration(context, 1, 1).judge)
        assert engine.start().base_url
    assert set(results) == {"dev", "mine"}
    (log,) = (tmp_path / "run").rglob("serve.log")
    assert log.read_text().count("told ") == 1
    assert "base_url" not in (tmp_path / "run/iter-00/eval/mine/results.json").read_text()
    with open_run(path, [], quiet=True) as context:
        assert stages.evaluate(context, 0) == results
    assert log.read_text().count("told ") == 1


@pytest.mark.parametrize(
    "evaluation",
    [
        {},
        {"backend": "vllm"},
        {"backend": "local-completions", "model_args": {"base_url": "http://10.0.0.1/v1"}},
    ],
)
def test_a_judge_that_lm_eval_finds_by_itself_needs_no_server(tiny_model, tmp_path, evaluation):
    path = written(tmp_path, tiny_model, **evaluation)
    with open_run(path, [], quiet=True) as context:
        assert stages.find_server(context, context.config.judge) is None


@pytest.mark.parametrize(
    ("evaluation", "stays_open"),
    [
        ({}, False),
        ({"backend": "vllm"}, False),
        ({"backend": "local-chat-completions"}, True),
        ({"backend": "local-completions", "model_args": {"base_url": "http://10.0.0.1/v1"}}, True),
    ],
)
def test_a_judge_that_lm_eval_loads_has_the_memory_of_the_runs_own_models(
    tiny_model, tmp_path, monkeypatch, evaluation, stays_open
):
    path, open_still = written(tmp_path, tiny_model, **evaluation), []
    with open_run(path, [], quiet=True) as context:
        stages.plan_evaluations(context)  # of which the dev pairs are made first
        engine = context.models.use(context.config.judge)

        def measured(*_: object, **__: object) -> dict[str, object]:
            open_still.append(context.models.use(context.config.judge) is engine)
            return {}

        monkeypatch.setattr(stages.lm_eval, "evaluate", measured)
        assert stages.evaluate(context, 0) == {"dev": {}, "mine": {}}
    assert open_still[0] is stays_open
