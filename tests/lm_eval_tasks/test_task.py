"""`ste_local` inside the real lm-eval, with judges known in full and with a tiny real model."""

import json
import logging
import os
import shlex
import sys

import pytest

from ste_plugin.config import EvaluationConfig, HostConfig
from ste_plugin.errors import ConfigError, DataError, HostError
from ste_plugin.judging.builtin import VERDICT
from ste_plugin.lm_eval_tasks import orders
from ste_plugin.lm_eval_tasks import runner as host
from ste_plugin.lm_eval_tasks.benchmarks import read_pairs
from ste_plugin.lm_eval_tasks.figures import SPREAD
from ste_plugin.lm_eval_tasks.measurement import recorded
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.labelled_rows import TALK, TALK_IN_WORDS
from tests.helpers.scripted_judge import (
    GENERATED,
    PAIRS,
    SCORED,
    asked,
    picks_the_apple,
    run_task,
    scripted,
    words,
    written,
)

pytestmark = pytest.mark.usefixtures("warm_hosts")


@pytest.fixture
def pairs(tmp_path):
    return written(tmp_path / "pairs.jsonl")


def test_a_perfect_judge_gets_full_marks_from_lm_eval(pairs):
    model = scripted(lambda prompt: f"[[{picks_the_apple(prompt)}]]")
    metrics, samples = run_task(model, pairs)
    assert [metrics[m] for m in ("acc", "acc_pc", "consistency")] == [1, 1, 1]
    assert [metrics[m] for m in ("pos_bias", "invalid_rate", "forced_rate")] == [0, 0, 0]
    assert len(samples) == len(PAIRS)


def test_subsets_are_measured_apart_though_every_pair_reports_the_same_metrics(pairs):
    numbers = ("number 2", "number 3")

    def reply(prompt):  # right on the hard pairs, always A on the easy ones
        hard = any(f"An apple, {n}" in prompt for n in numbers)
        return f"[[{picks_the_apple(prompt)}]]" if hard else "[[A]]"

    metrics, samples = run_task(scripted(reply), pairs)
    assert (metrics["acc_pc/easy"], metrics["acc_pc/hard; very"], metrics["acc_pc"]) == (0, 1, 0.5)
    assert len({tuple(sample["metrics"]) for sample in samples}) == 1


def test_each_pair_is_asked_in_both_orders_with_the_prompt_of_training(pairs):
    model = scripted(lambda _: "[[A]]")
    run_task(model, pairs, limit=1)
    first = PAIRS[0]
    shown = [
        VERDICT.render_pair(first["prompt"], first["chosen"], first["rejected"], order)[0].content
        for order in ("A", "B")
    ]
    assert [a[0] for a in asked(model, GENERATED)] == [f"<user>{p}<assistant>" for p in shown]
    assert asked(model, SCORED) == []


def test_replies_are_asked_for_greedily_and_never_cut_at_a_word(pairs):
    model = scripted(lambda _: "[[A]]")
    run_task(model, pairs, limit=1, max_new_tokens=5)
    settings = asked(model, GENERATED)[0][1]
    assert settings == {
        "do_sample": False,
        "temperature": 0.0,
        "repetition_penalty": 1.0,
        "until": [],
        "max_gen_toks": 5,
    }


def test_a_silent_judge_is_measured_by_the_likelier_letter_when_forced(pairs):
    def scores(prompt, letter):
        return -1.0 if letter == picks_the_apple(prompt) else -2.0

    model = scripted(lambda _: "I cannot say.", scores)
    metrics, _ = run_task(model, pairs, force=True)
    assert (metrics["acc_pc"], metrics["forced_rate"], metrics["pos_bias"]) == (1, 1, 0)
    assert (metrics["invalid_rate"], metrics["unforced_acc_pc"]) == (1, 0)
    prompts = [prompt for prompt, _ in asked(model, GENERATED)]
    assert asked(model, SCORED) == [[f"{p}[[", letter] for p in prompts for letter in "AB"]


def test_a_judges_own_verdict_wins_over_the_forced_one(pairs):
    def against(prompt, letter):
        return -2.0 if letter == picks_the_apple(prompt) else -1.0

    model = scripted(lambda prompt: f"[[{picks_the_apple(prompt)}]]", against)
    metrics, _ = run_task(model, pairs, force=True)
    assert (metrics["acc_pc"], metrics["forced_rate"]) == (1, 0)


