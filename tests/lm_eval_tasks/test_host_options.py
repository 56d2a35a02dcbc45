"""lm-eval's own options, in the real lm-eval: what they make of judges is right, or refused."""

from types import SimpleNamespace

import pytest

from ste_plugin.errors import ConfigError
from ste_plugin.lm_eval_tasks.host_options import (
    model_of,
    refuse_lost_keys,
    refuse_lost_metadata,
    sampling_told,
)
from tests.helpers.scripted_judge import (
    GENERATED,
    PAIRS,
    asked,
    drawn_at_random,
    evaluated_by_lm_eval,
    picks_the_apple,
    run_task,
    scripted,
    written,
)


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def named(name, reply):
    model = scripted(reply)
    model.pretrained = name
    return model


def knows(prompt):
    return f"[[{picks_the_apple(prompt)}]]"


def test_predict_only_logs_the_replies_and_tells_the_same_figures(pairs):
    found = [
        evaluated_by_lm_eval(scripted(knows), pairs, lm_eval_settings={"predict_only": only})
        for only in (True, False)
    ]
    figures, usual = ({**run["results"]["ste_local"]} for run in found)
    assert figures == usual
    assert figures["acc_pc,none"] == 1
    assert [s["judged"]["verdicts"][0]["prefers"] for s in found[0]["samples"]["ste_local"]] == [
        "chosen"
    ] * len(PAIRS)


def test_a_cache_of_replies_gives_the_same_figures_without_asking(pairs, tmp_path):
    cached = {"use_cache": str(tmp_path / "cache")}
    first, again = named("a/judge", knows), named("a/judge", lambda _: "[[A]]")
    told = [run_task(m, pairs, lm_eval_settings=cached)[0] for m in (first, again)]
    assert told[0] == told[1]
    assert (len(asked(first, GENERATED)), asked(again, GENERATED)) == (2 * len(PAIRS), [])


def test_a_cache_of_another_model_is_refused_as_it_would_give_its_replies(pairs, tmp_path):
    cached = {"use_cache": str(tmp_path / "cache")}
    run_task(named("a/judge", knows), pairs, lm_eval_settings=cached)
    other = named("another/judge", lambda _: "[[A]]")
    with pytest.raises(ConfigError, match=r"replies of a/judge, and this is another/judge"):
        run_task(other, pairs, lm_eval_settings=cached)
    assert asked(other, GENERATED) == []
    apart = {"use_cache": str(tmp_path / "another cache")}
    assert run_task(other, pairs, lm_eval_settings=apart)[0]["acc_pc"] == 0


def test_weights_that_changed_in_their_folder_are_another_model(pairs, tmp_path):
    cached = {"use_cache": str(tmp_path / "cache")}
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    for weights in ("old", "new"):
        (folder / "model.safetensors").write_bytes(weights.encode() * 999)
        if weights == "old":
            run_task(named(str(folder), knows), pairs, lm_eval_settings=cached)
    with pytest.raises(ConfigError, match="Name another file for each model"):
        run_task(named(str(folder), knows), pairs, lm_eval_settings=cached)


def test_another_revision_on_vllm_is_another_model():
    def judge(revision):
        return SimpleNamespace(model_args={"model": "org/judge", "revision": revision})

    assert model_of(judge("round-1")) != model_of(judge("round-2"))


def test_a_cache_that_does_not_say_whose_replies_it_holds_is_refused(pairs, tmp_path):
    from lm_eval.api.model import CachingLM

    CachingLM(scripted(knows), str(tmp_path / "cache_rank0.db")).dbdict["some hash"] = "[[A]]"
    with pytest.raises(ConfigError, match="a model that it does not name"):
        run_task(scripted(knows), pairs, lm_eval_settings={"use_cache": str(tmp_path / "cache")})


def test_votes_are_drawn_anew_whatever_is_cached_and_stop_early(pairs, tmp_path):
    cached = {"use_cache": str(tmp_path / "cache")}
    told = [
        run_task(drawn_at_random(), pairs, votes=5, lm_eval_settings=given)
        for given in ({}, cached, cached)
    ]
    assert told[0][0] == told[1][0] == told[2][0]
    assert [s["filtered_resps"] for s in told[2][1]] == [s["filtered_resps"] for s in told[0][1]]


@pytest.mark.parametrize(
    ("votes", "given", "told"),
    [
        (3, {"temperature": 0}, "temperature is 0, .* 3 votes would all be the same"),
        (3, {"temperature": 0.0, "do_sample": False}, "do_sample is false, so 3 votes"),
        (3, {"do_sample": False}, "do_sample is false, so 3 votes"),
        (3, {"seed": 1}, "seed is 1, .* 3 votes would all be the same"),
        (1, {"do_sample": True}, "temperature is 0, and do_sample true"),
    ],
)
def test_gen_kwargs_that_make_all_votes_the_same_are_refused(pairs, votes, given, told):
    model = scripted(knows)
    with pytest.raises(ConfigError, match=told):
        run_task(model, pairs, votes=votes, lm_eval_settings={"gen_kwargs": given})
    assert model.asked == []


def test_a_temperature_in_gen_kwargs_samples_on_every_backend(pairs):
    model = scripted(knows)
    run_task(model, pairs, limit=1, lm_eval_settings={"gen_kwargs": {"temperature": 0.5}})
    told = asked(model, GENERATED)[0][1]
    assert (told["do_sample"], told["temperature"]) == (True, 0.5)


def test_settings_on_the_command_line_that_lm_eval_loses_are_refused_with_the_variable():
    command = ["lm_eval", "run", "--metadata", '{"judge_votes": 8}', "--tasks", "ste_local"]
    with pytest.raises(ConfigError, match="Set the environment variable STE_JUDGE_VOTES"):
        refuse_lost_metadata(command, {"judge_benchmark": "local"})
    refuse_lost_metadata(command, {"judge_votes": 8})
    refuse_lost_metadata(["lm_eval", "--tasks", "judge_mine"], {})
    named_alike = ["lm_eval", "--metadata", '{"judge_data": "judge_pairs.jsonl"}']
    refuse_lost_metadata(named_alike, {"judge_data": "judge_pairs.jsonl"})
    for misspelt in ("judge_vote=8", '{"judge-votes": 8}'):
        with pytest.raises(ConfigError, match="no such setting. Did you mean 'judge_votes'"):
            refuse_lost_metadata(["lm_eval", "--metadata", misspelt], {})


def test_the_sampling_of_the_tasks_themselves_is_left_as_it_is():
    greedy = {"do_sample": False, "temperature": 0.0}
    assert sampling_told(greedy, 1) == greedy
    sampled = {"do_sample": True, "temperature": 0.7, "seed": None}
    assert sampling_told(sampled, 8) == sampled


@pytest.mark.parametrize(
    "key", [{"generation_kwargs": {"temperature": 0.9}}, {"repeats": 8}, {"description": "Say A."}]
)
def test_a_key_of_a_tasks_yaml_that_would_change_nothing_is_refused(key):
    refuse_lost_keys({"task": "mine", "tag": "a", "metadata": {"judge_votes": 8}})
    with pytest.raises(ConfigError, match=f"mine: {next(iter(key))} in its YAML would change noth"):
        refuse_lost_keys({"task": "mine", **key})
