"""The stage from instructions to training rows, with an engine that needs no model."""

import json
import shutil

import pytest
from transformers import AutoTokenizer

from ste_plugin.config import ModelConfig
from ste_plugin.errors import ConfigError, DataError, JudgeError
from ste_plugin.run import stages
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_rows
from tests.helpers.fake_runs import ALL_ROWS, SPLITS, generated, rows_of, written
from tests.helpers.packed_files import PACKERS, in_pieces, json_lines, lay_out


def test_rows_are_made_for_the_recipe_and_for_others_where_they_are_named(tiny_model, tmp_path):
    for recipe, dataset, rows in [
        ("sft-lora-8b", SPLITS, ["sft"]),
        ("dpo-lora-8b", SPLITS, ["dpo"]),
        ("sft-lora-8b", ALL_ROWS, ALL_ROWS["formats"]),
    ]:
        folder = tmp_path / f"{recipe}-{len(rows)}"
        folder.mkdir()
        path = written(folder, tiny_model, 0.5, dataset=dataset, training={"recipe": recipe})
        made = [f"{name}-{split}" for split in ("train", "dev") for name in rows]
        assert set(generated(path)["files"]) == {*made, "judge-dev", "judge-test"}


def test_a_judge_that_is_right_yields_one_row_a_pair_and_order(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, dataset=ALL_ROWS)
    manifest = generated(path)
    counts = manifest["counts"]
    assert (
        counts["kept"]["train"] == 2 * counts["pairs"]["train"] == len(rows_of(path, "sft-train"))
    )
    assert counts["judgments"] == 4 * (counts["pairs"]["train"] + counts["pairs"]["dev"])
    assert rows_of(path, "dpo-train") == []