def test_figures_that_do_not_exist_are_none_and_break_nothing(pairs):
    metrics, _ = run_task(scripted(lambda _: "no idea"), pairs)
    assert (metrics["pos_bias"], metrics["acc"], metrics["acc_strict"]) == (None, 0.5, 0)


def test_a_missing_chat_template_is_warned_about(pairs, caplog):
    with caplog.at_level(logging.WARNING, logger="ste_plugin"):
        run_task(scripted(lambda _: "[[A]]"), pairs, chat=False, limit=1)
    assert "Pass --apply_chat_template" in caplog.text


def test_a_prompt_that_the_backend_would_cut_is_refused_before_anything_is_generated(pairs):
    model = scripted(lambda _: "[[A]]")
    model.tok_encode, model.max_length = words, 30
    with pytest.raises(DataError, match=r"4 of 4 pairs \(100.0%\) do not fit .* 30 tokens"):
        run_task(model, pairs, max_new_tokens=20)
    assert model.asked == []


def test_a_tokenizer_that_merges_the_letter_cannot_be_forced(pairs):
    model = scripted(lambda _: "[[A]]")
    model.tok_encode = words  # makes "…[[" and "…[[A" one token each
    with pytest.raises(ConfigError, match="cannot be forced"):
        run_task(model, pairs, force=True)


def test_faulty_pairs_are_refused_when_the_task_is_made(pairs):
    pairs.write_text(pairs.read_text() + '{"id": "p9"}\n')
    with pytest.raises(DataError, match=r"pairs.jsonl:5: no column 'prompt', 'chosen', 'rejected'"):
        run_task(scripted(lambda _: "[[A]]"), pairs)


def test_a_format_of_an_unpublished_plugin_can_judge(pairs, tmp_path):
    hooks = tmp_path / "hooks.py"
    hooks.write_text(
        "from ste_plugin.hookspecs import hookimpl\n"
        "from ste_plugin.judging import JudgeFormat\n"
        "@hookimpl\n"
        "def ste_judge_formats():\n"
        "    return {'terse': JudgeFormat('terse', 'Which is better?', '[[', False, 4)}\n"
    )
    settings = JudgeSettings(pairs, "terse", plugins=(hooks,))
    assert settings.load_judge_format().rubric == "Which is better?"


def test_settings_survive_the_way_through_the_environment(pairs, tmp_path):
    settings = JudgeSettings(pairs, "brief", True, 9, 3, (tmp_path / "a.py", tmp_path / "b.py"))
    assert JudgeSettings.read(settings.environment(), {}) == settings


def test_metadata_wins_over_the_environment(pairs):
    environ = JudgeSettings(pairs, "brief").environment()
    found = JudgeSettings.read(environ, {"judge_format": "plan", "judge_limit": 2})
    assert (found.format, found.limit, found.data) == ("plan", 2, pairs)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"STE_JUDGE_DATA": ""}, "STE_JUDGE_DATA is not set"),
        ({"STE_JUDGE_LIMIT": "-1"}, "STE_JUDGE_LIMIT .*: found '-1'"),
        ({"STE_JUDGE_FORCE": "perhaps"}, "STE_JUDGE_FORCE .*: found 'perhaps'"),
    ],
)
def test_a_bad_setting_is_named(pairs, changes, told):
    with pytest.raises(ConfigError, match=told):
        JudgeSettings.read(JudgeSettings(pairs).environment() | changes, {})


def evaluated(model, pairs, out, python=None, max_new_tokens=4):
    settings = JudgeSettings(pairs, "verdict", force=True, max_new_tokens=max_new_tokens)
    return host.evaluate(
        str(model),
        out,
        settings=settings,
        config=EvaluationConfig(),
        host=HostConfig(python=python),
    )


@pytest.mark.slow
def test_a_real_model_is_measured_once_and_both_reports_agree(tiny_model, pairs, tmp_path):
    out = tmp_path / "eval, with a comma"
    results = evaluated(tiny_model, pairs, out)
    assert json.loads((out / "results.json").read_text()) == results
    assert (results["n"], list(results["subsets"])) == (4, ["easy", "hard, very"])
    assert results["overall"]["invalid_rate"] == results["overall"]["forced_rate"] == 1.0
    (own,) = (out / "lm-eval").glob("results_*.json")
    reported = json.loads(own.read_text())["results"]["ste_local"]
    told = {m: v for m, v in results["overall"].items() if not m.endswith(SPREAD[1:])}
    assert {m: reported[f"{m},none"] for m in told} == told

    log = (out / "lm-eval.log").stat()
    assert evaluated(tiny_model, pairs, out) == results
    assert (out / "lm-eval.log").stat() == log


