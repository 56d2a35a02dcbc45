"""`ste follow`: a policy's answers become pairs, the judge is refreshed, what moved is told."""

import json
import shutil

import pytest
import yaml

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.run.status import read_status
from ste_plugin.storage.config_file import read_run_yaml
from ste_plugin.storage.jsonl import read_json, read_rows
from tests.helpers.fake_hosts import everything_under
from tests.helpers.followed_runs import finished_run, follow, policy


@pytest.fixture(scope="module")
def original(tiny_model, tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("followed") / "a", tiny_model, 0.85)


@pytest.fixture
def config(original, tmp_path):
    """A run with a trained judge, of a test's own."""
    shutil.copytree(original.parent, tmp_path / "a")
    return tmp_path / "a/ste.yaml"


def pairs_of(path):
    return {row["key"]: row for _, row in read_rows(path / "pool/pairs.jsonl")}


def test_a_round_is_a_run_whose_seed_is_the_last_judge_and_whose_generator_is_the_policy(
    config, tiny_model
):
    checkpoint = policy(config.parent, tiny_model, 100)
    follow(config, checkpoint)
    own = config.parent / "run-follow-01"
    settings = read_run_yaml(own / "run.yaml")
    assert settings.judge.model == "run/iter-01/model/merged"
    assert settings.generator.model == "policy/step-100"
    assert settings.iterations == 1
    assert read_json(own / "report.json")["best"] in (0, 1)
    first, second = (pairs_of(folder) for folder in (config.parent / "run", own))
    held_out = {row["instruction"] for row in first.values()}
    assert {row["instruction"] for row in second.values()} <= held_out


def test_what_the_run_held_out_is_held_out_of_the_round_and_measured_for_both_judges(
    config, tiny_model
):
    follow(config, policy(config.parent, tiny_model, 100))
    own = config.parent / "run-follow-01"
    kept = {
        row["prompt"]
        for path in (config.parent / "run/pool").glob("*-*.jsonl")
        for _, row in read_rows(path)
    }
    (rows,) = (own / "iter-01/dataset").glob("sft-train-*.jsonl")
    prompts = [row["messages"][0]["content"] for _, row in read_rows(rows)]
    assert kept
    assert prompts
    assert not [p for p in prompts if any(f"\n{text}\n" in p for text in kept)]
    for number in ("00", "01"):
        measured = {path.name for path in (own / f"iter-{number}/eval").iterdir()}
        assert measured == {"dev", "test", "run_dev", "run_test"}


def test_what_moved_is_told_and_kept_in_the_run(config, tiny_model, capsys):
    follow(config, policy(config.parent, tiny_model, 100), "always A")
    told = capsys.readouterr().out
    drift = read_json(config.parent / "run/follow/01.json")["drift"]
    assert list(drift["sets"]) == ["run_test", "test", "run_dev", "dev"]
    for found in drift["sets"].values():
        n = found["comparison"]["n"]
        assert found["verdicts"]["pairs"] == n > 0
        assert found["position"]["second"]["figure"] == 1.0  # of always A
        assert found["position"]["change"]["figure"] > 0.3
        assert found["verdicts"]["changed"] == sum(found["verdicts"]["to"].values())
        assert found["comparison"]["acc_pc"]["second"] == 0.0
        assert found["comparison"]["sentence"] in told
    assert "the new judge 100.0%: +" in told
    assert "to neither (the orders do not agree" in told
    assert "Not taken, as it breaks gates:" in told
    assert "agreement_loss: right in both orders on run_dev: 0%, the last judge" in told
    assert "The judge stays that of iteration 1." in told
    assert not drift["taken"]


def test_the_next_checkpoint_makes_the_next_round_from_the_judge_that_was_taken(
    config, tiny_model, capsys
):
    steps = [policy(config.parent, tiny_model, n) for n in (100, 200, 300)]
    follow(config, steps[0], 1.0)
    before = everything_under(config.parent / "run-follow-01")
    follow(config, steps[1], "always A")
    follow(config, steps[2], 1.0)
    judges = [
        read_run_yaml(config.parent / f"run-follow-0{n}/run.yaml").judge.model for n in (1, 2, 3)
    ]
    taken = "run-follow-01/iter-01/model/merged"
    assert judges == ["run/iter-01/model/merged", taken, taken]
    assert everything_under(config.parent / "run-follow-01") == before
    assert "Taken: the new judge breaks no gate" in capsys.readouterr().out
    told = read_status(config.parent / "run")["followed"]
    assert [row["done"] for row in told] == [True, True, True]
    assert told[1]["told"] == "not taken: the judge stays that of round 1"
    page = (config.parent / "run/report.html").read_text()
    assert "Following a policy" in page
    assert "no: breaks a gate" in page


