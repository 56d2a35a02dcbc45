"""A cascade as a task of the real lm-eval: abstentions and tokens are columns of their own."""

import json

import pytest

from ste_plugin.cascade.settings import CascadeSettings, Fitted, write_cascade
from ste_plugin.cascade.stages import asked_as, open_stages
from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.storage.resources import shipped_folder
from tests.helpers.cascades import StagedEngine, pair_row, use_engine, write_pairs
from tests.helpers.scripted_judge import scripted, told


def fitted_by_hand(path, deepest, threshold):
    """A cascade of two judges with these settings, whatever labels would say."""
    settings = CascadeSettings.model_validate(
        {
            "decision": {
                "judge": "small",
                "format": "verdict",
                "engine": "local",
                "force_verdict": True,
            },
            "reasoning": {"judge": "large", "format": "brief", "engine": "local"},
        }
    )
    stages = open_stages(settings)
    made = Fitted(
        error=0.1,
        confidence=0.95,
        promise="none",
        labels_by="construction",
        deepest=deepest,
        threshold=threshold,
        pairs=1,
        tied=0,
        ties="left out",
        prompts=1,
        answered=1,
        wrong=0,
        bound=0.1,
        asked_as={
            name: asked._asdict() for name, asked in asked_as(stages).items() if name != "vote"
        },
        curve=[],
    )
    write_cascade(path, settings.model_copy(update={"fitted": made}))


def evaluated(pairs, monkeypatch, cascade):
    import lm_eval
    from lm_eval.tasks import TaskManager

    monkeypatch.setenv("STE_CASCADE", str(cascade))
    with told(JudgeSettings(pairs)):
        found = lm_eval.simple_evaluate(
            model=scripted(lambda _: "not asked"),
            tasks=["ste_local_cascade"],
            bootstrap_iters=0,
            log_samples=True,
            task_manager=TaskManager(
                include_path=str(shipped_folder("tasks")), include_defaults=False
            ),
        )
    metrics = found["results"]["ste_local_cascade"]
    return {name.removesuffix(",none"): value for name, value in metrics.items()}, found


def test_what_is_answered_is_told_apart_from_how_well(tmp_path, monkeypatch):
    use_engine(monkeypatch, StagedEngine())
    cascade = tmp_path / "cascade.json"
    fitted_by_hand(cascade, "reasoning", 0.0)
    pairs = write_pairs(tmp_path / "pairs.jsonl", [pair_row(i, labels=None) for i in range(20)])
    figures, found = evaluated(pairs, monkeypatch, cascade)
    # 15 of the 20 is reasoned about by position; nothing is decided, and all others are right
    assert (figures["answered"], figures["acc"]) == (19 / 20, 1.0)
    assert (figures["by_decision"], figures["by_reasoning"], figures["by_vote"]) == (0, 0.95, 0)
    assert (figures["answered/even"], figures["answered/odd"]) == (1.0, 0.9)
    assert figures["written_tokens"] == 2 + 2 * 4  # a letter and four words in each order
    assert figures["acc_low"] < 1.0 == figures["acc_high"]
    assert found["configs"]["ste_local_cascade"]["metadata"]["cascade"]["promise"] == "none"
    assert "abstained" in json.dumps(found["samples"]["ste_local_cascade"][0], default=str)


def test_a_cascade_that_is_not_named_is_asked_for(tmp_path, monkeypatch):
    pairs = write_pairs(tmp_path / "pairs.jsonl", [pair_row(0, labels=None)])
    with pytest.raises(ConfigError, match="STE_CASCADE is not set"):
        evaluated(pairs, monkeypatch, "")


def test_the_command_of_lm_eval_ends_well_where_no_hub_can_be_reached(tmp_path, monkeypatch):
    """lm-eval's dummy asks the hub for a tokenizer once everything is judged."""
    from lm_eval.__main__ import cli_evaluate

    use_engine(monkeypatch, StagedEngine())
    fitted_by_hand(tmp_path / "cascade.json", "reasoning", 0.0)
    pairs = write_pairs(tmp_path / "pairs.jsonl", [pair_row(i, labels=None) for i in range(4)])
    monkeypatch.setenv("STE_CASCADE", str(tmp_path / "cascade.json"))
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", _no_hub)
    places = ["--include_path", str(shipped_folder("tasks")), "--output_path", str(tmp_path / "o")]
    command = [
        "lm_eval",
        "run",
        "--model",
        "dummy",
        "--tasks",
        "ste_local_cascade",
        "--log_samples",
    ]
    monkeypatch.setattr("sys.argv", command + places)
    with told(JudgeSettings(pairs)):
        cli_evaluate()
    (results,) = (tmp_path / "o").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["ste_local_cascade"]["acc,none"] == 1.0


def _no_hub(name, **_):
    raise OSError(f"{name}: the hub cannot be reached")