@pytest.mark.slow
def test_why_lm_eval_refused_is_told_with_its_log(tiny_model, pairs, tmp_path):
    with pytest.raises(HostError, match=r"do not fit the model's context") as found:
        evaluated(tiny_model, pairs, tmp_path, max_new_tokens=4090)
    assert "lm-eval.log" in str(found.value)
    assert not (tmp_path / "results.json").exists()


def test_faulty_pairs_are_refused_before_the_host_is_even_looked_for(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"pairs.jsonl:1"):
        evaluated("m", tmp_path / "pairs.jsonl", tmp_path, python="/no/such/python")


def test_an_environment_without_lm_eval_is_told_how_to_get_it(pairs, tmp_path):
    with pytest.raises(HostError, match="ste-plugin\\[eval\\]"):
        evaluated("m", pairs, tmp_path, python="/no/such/python")


def test_the_command_can_be_shown_and_its_model_arguments_may_hold_commas(tmp_path):
    config = EvaluationConfig(model_args={"dtype": "bfloat16"}, batch_size=3)
    shown = orders.command("models/a,b", tmp_path, config=config, python=sys.executable)
    assert shlex.split(shlex.join(shown)) == shown
    model_args = json.loads(shown[shown.index("--model_args") + 1])
    assert model_args == {"pretrained": "models/a,b", "dtype": "bfloat16", "use_safetensors": True}


def test_a_changed_file_or_setting_is_another_evaluation(pairs, tmp_path):
    def identity(**changes):
        settings = JudgeSettings(pairs, "verdict", **changes)
        return host.identity("m", settings, VERDICT, EvaluationConfig())

    path = tmp_path / "results.json"
    path.write_text(json.dumps(identity()))
    assert host.read_finished(path, identity()) is not None
    assert host.read_finished(path, identity(force=True)) is None
    pairs.write_text(pairs.read_text() + "\n")
    assert host.read_finished(path, identity()) is None


def test_an_adapter_that_was_trained_again_is_measured_again(pairs, tmp_path):
    adapter, path = tmp_path / "adapter", tmp_path / "results.json"
    adapter.mkdir()

    def identity():
        config = EvaluationConfig(model_args={"peft": str(adapter), "dtype": "float32"})
        return host.identity("m", JudgeSettings(pairs, "verdict"), VERDICT, config)

    (adapter / "adapter_model.safetensors").write_bytes(b"first" * 99)
    path.write_text(json.dumps(identity()))
    assert host.read_finished(path, identity()) is not None
    (adapter / "adapter_model.safetensors").write_bytes(b"again" * 99)
    assert host.read_finished(path, identity()) is None


def test_samples_that_lack_a_pair_are_not_reported_as_results(pairs, tmp_path):
    labelled = read_pairs(JudgeSettings(pairs))
    with pytest.raises(HostError, match=r"4 of 4 pairs \(first: 'p0'\)"):
        host.read_samples(tmp_path, set(), labelled, host.Usage(None))


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("STE_JUDGE_VOTE", "STE_JUDGE_VOTES"),
        ("ste_judge_votes", "STE_JUDGE_VOTES"),
        ("STE_JUDGEVOTES", "STE_JUDGE_VOTES"),
        ("STE_JUGDE_MODE", "STE_JUDGE_MODE"),
        ("STE_JUDGE_MAX_TOKENS", "STE_JUDGE_MAX_NEW_TOKENS"),
        ("STE-JUDGE-VOTES", "STE_JUDGE_VOTES"),
        ("JUDGE_VOTES", "STE_JUDGE_VOTES"),
        ("STE_VOTES", "STE_JUDGE_VOTES"),
        ("STE_MODE", "STE_JUDGE_MODE"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_right_one(pairs, variable, nearest):
    environ = JudgeSettings(pairs).environment()
    with pytest.raises(ConfigError, match=f"{variable}: no such setting. .*'{nearest}'"):
        JudgeSettings.read(environ | {variable: "8"}, {})
    assert JudgeSettings.read(environ | {variable: "", "STE_PLUGINS": "hooks.py"}, {})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("judge_vote", "judge_votes"),
        ("judge-votes", "judge_votes"),
        ("jugde_votes", "judge_votes"),
        ("JUDGE_VOTES", "judge_votes"),
        ("votes", "judge_votes"),
        ("VOTES", "judge_votes"),
        ("vote", "judge_votes"),
        ("mode", "judge_mode"),
        ("STE_JUDGE_VOTES", "judge_votes"),
        ("ste_judge_mode", "judge_mode"),
        ("judge_tempreature", "judge_temperature"),
    ],
)
def test_a_misspelt_setting_in_metadata_is_refused_with_the_nearest_right_one(pairs, name, nearest):
    environ = JudgeSettings(pairs).environment()
    with pytest.raises(ConfigError, match=f"{name}: no such setting. .*'{nearest}'"):
        JudgeSettings.read(environ, {name: 8})
    others = {"version": 1, "pretrained": "m", "seed": 3, "temperature": 0.5}
    assert JudgeSettings.read(environ, others) == JudgeSettings(pairs)