def test_the_same_checkpoint_again_changes_nothing_and_tells_the_same(config, tiny_model, capsys):
    checkpoint = policy(config.parent, tiny_model, 100)
    follow(config, checkpoint, 0.95)
    first, before = capsys.readouterr().out, everything_under(config.parent)
    follow(config, checkpoint, 0.1)
    assert capsys.readouterr().out == first
    assert everything_under(config.parent) == before


def steps_of(config, checkpoint) -> list[str]:
    seen = []
    follow(config, checkpoint, 0.95, on_step=seen.append)
    return seen


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", ["iter-00/eval", "train ", "iter-01/eval", "gates.json", "report"])
def test_a_killed_round_ends_as_one_that_was_not(config, tiny_model, tmp_path, at):
    checkpoint = policy(config.parent, tiny_model, 100)
    shutil.copytree(config.parent, tmp_path / "b")
    whole = tmp_path / "b/ste.yaml"
    follow(whole, whole.parent / "policy/step-100", 0.95)

    def kill(step):
        if at in step:
            raise Killed

    with pytest.raises(Killed):
        follow(config, checkpoint, 0.95, on_step=kill)
    state = read_status(config.parent / "run")["followed"][0]
    assert not state["done"]
    assert "ste follow" in state["told"]
    follow(config, checkpoint, 0.95)
    drifts = [read_json(p.parent / "run/follow/01.json")["drift"] for p in (config, whole)]
    for drift in drifts:
        assert drift.pop("model").endswith("iter-01/model/merged") or not drift["taken"]
    assert drifts[0] == drifts[1]


def test_another_checkpoint_waits_until_the_last_round_is_finished(config, tiny_model):
    first, second = (policy(config.parent, tiny_model, n) for n in (100, 200))

    def kill(_):
        raise Killed

    with pytest.raises(Killed):
        follow(config, first, on_step=kill)
    with pytest.raises(ConfigError, match=r"round 1, of .*step-100, is not finished.*ste follow"):
        follow(config, second)


def test_a_checkpoint_that_changed_since_it_was_followed_is_refused(config, tiny_model):
    checkpoint = policy(config.parent, tiny_model, 100)
    follow(config, checkpoint)
    (checkpoint / "config.json").write_text(
        json.dumps(json.loads((checkpoint / "config.json").read_text()) | {"step": 101})
    )
    with pytest.raises(DataError, match="changed since it was followed in round 1"):
        follow(config, checkpoint)


def test_a_checkpoint_that_changes_while_it_answers_is_not_learnt_from(
    config, tiny_model, monkeypatch
):
    from ste_plugin.run import loop

    checkpoint, prepare = policy(config.parent, tiny_model, 100), loop.prepare_pool_with_prefetch

    def write_meanwhile(first):
        pool = prepare(first)
        (checkpoint / "generation_config.json").write_text('{"temperature": 1.5}')
        return pool

    monkeypatch.setattr(loop, "prepare_pool_with_prefetch", write_meanwhile)
    with pytest.raises(DataError, match="changed while its answers were written"):
        follow(config, checkpoint)
    assert not (config.parent / "run-follow-01/iter-01").exists()


def test_a_judge_of_the_run_or_of_a_round_is_no_policy(config, tiny_model):
    with pytest.raises(ConfigError, match="the judge of iteration 1, and not a policy"):
        follow(config, config.parent / "run/iter-01/model/merged")
    follow(config, policy(config.parent, tiny_model, 100), 1.0)
    with pytest.raises(ConfigError, match="the judge of round 1, and not a policy"):
        follow(config, config.parent / "run-follow-01/iter-01/model/merged")
    assert len(read_status(config.parent / "run")["followed"]) == 1


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_tokenizer(folder):
    for path in folder.glob("*token*"):
        path.unlink()