def test_training_targets_are_whole_judgments_without_white_space_around(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    generated(path)
    replies = {row["messages"][-1]["content"] for row in rows_of(path, "sft-train")}
    assert replies == {f"It answers what was asked. Final verdict: [[{v}]]" for v in "AB"}


def test_a_judge_that_is_right_half_of_the_time_yields_preferences(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges="half", dataset=ALL_ROWS)
    counts = generated(path)["counts"]
    assert len(rows_of(path, "dpo-train")) == counts["kept"]["train"] > 0
    for row in rows_of(path, "dpo-train"):
        assert row["chosen"]["content"] != row["rejected"]["content"]


def test_a_judge_that_always_says_a_leaves_nothing_balanced_to_train_on(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges="always A")
    with pytest.raises(JudgeError, match="none can be trained on(.|\n)*surplus of one letter"):
        generated(path)
    assert list((tmp_path / "run/iter-01").glob("dataset/*")) == []


def test_a_judge_that_never_states_a_verdict_is_told_with_the_cure(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges="never")
    with pytest.raises(JudgeError, match="stated no verdict(.|\n)*force_verdict: true"):
        generated(path)


def test_judgments_that_are_all_cut_off_are_told_as_that(tiny_model, tmp_path):
    judging = {"format": "brief", "samples": 2, "sampling": "fixed", "max_new_tokens": 1}
    path = written(tmp_path, tiny_model, judging=judging)
    with pytest.raises(JudgeError, match="cut off at 1 tokens(.|\n)*judging.max_new_tokens"):
        generated(path)


def test_a_recipe_whose_rows_none_can_be_made_of_is_told_before_a_data_set_is_written(
    tiny_model, tmp_path
):
    training = {"recipe": "dpo-lora-8b"}
    path = written(tmp_path, tiny_model, training=training)  # no judgment is ever wrong
    with pytest.raises(
        JudgeError, match=r"none of the dpo rows(.|\n)*Raise judging.samples or judging.temperature"
    ):
        generated(path)
    assert list((tmp_path / "run/iter-01").glob("dataset/*")) == []


def test_rows_for_a_reward_in_both_orders_come_two_by_two(tiny_model, tmp_path):
    dataset, training = SPLITS | {"formats": ["sft", "grpo"]}, {"recipe": "grpo-lora-8b"}
    path = written(tmp_path, tiny_model, judges=0.5, dataset=dataset, training=training)
    manifest = generated(path)
    rows = rows_of(path, "grpo-train")
    assert 0 < len(rows) < len(rows_of(path, "sft-train"))
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first["pair"] == second["pair"]
        assert [first["better_is"], second["better_is"]] == ["A", "B"]
    reason = "dataset: right in one order only among grpo rows"
    assert len(rows_of(path, "sft-train")) - len(rows) <= manifest["drops"][reason]


def test_forcing_closes_a_judgment_that_states_no_verdict(tiny_model, tmp_path):
    judging = {"format": "brief", "samples": 2, "sampling": "fixed", "force_verdict": True}
    path = written(tmp_path, tiny_model, judges="never", judging=judging)
    counts = generated(path)["counts"]
    assert counts["forced"] == counts["judgments"] > 0
    replies = {row["messages"][-1]["content"] for row in rows_of(path, "sft-train")}
    assert replies == {f"Hard to say.\n\nFinal verdict: [[{v}]]" for v in "AB"}


def test_everything_that_was_left_out_is_counted_by_reason(tiny_model, tmp_path):
    manifest = generated(written(tmp_path, tiny_model))
    assert manifest["drops"]["pairs: better answer empty"] == 1


def test_every_judged_pair_and_order_is_trained_on_or_left_out_for_a_reason(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, judges=0.5)
    manifest = generated(path)
    counts = manifest["counts"]
    reasons = {r for r in manifest["drops"] if r.startswith("dataset: ") and "rows" not in r}
    left_out = sum(manifest["drops"][reason] for reason in reasons)
    assert sum(counts["kept"].values()) + left_out == 2 * (
        counts["pairs"]["train"] + counts["pairs"]["dev"]
    )
    assert manifest["drops"]["dataset: no correct judgment"] > 0


def test_a_judgment_without_a_verdict_is_left_out_for_that_reason(tiny_model, tmp_path):
    manifest = generated(written(tmp_path, tiny_model, judges="at times nothing"))
    counts = manifest["counts"]
    assert manifest["drops"]["judging: no verdict"] == counts["without_verdict"] > 0
    assert counts["without_verdict"] == counts["judgments"] / 2


def test_rows_of_preferences_are_balanced_among_those_that_have_a_wrong_judgment(
    tiny_model, tmp_path
):
    path = written(tmp_path, tiny_model, judges=0.5, dataset=ALL_ROWS)
    manifest = generated(path)
    rows = rows_of(path, "dpo-train")
    letters = [row["better_is"] for row in rows]
    assert letters.count("A") == letters.count("B") > 0
    assert len(rows) == manifest["files"]["dpo-train"]["rows"] < manifest["counts"]["kept"]["train"]


def test_no_instruction_is_in_two_splits_and_all_pairs_are_somewhere(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    counts = generated(path)["counts"]
    seen = {}
    for name in ("dev", "test"):
        (file,) = (tmp_path / "run/pool").glob(f"{name}-*.jsonl")
        for _, row in read_rows(file):
            assert seen.setdefault(row["prompt"], name) == name
    trained = {
        row["messages"][0]["content"].split("[Instruction]\n")[1].split("\n")[0]
        for row in rows_of(path, "sft-train")
    }
    assert not trained & set(seen)
    assert sum(counts["pairs"].values()) == 80


def test_the_same_run_gives_the_same_bytes(tiny_model, tmp_path):
    manifests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        manifests.append(generated(written(tmp_path / name, tiny_model, judges="half")))
    assert manifests[0] == manifests[1]


def test_rows_longer_than_the_sequence_length_are_dropped_and_counted(tiny_model, tmp_path):
    dataset = {"dev_fraction": 0.2, "test_fraction": 0.2, "sequence_len": 10}
    with pytest.raises(JudgeError, match="longer than sequence_len 10"):
        generated(written(tmp_path, tiny_model, dataset=dataset))


def test_a_pool_too_small_to_hold_anything_out_says_so_with_the_reasons(tiny_model, tmp_path):
    with pytest.raises(DataError, match="No pair is left for(.|\n)*better answer empty"):
        generated(written(tmp_path, tiny_model, texts=2))
    assert not (tmp_path / "run/pool/done.json").exists()


def test_a_budget_that_leaves_no_pairs_is_named_and_a_greater_one_goes_on(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, budget={"max_tokens_total": 1})
    with pytest.raises(DataError, match="No pair is left(.|\n)*raise budget.max_tokens_total"):
        generated(path)
    paid = (tmp_path / "run/pool/pairs.completions.jsonl").read_bytes()
    generated(written(tmp_path, tiny_model, budget={"max_tokens_total": 100_000}))
    assert (tmp_path / "run/pool/pairs.completions.jsonl").read_bytes().startswith(paid)


def test_a_budget_that_leaves_no_labels_is_named_not_the_generators_strength(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, budget={"max_minutes": 1e-9}, selection={"label": True})
    with pytest.raises(DataError, match=r"not one of \d+ instructions(.|\n)*budget.max_minutes"):
        generated(path)


def test_a_plugin_can_replace_the_whole_stage(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    hooks = tmp_path / "hooks.py"
    hooks.write_text(
        hooks.read_text()
        + "\n@hookimpl\ndef ste_generate_dataset(iteration):\n"
        + "    path = iteration.folder / 'mine.json'\n    path.parent.mkdir()\n"
        + "    path.write_text('{\"mine\": true}')\n    return path\n"
    )
    assert generated(path) == {"mine": True}


def outputs(path):
    """What a run has made, but its config, events and where each instruction was."""
    files = {p.relative_to(path.parent): p for p in (path.parent / "run").rglob("*.jsonl")}
    made = {str(name): p.read_bytes() for name, p in files.items() if name.name != "events.jsonl"}
    instructions = made.pop("run/pool/instructions.jsonl").splitlines()
    return made, [{**json.loads(line), "source": ""} for line in instructions]


@pytest.mark.parametrize("ending", PACKERS)
def test_instructions_in_other_files_make_the_same_run_even_after_one_was_broken(
    tiny_model, tmp_path, ending
):
    made = {}
    for name, source in [("one", "instructions.jsonl"), ("many", "chats")]:
        (tmp_path / name).mkdir()
        path = made[name] = written(tmp_path / name, tiny_model, instructions=[{"path": source}])
    rows = [row for _, row in read_rows(path.parent / "instructions.jsonl")]
    pieces = [PACKERS[ending](json_lines(*piece)) for piece in in_pieces(rows, [3, 3, 20, 21])]
    files = {f"chats/part-{n}.jsonl{ending}": piece for n, piece in enumerate(pieces, start=8)}
    lay_out(path.parent, files)
    last = path.parent / f"chats/part-12.jsonl{ending}"
    last.write_bytes(pieces[-1][:-9])
    with pytest.raises(DataError, match=r"part-12\.jsonl"):
        generated(path)
    assert not (path.parent / "run").exists()
    last.write_bytes(pieces[-1])
    for path in made.values():
        generated(path)
    assert outputs(made["one"]) == outputs(made["many"])


def test_a_judge_of_one_revision_is_trained_and_measured_as_that_revision(
    tiny_model, tmp_path, monkeypatch
):
    path, given = written(tmp_path, tiny_model), {}
    generated(path)
    seed = ModelConfig(model="org/m", engine="fake", options={"revision": "v1"})

    def trained(inputs, _begin):
        given["train"] = inputs.revision

    def measured(*_, config, **__):
        given["eval"] = config.model_args

    monkeypatch.setattr(stages, "find_judge", lambda *_: seed)
    monkeypatch.setattr(stages.axolotl, "train", trained)
    monkeypatch.setattr(stages.lm_eval, "evaluate", measured)
    with open_run(path, [], quiet=True) as context:
        stages.train(context, 1)
        stages.evaluate(context, 0)
    assert given == {"train": "v1", "eval": {"revision": "v1"}}


def test_a_recipe_may_name_the_revision_of_the_runs_own_judge(tiny_model, tmp_path, monkeypatch):
    """As the settings do that an iteration was trained by."""
    path, recipe = written(tmp_path, tiny_model, training={"recipe": "own.yaml"}), "rl: dpo\n"
    seed = ModelConfig(model="org/m", engine="fake", options={"revision": "v1"})
    monkeypatch.setattr(stages, "find_judge", lambda *_: seed)
    (tmp_path / "own.yaml").write_text(f"{recipe}revision_of_model: v1\n")
    with open_run(path, [], quiet=True) as context:
        stages.check_trainable(context)
        (tmp_path / "own.yaml").write_text(f"{recipe}revision_of_model: v2\n")
        with pytest.raises(ConfigError, match="revision_of_model: v2: the run chooses"):
            stages.check_trainable(context)


def test_rows_longer_than_the_recipe_takes_are_left_out_and_counted(tiny_model, tmp_path):
    """Otherwise axolotl would refuse them, once all judgments are paid for."""
    recipe = tmp_path / "own.yaml"
    path = written(tmp_path, tiny_model, training={"recipe": "own.yaml"})
    recipe.write_text(f"base_model: {tiny_model}\nsequence_len: 9999\n")
    generated(path)
    lengths = sorted(row_tokens(tiny_model, row) for row in rows_of(path, "sft-train"))
    middle = lengths[len(lengths) // 2]
    recipe.write_text(f"base_model: {tiny_model}\nsequence_len: {middle}\n")
    shutil.rmtree(tmp_path / "run")
    generated(path)
    shorter = [row_tokens(tiny_model, row) for row in rows_of(path, "sft-train")]
    assert shorter and max(shorter) <= middle < lengths[-1]
    drops = (tmp_path / "run/iter-01/drops.jsonl").read_text()
    assert f"longer than sequence_len {middle}" in drops


def row_tokens(model, row):
    """Tokens of a row, as the model's own template writes them."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    return len(tokenizer.apply_chat_template(row["messages"], tokenize=True, return_dict=False))


def test_what_was_measured_of_a_judge_goes_where_that_is_trained_again(
    tiny_model, tmp_path, monkeypatch
):
    path = written(tmp_path, tiny_model)
    generated(path)
    done = tmp_path / "run/iter-01/done.json"
    done.write_text("{}")
    found = []

    def trained(_inputs, begin):
        found.append(done.exists())  # one that is finished does not begin
        begin()
        found.append(done.exists())

    monkeypatch.setattr(stages.axolotl, "train", trained)
    with open_run(path, [], quiet=True) as context:
        stages.train(context, 1)
    assert found == [True, False]
    assert (tmp_path / "run/old-1/iter-01/done.json").exists()