def test_names_to_leave_out_may_be_a_list_in_metadata_and_are_names(pairs):
    environ = JudgeSettings(pairs).environment()
    assert JudgeSettings.read(environ, {"judge_omit": ["seed", "stop"]}).omit == ("seed", "stop")
    with pytest.raises(ConfigError, match="OMIT .*expected names, as seed,top_k"):
        JudgeSettings.read(environ | {"STE_JUDGE_OMIT": '["seed", "stop"]'}, {})


NAMED = {"prompt": "question", "chosen": "good", "rejected": "bad"}


@pytest.mark.parametrize("given", ["prompt=question, chosen=good,rejected=bad", json.dumps(NAMED)])
def test_columns_are_named_in_words_or_in_json_and_survive_the_environment(pairs, given):
    environ = JudgeSettings(pairs).environment() | {"STE_JUDGE_COLUMNS": given}
    settings = JudgeSettings.read(environ, {})
    assert settings.columns == NAMED
    assert JudgeSettings.read(settings.environment(), {}) == settings
    assert JudgeSettings.read(environ, {"judge_columns": {"chosen": "c,d"}}).columns == {
        "chosen": "c,d"
    }


def test_lm_eval_shows_the_turns_of_a_conversation_under_columns_of_any_name(tmp_path):
    rows = [{"talk": TALK, "good": "An apple, so.", "bad": "A spade, so."}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    model = scripted(lambda prompt: f"[[{picks_the_apple(prompt)}]]")
    columns = {"prompt": "talk", "chosen": "good", "rejected": "bad"}
    metrics, samples = run_task(model, tmp_path / "a.json", columns=columns)
    assert metrics["acc_pc"] == 1 and len(samples) == 1
    assert all(TALK_IN_WORDS in prompt for prompt, _ in asked(model, GENERATED))
    assert samples[0]["judged"]["how"]["settings"]["columns"] == columns


def test_of_a_ranked_list_all_pairs_are_judged_where_that_is_said(tmp_path):
    answers = [{"answer": a, "rank": n} for n, a in enumerate(("An apple.", "A pear.", "A spade."))]
    (tmp_path / "a.jsonl").write_text(json.dumps({"prompt": "Fruit?", "answers": answers}))
    for lists, count in (("best_worst", 1), ("all", 3)):
        settings = JudgeSettings(tmp_path / "a.jsonl", lists=lists)
        assert len(read_pairs(settings)) == count


def test_a_way_to_read_rows_is_part_of_the_figures_only_where_it_is_set(pairs):
    plain = recorded(JudgeSettings(pairs))
    assert plain.keys().isdisjoint({"columns", "lists", "bad_rows"})
    assert recorded(JudgeSettings(pairs, bad_rows="drop"))["bad_rows"] == "drop"


def test_ste_eval_asks_by_its_own_settings_whatever_the_environment_holds(pairs, monkeypatch):
    monkeypatch.setenv("STE_JUDGE_VOTE", "8")
    settings = JudgeSettings(pairs)
    given = {**os.environ, **orders.environment(settings)}
    assert JudgeSettings.read(given, {}) == settings