def no_shard(folder):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def torn(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_weights, "no weights in it as safetensors.*merge-sharded-fsdp-weights"),
        (no_tokenizer, "no tokenizer in it.*Copy the tokenizer's files"),
        (no_shard, "weights are missing: model-00002-of-00002.*still writes there"),
        (torn, "torn.*still writes there"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused_with_its_cure(config, tiny_model, damage, said):
    checkpoint = policy(config.parent, tiny_model, 100)
    damage(checkpoint)
    with pytest.raises(DataError, match=f"(?s)step-100: no policy to follow: .*{said}"):
        follow(config, checkpoint)
    assert not (config.parent / "run/follow").exists()


def test_a_folder_of_checkpoints_is_refused_with_the_last_of_them(config, tiny_model):
    for step in (100, 90, 1000):
        policy(config.parent, tiny_model, step)
    with pytest.raises(DataError, match="models in step-90, step-100, step-1000: name one"):
        follow(config, config.parent / "policy")


def test_a_path_to_nothing_is_no_name_at_a_server(config):
    with pytest.raises(ConfigError, match="no such folder.*--base-url"):
        follow(config, "policy/step-7")
    assert not (config.parent / "run/follow").exists()


def test_a_run_without_a_trained_judge_is_refused(config, tiny_model):
    checkpoint = policy(config.parent, tiny_model, 100)
    report = config.parent / "run/report.json"
    content = read_json(report)
    report.write_text(json.dumps(content | {"best": 0}))
    with pytest.raises(DataError, match="no trained judge to refresh: the run ships its seed"):
        follow(config, checkpoint)
    report.unlink()
    with pytest.raises(DataError, match="not finished.*Finish it: `ste run`"):
        follow(config, checkpoint)


def test_instructions_of_another_file_are_followed_on_and_repeat_no_held_out_prompt(
    config, tiny_model, tmp_path
):
    given = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"Policies are asked {n}."} for n in range(60)]
    (held,) = (config.parent / "run/pool").glob("test-*.jsonl")
    rows += [{"prompt": row["prompt"]} for _, row in read_rows(held)]
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    checkpoint = policy(config.parent, tiny_model, 100)
    follow(config, checkpoint, 0.9, "--instructions", given)
    texts = {row["instruction"] for row in pairs_of(config.parent / "run-follow-01").values()}
    assert texts
    assert all(text.startswith("Policies are asked") for text in texts)
    with pytest.raises(ConfigError, match="followed in round 1 with --instructions .*prompts"):
        follow(config, checkpoint)


def test_what_the_run_forgot_stays_forgotten_in_a_round(config, tiny_model):
    from tests.helpers.forgetting import forgotten

    forgotten(config, match="Say number 7.")
    follow(config, policy(config.parent, tiny_model, 100))
    texts = {row["instruction"] for row in pairs_of(config.parent / "run-follow-01").values()}
    assert "Say number 8." in texts
    assert "Say number 7." not in texts


def test_forgetting_reaches_the_rounds(config, tiny_model, capsys):
    from ste_plugin.cli.entry_point import app

    follow(config, policy(config.parent, tiny_model, 100))
    hooks = config.parent / "hooks.py"
    words = ["forget", config, "--match", "Say number 7.", "--plugin", hooks, "--json"]
    capsys.readouterr()
    app([str(word) for word in words], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)["rounds"]
    own = config.parent / "run-follow-01"
    assert told[str(own)]["removed"]["pairs"] > 0
    assert "Say number 7." not in (own / "pool/pairs.jsonl").read_text()


def test_forgetting_reaches_the_rounds_of_a_run_that_lies_elsewhere(
    tiny_model, tmp_path, tmp_path_factory, capsys, monkeypatch
):
    from ste_plugin.cli.entry_point import app

    run = tmp_path / "scratch/judge"
    config = finished_run(tmp_path / "a", tiny_model, 0.85, run=str(run))
    follow(config, policy(tmp_path / "a", tiny_model, 100))
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    words = ["forget", run, "--match", "Say number 7.", "--plugin", tmp_path / "a/hooks.py"]
    capsys.readouterr()
    app([*(str(word) for word in words), "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)["rounds"]
    assert told[str(run.with_name("judge-follow-01"))]["removed"]["completions"] > 0


def test_a_round_is_not_begun_without_the_plugins_of_the_run(config, tiny_model):
    path = config.parent / "run/run.yaml"
    record = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(record | {"plugins": {"policy.py": ["ste_gates"]}}))
    with pytest.raises(ConfigError, match=r"made with the plugin policy\.py"):
        follow(config, policy(config.parent, tiny_model, 100))


def test_a_checkpoint_that_is_removed_once_it_has_answered_does_not_end_its_round(
    config, tiny_model, capsys
):
    checkpoint = policy(config.parent, tiny_model, 100)

    def kill(step):
        if "train " in step:
            raise Killed

    with pytest.raises(Killed):
        follow(config, checkpoint, 1.0, on_step=kill)
    shutil.rmtree(checkpoint)
    follow(config, checkpoint, 1.0)
    told = capsys.readouterr().out
    follow(config, checkpoint, 1.0)
    assert capsys.readouterr().out == told
    assert "Taken: the new judge breaks no gate" in told
