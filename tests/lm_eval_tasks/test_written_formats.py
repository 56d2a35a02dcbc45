"""Judges asked in the words of a YAML file, by lm-eval itself and by `ste eval`: each kind of
verdict is read as its judge means it."""

import importlib.util
import json

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from tests.helpers.chat_server import chat_server
from tests.helpers.command import ste
from tests.helpers.documented_formats import LABELLED, REPLIES, format_file
from tests.helpers.scripted_judge import (
    GENERATED,
    SCORED,
    asked,
    picks_the_apple,
    run_task,
    scripted,
    written,
)

pytestmark = pytest.mark.usefixtures("warm_hosts")

KINDS = list(REPLIES)
FORCED = [name for name in KINDS if name != "scores"]


def says(name, picks=picks_the_apple):
    return lambda prompt: REPLIES[name][picks(prompt)]


@pytest.mark.parametrize("name", KINDS)
def test_a_judge_that_is_right_is_measured_as_right_in_every_kind_of_verdict(tmp_path, name):
    model, path = scripted(says(name)), format_file(tmp_path, name)
    pairs = written(tmp_path / "pairs.jsonl", LABELLED)
    metrics, _ = run_task(model, pairs, judge_format=str(path))
    assert (metrics["acc"], metrics["acc_pc"], metrics["invalid_rate"]) == (1, 1, 0)
    assert len(asked(model, GENERATED)) == 2 * len(LABELLED)


@pytest.mark.parametrize("name", KINDS)
def test_a_judge_that_is_wrong_is_measured_as_wrong(tmp_path, name):
    model = scripted(says(name, lambda prompt: "BA"[picks_the_apple(prompt) == "B"]))
    pairs = written(tmp_path / "pairs.jsonl", LABELLED)
    metrics, _ = run_task(model, pairs, judge_format=str(format_file(tmp_path, name)))
    assert metrics["acc"] == 0


@pytest.mark.parametrize("name", [name for name in KINDS if "tie" in REPLIES[name]])
def test_a_tie_is_one_where_the_format_knows_it(tmp_path, name):
    model = scripted(says(name, lambda _: "tie"))
    pairs = written(tmp_path / "pairs.jsonl", LABELLED)
    metrics, _ = run_task(model, pairs, judge_format=str(format_file(tmp_path, name)))
    assert (metrics["acc"], metrics["judge_tie_rate"], metrics["invalid_rate"]) == (0.5, 1, 0)


@pytest.mark.parametrize("name", FORCED)
def test_the_letters_that_a_format_names_are_compared_behind_its_closing(tmp_path, name):
    letters = {"object": ("m", "M"), "result": (" A", " B")}.get(name, ("A", "B"))

    def scores(context, choice):
        return 0.0 if letters.index(choice) == "AB".index(picks_the_apple(context)) else -1.0

    model = scripted(says(name), scores)
    pairs = written(tmp_path / "pairs.jsonl", LABELLED)
    metrics, _ = run_task(
        model, pairs, judge_format=str(format_file(tmp_path, name)), mode="likelier"
    )
    assert metrics["acc_pc"] == 1
    assert {choice for _, choice in asked(model, SCORED)} == set(letters)


@pytest.mark.skipif(
    importlib.util.find_spec("aiohttp") is None, reason="lm-eval's API backends need lm-eval[api]"
)
@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_ste_eval_measures_a_served_judge_in_its_own_words(tmp_path, name):
    def script(body, _):
        return says(name)(body["messages"][-1]["content"])

    path = format_file(tmp_path, name)
    written(tmp_path / "pairs.jsonl", LABELLED)
    with chat_server(script) as server:
        done = ste(
            *("eval", "--model", "tiny", "--data", "pairs.jsonl", "--format", path.name),
            *("--backend", "local-chat-completions", "--json"),
            *("--model-args", f"base_url={server.base_url}/chat/completions"),
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["overall"]["acc"], found["overall"]["acc_pc"]) == (1, 1)
    assert found["judge_format"].startswith(f"{name}-")


def test_a_column_of_the_row_is_shown_and_is_required(tmp_path):
    model, path = scripted(says("object")), format_file(tmp_path, "object")
    run_task(model, written(tmp_path / "pairs.jsonl", LABELLED), judge_format=str(path))
    assert all("It has to end with: apple" in prompt for prompt, _ in asked(model, GENERATED))
    with pytest.raises(DataError, match=r"bare.jsonl:1: no column 'final_answer'; found 'id'"):
        run_task(model, written(tmp_path / "bare.jsonl"), judge_format=str(path))


def test_of_several_rubrics_a_row_is_judged_by_that_of_its_category_or_subset(tmp_path):
    rubric = {"easy": "It is short.", "sport": "It scores.", "default": "It is right."}
    house = json.dumps({"like": "brief", "rubric": rubric})
    rows = [LABELLED[0], LABELLED[1] | {"category": "sport"}, LABELLED[2]]
    model = scripted(says("letters"))
    run_task(
        model,
        written(tmp_path / "pairs.jsonl", [{"category": None, **row} for row in rows]),
        judge_format=house,
    )
    prompts = [prompt for prompt, _ in asked(model, GENERATED)]
    shown = [next(words for words in rubric.values() if words in prompt) for prompt in prompts]
    assert shown == [words for words in rubric.values() for _ in "AB"]


def test_two_scores_cannot_be_forced_and_the_settings_say_so(tmp_path):
    path = format_file(tmp_path, "scores")
    settings = JudgeSettings(format=str(path), force=True)
    with pytest.raises(ConfigError, match="scores has no closing words, so that no letter can be"):
        settings.load_judge_format()


def test_what_follows_the_prompt_without_a_chat_template_is_the_formats_own(tmp_path):
    path = format_file(tmp_path, "result")
    path.write_text(path.read_text() + 'without_chat_template: "\\n### Feedback: "\n')
    model = scripted(says("result"))
    pairs = written(tmp_path / "pairs.jsonl", LABELLED)
    run_task(model, pairs, judge_format=str(path), chat=False)
    assert all(p.endswith("better one.\n### Feedback: ") for p, _ in asked(model, GENERATED))
