"""A run whose judge is asked in the words of a YAML file: sampled, learnt, counted and shown in
them."""

import json

import pytest
import yaml

from ste_plugin.axolotl.rewards import judge_reward
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.evaluation.plan import plan_evaluations
from ste_plugin.judging.builtin import FORMATS
from ste_plugin.plugins.judge_formats import find_judge_format, format_of_manifest
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import Redo
from tests.helpers.documented_formats import HOOKS, REPLIES, format_file
from tests.helpers.fake_runs import ALL_ROWS, generated, rows_of, written


def run_in(folder, tiny_model, name="letters", **more):
    """A run's config whose judge speaks a format of the documentation."""
    judging = {"format": f"{name}.yaml", "samples": 2, "sampling": "fixed"}
    judge = {"model": str(tiny_model), "engine": "speaking", "options": {"speaks": name}}
    path = written(
        folder, tiny_model, **({"judging": judging, "judge": judge, "dataset": ALL_ROWS} | more)
    )
    (folder / "hooks.py").write_text(HOOKS)
    rows = [
        {"instruction": f"Say number {n}.", "final_answer": f"{n}", "category": "ab"[n % 2]}
        for n in range(40)
    ]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = yaml.safe_load(path.read_text())
    config["instructions"] = [
        {
            "path": "instructions.jsonl",
            "columns": {"final_answer": "final_answer", "category": "category"},
        }
    ]
    path.write_text(yaml.safe_dump(config))
    if name in REPLIES:
        format_file(folder, name)
    return path


@pytest.mark.parametrize("name", REPLIES)
def test_every_kind_of_verdict_becomes_training_rows(tmp_path, tiny_model, name):
    path = run_in(tmp_path, tiny_model, name)
    manifest = generated(path)
    told = manifest["judge_format"]
    judge_format = format_of_manifest(plugin_manager(), told, "manifest")
    rows = rows_of(path, "sft-train")
    assert told["version"] == judge_format.version
    assert len(rows) > 20
    for row in rows:
        *prompt, reply = row["messages"]
        assert judge_format.parse(reply["content"]) == row["better_is"]
        assert reply["content"] == REPLIES[name][row["better_is"]]
        assert [turn["role"] for turn in prompt] == [t.role for t in judge_format.file.turns]


def test_a_reward_reads_replies_in_the_words_of_the_data_sets_own_manifest(tmp_path, tiny_model):
    path = run_in(tmp_path, tiny_model, "scores")
    judge_format = format_of_manifest(plugin_manager(), generated(path)["judge_format"], "m")
    row = rows_of(path, "grpo-train")[0]
    said = [f"{REPLIES['scores'][row['better_is']]} It answers what was asked."]
    given = {name: [row[name]] for name in ("better_is", "pair", "judge_format")}
    assert judge_reward(said, **given, formats={judge_format.name: judge_format}) == [0.7]


def test_a_column_that_no_instruction_has_is_refused_before_anything_is_asked(tmp_path, tiny_model):
    path = run_in(tmp_path, tiny_model, "object")
    file = tmp_path / "object.yaml"
    file.write_text(file.read_text().replace("final_answer", "reference"))
    with pytest.raises(ConfigError, match=r"object shows the column 'reference', which instruct"):
        generated(path)


def test_the_columns_shown_are_in_the_prompts_and_in_the_held_out_pairs(tmp_path, tiny_model):
    path = run_in(tmp_path, tiny_model, "object")
    generated(path)
    for row in rows_of(path, "judge-dev"):
        prompt = row["messages"][-1]["content"]
        number = prompt.partition("Say number ")[2].partition(".")[0]
        assert f"It has to end with: {number}\n" in prompt
    with open_run(path, [], quiet=True) as context:
        _, settings = plan_evaluations(context)["test"]
    held_out = [json.loads(line) for line in settings.data.read_text().splitlines()]
    assert all(row["prompt"] == f"Say number {row['final_answer']}." for row in held_out)
    assert settings.load_judge_format().name == "object"


def test_a_rubric_per_category_is_shown_to_each_instruction_of_it(tmp_path, tiny_model):
    judging = {"format": "brief", "samples": 1, "rubric": {"a": "It is even.", "default": "Odd."}}
    judge = {"model": str(tiny_model), "engine": "speaking", "options": {"speaks": "letters"}}
    path = run_in(tmp_path, tiny_model, "brief", judging=judging, judge=judge)
    manifest = generated(path)
    assert manifest["judge_format"]["version"] != FORMATS["brief"].version
    rows = rows_of(path, "sft-train")
    assert rows
    for row in rows:
        prompt = row["messages"][0]["content"]
        even = int(prompt.partition("[Instruction]\nSay number ")[2].partition(".")[0]) % 2 == 0
        assert ("It is even." in prompt, "Odd." in prompt) == (even, not even)


def test_a_verdict_that_no_closing_precedes_cannot_be_forced(tmp_path, tiny_model):
    judging = {"format": "scores.yaml", "samples": 1, "force_verdict": True}
    path = run_in(tmp_path, tiny_model, "scores", judging=judging)
    with pytest.raises(ConfigError, match="force_verdict: found true with judging.format scores"):
        generated(path)


def test_a_changed_word_is_refused_beside_what_was_made_before(tmp_path, tiny_model):
    path = run_in(tmp_path, tiny_model)
    first = generated(path)["judge_format"]["version"]
    file = tmp_path / "letters.yaml"
    file.write_text(file.read_text().replace("helps more", "helps most"))
    with (
        open_run(path, [], quiet=True) as context,
        pytest.raises(DataError, match=f"its prompts are in the format {first}, but") as caught,
    ):
        stages.train(context, 1)
    assert "or generate again: `ste run CONFIG --from generate --iteration 1`" in str(caught.value)


def test_a_pool_that_was_made_without_a_column_is_refused(tmp_path, tiny_model):
    judging = {"format": "brief", "samples": 1}
    judge = {"model": str(tiny_model), "engine": "speaking", "options": {"speaks": "letters"}}
    path = run_in(tmp_path, tiny_model, "brief", judging=judging, judge=judge)
    generated(path)
    rubric = judging | {"rubric": {"a": "It is even.", "default": "Odd."}}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"judging": rubric}))
    with (
        pytest.raises(ConfigError, match=r"pool: made without the column 'category' of its instr"),
        open_run(path, [], quiet=True, redo=Redo("generate")) as context,
    ):
        stages.generate(context, 1)


@pytest.mark.parametrize("name", ["letters", "brief"])
def test_the_run_keeps_a_file_that_asks_its_judge_in_the_same_words(tmp_path, tiny_model, name):
    judging = {"format": "brief", "samples": 1, "rubric": "It counts."}
    judge = {"model": str(tiny_model), "engine": "speaking", "options": {"speaks": "letters"}}
    more = {"judging": judging, "judge": judge} if name == "brief" else {}
    version = generated(run_in(tmp_path, tiny_model, name, **more))["judge_format"]["version"]
    kept = tmp_path / "run/judge_format.yaml"
    assert find_judge_format(plugin_manager(), str(kept), "--format").version == version
