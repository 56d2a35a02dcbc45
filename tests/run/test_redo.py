"""Changed settings are refused with what they make obsolete, and redone on purpose beside the old
output."""

import shutil
from contextlib import suppress

import pytest
import yaml

from ste_plugin.engines.base import UNUSABLE, Completion
from ste_plugin.errors import ConfigError
from ste_plugin.inference.completion_store import CompletionStore
from ste_plugin.run import loop, stages
from ste_plugin.run import open_run as opening
from ste_plugin.run.open_run import open_run
from ste_plugin.run.redo import (
    STAGES,
    Redo,
    first_stage,
    flat_settings,
    set_aside,
    set_aside_made_of,
)
from ste_plugin.storage.config_file import changed_fields
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.builders import config
from tests.helpers.fake_runs import generated, written
from tests.helpers.judged_runs import config_of, judges_trained, run


def changed(path, **settings):
    old = yaml.safe_load(path.read_text())
    for key, value in settings.items():
        old[key] = old.get(key, {}) | value if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(old))
    return path


def asked(path) -> int:
    return sum(1 for f in (path.parent / "run").rglob("*.completions.jsonl") for _ in read_rows(f))


@pytest.mark.parametrize(
    ("settings", "stage"),
    [
        ({"judging": {"samples": 3}}, "generate"),
        ({"dataset": {"both_orders_only": True}}, "generate"),
        ({"training": {"start_from": "previous"}}, "train"),
        ({"evaluation": {"batch_size": 2}}, "eval"),
        ({"pairs": {"temperature": 0.1}}, "pool"),
        ({"seed": 5}, "pool"),
        ({"selection": {"keep_out_by": ["exact"]}}, "pool"),
    ],
)
def test_a_changed_setting_is_refused_with_what_it_makes_obsolete(
    tiny_model, tmp_path, settings, stage
):
    path = written(tmp_path, tiny_model)
    generated(path)
    with pytest.raises(ConfigError) as caught:
        generated(changed(path, **settings))
    name = next(iter(settings))
    assert f"  {name}" in str(caught.value)
    assert f"(makes obsolete: {STAGES[stage]})" in str(caught.value)
    assert f"--from {stage}`" in str(caught.value)


def test_a_run_begun_before_there_was_a_setting_goes_on_with_its_default(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    generated(path)
    kept = tmp_path / "run/run.yaml"
    run = yaml.safe_load(kept.read_text())
    del run["config"]["judging"]["top_up"]
    kept.write_text(yaml.safe_dump(run))
    generated(path)
    assert "top_up" in yaml.safe_load(kept.read_text())["config"]["judging"]


def test_a_redo_that_begins_too_late_for_a_changed_setting_is_refused(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    generated(path)
    changed(path, pairs={"temperature": 0.1})
    with (
        pytest.raises(ConfigError, match="pairs.temperature"),
        open_run(path, [], quiet=True, redo=Redo("generate")),
    ):
        pass
    assert not (tmp_path / "run/old-1").exists()


def test_redoing_keeps_the_old_output_and_pays_only_for_what_is_new(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    before = generated(path)
    paid = asked(path)
    changed(path, judging={"samples": 3})
    with open_run(path, [], quiet=True, redo=Redo("generate")) as context:
        after = read_json(stages.generate(context, 1))
    old = tmp_path / "run/old-1/iter-01/dataset"
    assert read_json(old / "manifest.json") == before
    assert all((old / f["path"]).exists() for f in before["files"].values())
    assert after["counts"]["judgments"] == before["counts"]["judgments"] * 3 // 2
    assert asked(path) - paid == before["counts"]["judgments"] // 2


def reasons(path) -> list[str]:
    """How what was asked of the judge ended."""
    file = path.parent / "run/iter-01/judging.completions.jsonl"
    return [row["finish_reason"] for _, row in read_rows(file)]


def test_redoing_asks_again_what_a_server_refused_and_a_resume_does_not(tiny_model, tmp_path):
    filters = {"model": str(tiny_model), "engine": "fake", "options": {"blocks": "7."}}
    path = written(tmp_path, tiny_model, judge=filters)
    refused = generated(path)
    blocked = reasons(path).count("blocked")
    assert refused["drops"]["judging: judgment blocked by the server's filter"] == blocked > 0
    changed(path, judge=filters | {"options": {}})
    (tmp_path / "run/iter-01/dataset/manifest.json").unlink()  # as if it had been killed before it
    assert generated(path)["drops"] == refused["drops"]
    usable = len(reasons(path)) - blocked
    with open_run(path, [], quiet=True, redo=Redo("generate")) as context:
        assert reasons(path) == ["stop"] * usable
        after = read_json(stages.generate(context, 1))
    assert "judging: judgment blocked by the server's filter" not in after["drops"]
    assert after["counts"]["judgments"] == len(reasons(path)) > usable


@pytest.mark.parametrize("ending", UNUSABLE)
def test_answers_that_nothing_is_made_of_are_found_by_how_they_ended_and_not_by_their_words(
    tmp_path, ending
):
    folder = RunLayout(tmp_path)
    said = f'{{"finish_reason":"{ending}"}}'
    for name in ("judging.completions.jsonl", "judging.part-1-of-2.completions.jsonl"):
        store = CompletionStore(folder.iteration(1) / name)
        with store.open_appender() as appender:
            appender.add(Completion(f"{1:016x}-0", said, "stop", 1, 1))
            appender.add(Completion(f"{2:016x}-0", "half a", ending, 1, 1))
            appender.add(Completion(f"{3:016x}-0", "", "length", 1, 1, said))
    set_aside(folder, Redo("train"))
    left = CompletionStore(folder.iteration(1) / "judging.completions.jsonl")
    assert [left.holds(n, 0) for n in (1, 2, 3)] == [True, True, True]
    set_aside(folder, Redo("generate"))
    left = CompletionStore(folder.iteration(1) / "judging.completions.jsonl")
    assert [left.holds(n, 0) for n in (1, 2, 3)] == [True, False, True]


def test_redoing_twice_keeps_both_old_outputs(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    generated(path)
    for _ in range(2):
        with open_run(path, [], quiet=True, redo=Redo("generate")) as context:
            stages.generate(context, 1)
    assert [(tmp_path / f"run/old-{n}/iter-01/dataset/manifest.json").exists() for n in (1, 2)] == [
        True,
        True,
    ]


def test_redoing_the_pool_makes_everything_anew(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model)
    generated(path)
    changed(path, seed=5)
    with open_run(path, [], quiet=True, redo=Redo("pool")) as context:
        stages.generate(context, 1)
    assert (tmp_path / "run/old-1/pool/done.json").exists()
    assert (tmp_path / "run/old-1/iter-01/judgments.jsonl").exists()


def test_a_later_iteration_alone_cannot_take_a_setting_of_all(tiny_model, tmp_path):
    path = written(tmp_path, tiny_model, iterations=3)
    generated(path)
    changed(path, judging={"samples": 3})
    with (
        pytest.raises(ConfigError, match="judging.samples"),
        open_run(path, [], quiet=True, redo=Redo("generate", 2)),
    ):
        pass


@pytest.mark.parametrize(
    "setting",
    [
        "iterations",
        "keep",
        "budget.max_minutes",
        "hosts.train.python",
        "judge.engine",
        "pairs.weaker.engine",
        "evaluation.tasks",
        "judge.options.concurrency",
        "judge.options.replicas",
    ],
)
def test_settings_on_which_nothing_depends_are_free_to_change(setting):
    assert first_stage(setting) is None


def test_a_run_goes_on_where_its_engine_is_moved_to_a_cluster(tmp_path):
    one = "{model: m, engine: local, options: {dtype: bfloat16}}"
    many = (
        "{model: m, engine: ray, options: {engine: local, replicas: 2, engine_options: "
        "{dtype: bfloat16}}}"
    )
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    before = flat_settings(config(tmp_path / "a", judge=one))
    after = flat_settings(config(tmp_path / "b", judge=many))
    lines = changed_fields(before, after)
    assert [line.split(":")[0] for line in lines] == [
        "judge.engine",
        "judge.options.engine",
        "judge.options.replicas",
    ]
    assert {first_stage(line.split(":")[0]) for line in lines} == {None}


def test_another_revision_of_a_cluster_s_model_makes_everything_obsolete(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    judge = (
        "{{model: m, engine: ray, options: {{engine: local, engine_options: {{revision: {}}}}}}}"
    )
    before, after = (
        flat_settings(config(tmp_path / name, judge=judge.format(name))) for name in ("a", "b")
    )
    (line,) = changed_fields(before, after)
    assert first_stage(line.split(":")[0]) == "pool"


@pytest.mark.parametrize("stage", STAGES)
def test_what_an_audit_found_of_judges_that_are_made_anew_goes_and_what_it_asked_stays(
    tmp_path, stage
):
    folder = RunLayout(tmp_path)
    folder.audit.mkdir()
    (folder.audit / "findings.json").write_text("{}")
    (folder.audit / "probes-01.completions.jsonl").write_text("")
    aside = set_aside(folder, Redo(stage))
    assert (folder.audit / "probes-01.completions.jsonl").exists()
    assert (folder.audit / "findings.json").exists() == (stage == "eval")
    assert stage == "eval" or (aside / "audit/findings.json").exists()


def made(folder: RunLayout, *names: str) -> None:
    for name in names:
        path = folder.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def left(folder: RunLayout) -> set[str]:
    """What is left of a run beside what was set aside."""
    names = (str(p.relative_to(folder.root)) for p in folder.root.rglob("*") if p.is_file())
    return {name for name in names if not name.startswith("old-")}


@pytest.mark.parametrize(
    ("redo", "again"),
    [
        (Redo("generate"), True),
        (Redo("train"), True),
        (Redo("eval"), True),
        (Redo("train", 2), False),
    ],
)
def test_the_seed_is_measured_again_where_how_judges_are_measured_may_have_changed(
    tmp_path, redo, again
):
    folder = RunLayout(tmp_path)
    made(folder, "iter-00/done.json", "iter-00/eval/dev/results.json")
    aside = set_aside(folder, redo)
    assert ("iter-00/done.json" not in left(folder)) == again
    assert bool(aside and (aside / "iter-00/done.json").exists()) == again
    if redo.stage != "eval":  # it says itself by which settings it was measured
        assert "iter-00/eval/dev/results.json" in left(folder)


def test_a_redo_that_is_killed_half_way_is_not_taken_for_a_run_with_the_new_settings(
    tiny_model, tmp_path, monkeypatch
):
    path = written(tmp_path, tiny_model)
    generated(path)
    changed(path, judging={"samples": 3})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "set_aside", killed)
    with (
        pytest.raises(KeyboardInterrupt),
        open_run(path, [], quiet=True, redo=Redo("generate")),
    ):
        pass
    with pytest.raises(ConfigError, match="judging.samples"), open_run(path, [], quiet=True):
        pass


MADE = (
    "iter-01/model/trained.json",
    "iter-01/dataset/manifest.json",
    "iter-01/done.json",
    "iter-01/eval/dev/results.json",
    "iter-01/stage-02/dataset/manifest.json",
    "iter-01/stage-02/model/trained.json",
    "iter-02/dataset/manifest.json",
    "iter-02/judging.completions.jsonl",
    "report.json",
)


@pytest.mark.parametrize(
    ("stage", "kept"),
    [
        (1, {*MADE[:2], "iter-02/judging.completions.jsonl"}),
        (2, {*MADE[:2], *MADE[4:6], "iter-02/judging.completions.jsonl"}),
    ],
)
def test_what_a_judge_made_and_was_measured_to_be_goes_where_it_is_trained_again(
    tmp_path, stage, kept
):
    folder = RunLayout(tmp_path)
    made(folder, "iter-00/done.json", *MADE)
    aside = set_aside_made_of(folder, 1, stage)
    assert left(folder) == {"iter-00/done.json", *kept}
    assert all((aside / name).exists() for name in {*MADE} - kept)


def test_a_first_training_sets_nothing_aside(tmp_path):
    folder = RunLayout(tmp_path)
    made(folder, "report.json", "iter-00/done.json", "iter-01/done.json", "iter-02/drops.jsonl")
    assert set_aside_made_of(folder, 2, 1) is None
    assert "report.json" in left(folder)


# --- recipes that change beside a run ---

RECIPE = "base_model: x\nlearning_rate: 0.0001\nsequence_len: 4096\n"


def with_recipe(folder, tiny_model, iterations: int, name: str = "mine.yaml"):
    """A run's config, and the recipe beside it."""
    path = config_of(folder, tiny_model, iterations, training={"recipe": name})
    (folder / name).write_text(RECIPE)
    return path


@pytest.mark.parametrize(
    ("old", "new", "line", "stage"),
    [
        ("0.0001", "0.001", "learning_rate: 0.0001 → 0.001", "train"),
        ("base_model: x\n", "rl: dpo\n", "rl: None → 'dpo'", "generate"),
        ("4096", "2048", "sequence_len: 4096 → 2048", "generate"),
    ],
)
def test_a_recipe_is_not_changed_under_a_finished_iteration(
    tiny_model, tmp_path, old, new, line, stage
):
    path = with_recipe(tmp_path, tiny_model, iterations=1)
    recipe, steps = tmp_path / "mine.yaml", []
    with judges_trained(0.8, 0.9, on_step=steps.append):
        run(path)
        recipe.write_text(RECIPE.replace(old, new))
        for iterations in (1, 2):  # neither a finished run nor a longer one mixes two recipes
            steps.clear()
            with pytest.raises(ConfigError) as caught:
                run(changed(path, iterations=iterations))
            told = str(caught.value)
            assert f"{recipe}: iteration 1 was trained by other settings" in told
            assert f"\n  {line}\nSet it back, or " in told
            assert f"`ste run CONFIG --from {stage} --iteration 1`" in told
            assert steps == []
        recipe.write_text(RECIPE)
        assert len(run(path)) == 3


def test_a_changed_recipe_is_trained_by_where_that_is_asked_for(tiny_model, tmp_path):
    path = with_recipe(tmp_path, tiny_model, iterations=2)
    steps = []
    with judges_trained(0.8, 0.9, on_step=steps.append):
        run(path)
        (tmp_path / "mine.yaml").write_text(RECIPE.replace("0.0001", "0.001"))
        steps.clear()
        with open_run(path, [], quiet=True, redo=Redo("train", 1)) as context:
            loop.run(context)
    assert len([step for step in steps if step.startswith("train ")]) == 2
    laid = yaml.safe_load((tmp_path / "run/iter-02/axolotl.yaml").read_text())
    assert laid["learning_rate"] == 0.001


def test_comments_a_moved_folder_and_an_older_runs_files_are_no_change(tiny_model, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    path = with_recipe(here, tiny_model, iterations=1)
    with judges_trained(0.8):
        run(path)
        (here / "mine.yaml").write_text(f"# tried twice\n{RECIPE}")
        shutil.move(here, there)
        assert len(run(there / "ste.yaml")) == 2
        (there / "run/iter-01/axolotl.yaml").unlink()
        (there / "mine.yaml").write_text(RECIPE.replace("0.0001", "0.001"))
        assert len(run(there / "ste.yaml")) == 2


def test_a_recipe_that_a_newer_package_brought_gives_way_to_a_copy_of_the_old_one(
    tiny_model, tmp_path
):
    path = with_recipe(tmp_path, tiny_model, 1, name="sft-lora-8b")
    with judges_trained(0.8):
        run(path)
        (tmp_path / "sft-lora-8b").unlink()  # the package's own is found by that name now
        with pytest.raises(ConfigError, match="A newer package may have brought it") as caught:
            run(path)
        laid, copy = tmp_path / "run/iter-01/axolotl.yaml", tmp_path / "sft-lora-8b"
        assert f"`cp {laid} {copy}`" in str(caught.value)
        shutil.copy(laid, copy)
        assert len(run(path)) == 2


def test_no_way_back_is_offered_to_a_recipe_that_is_refused_now(tiny_model, tmp_path):
    path = with_recipe(tmp_path, tiny_model, 1, name="kto-lora-8b")
    recipe = tmp_path / "kto-lora-8b"
    recipe.write_text(f"{RECIPE}rl: kto\nshuffle_merged_datasets: false\n")
    with judges_trained(0.8):
        run(path)
        recipe.unlink()
        with pytest.raises(ConfigError, match="iteration 1 was trained by other") as caught:
            run(path)
    told = str(caught.value)
    assert "`cp " not in told and "Set it back" not in told
    assert "no way back to these, which are refused now:\n  shuffle_merged_datasets: " in told
    assert "\nGive this run another folder (run: ...), or train again: `ste run CONFIG" in told


def test_an_own_recipe_below_home_is_not_taken_for_the_packages(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    recipe = tmp_path / "home/mine.yaml"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    path = config_of(tmp_path, tiny_model, 1, training={"recipe": "~/mine.yaml"})
    with judges_trained(0.8):
        run(path)
        recipe.write_text(RECIPE.replace("0.0001", "0.001"))
        with pytest.raises(ConfigError, match=f"{recipe}: iteration 1(.|\n)*\nSet it back, or"):
            run(path)


def test_a_changed_recipe_trains_nothing_where_only_measuring_was_asked_for(tiny_model, tmp_path):
    path, steps = with_recipe(tmp_path, tiny_model, iterations=1), []
    with judges_trained(0.8, on_step=steps.append):
        run(path)
        (tmp_path / "mine.yaml").write_text(RECIPE.replace("0.0001", "0.001"))
        steps.clear()
        with (
            open_run(path, [], quiet=True, redo=Redo("eval")) as context,
            pytest.raises(ConfigError, match="iteration 1 was trained by other settings"),
        ):
            loop.run(context)
        assert not any("iter-01" in step for step in steps)


def test_a_judge_of_an_older_format_is_measured_again(tiny_model, tmp_path):
    path, steps = with_recipe(tmp_path, tiny_model, iterations=1), []
    with judges_trained(0.8, on_step=steps.append):
        run(path)
        manifest = tmp_path / "run/iter-01/dataset/manifest.json"
        manifest.write_text(manifest.read_text().replace('"version": "brief-', '"version": "old-'))
        steps.clear()
        with open_run(path, [], quiet=True, redo=Redo("eval")) as context:
            assert len(loop.run(context)) == 2
        assert not any(step.startswith("train") for step in steps)
        assert any(step.startswith("evaluate ") and "iter-01" in step for step in steps)


def test_the_recipe_is_looked_over_only_where_something_is_left_to_train(
    tiny_model, tmp_path, monkeypatch
):
    path, looked = with_recipe(tmp_path, tiny_model, iterations=1), []
    with judges_trained(0.8):
        run(path)
    monkeypatch.setattr(loop.axolotl, "require_host", lambda _: "0.21")
    monkeypatch.setattr(stages, "check_backend", lambda _: None)
    monkeypatch.setattr(stages, "check_trainable", looked.append)
    for iterations, redo in ((1, None), (1, Redo("eval")), (2, None)):
        assert looked == []
        with open_run(changed(path, iterations=iterations), [], quiet=True, redo=redo) as context:
            loop.check_ahead(context)
    assert len(looked) == 1


def lines_between(tmp_path, before: str, after: str) -> list[str]:
    """What a resume says of a judge whose options were changed."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    judge = "{{model: m, engine: serve, options: {}}}"
    one = flat_settings(config(tmp_path / "a", judge=judge.format(before)))
    return changed_fields(one, flat_settings(config(tmp_path / "b", judge=judge.format(after))))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", "{quantization: fp8}"),
        ("{}", "{arguments: [--chat-template, x]}"),
        ("{arguments: [--quantization, fp8]}", "{arguments: [--quantization, awq]}"),
        ("{extra_body: {a: 1}}", "{extra_body: {a: 2}}"),
    ],
)
def test_an_option_that_changes_what_is_answered_makes_everything_obsolete(tmp_path, before, after):
    (line,) = lines_between(tmp_path, before, after)
    assert first_stage(line.split(":")[0]) == "pool"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", "{dtype: auto, quantization: null, arguments: [], omit: []}"),
        ("{arguments: [--port, 1]}", "{arguments: [-tp, 2, --gpu-memory-utilization=0.8]}"),
        ("{max_num_seqs: 8}", "{max_num_seqs: 16}"),
    ],
)
def test_how_a_server_runs_may_change_within_a_run(tmp_path, before, after):
    lines = lines_between(tmp_path, before, after)
    assert {first_stage(line.split(":")[0]) for line in lines} <= {None}


@pytest.mark.parametrize("moves", range(8))
@pytest.mark.parametrize("stage", ["pool", "generate", "train"])
def test_whatever_a_redo_that_is_killed_has_moved_nothing_is_left_of_what_is_gone(
    tmp_path, monkeypatch, stage, moves
):
    from ste_plugin.run import redo

    folder, move, moved = RunLayout(tmp_path), redo._move, []
    order = [
        "pool/done.json",
        "iter-01/dataset/manifest.json",
        "iter-01/model/trained.json",
        "iter-01/done.json",
        "iter-02/dataset/manifest.json",
        "iter-02/model/trained.json",
        "iter-02/done.json",
        "report.json",
    ]
    made(folder, *order)

    def until_killed(path, target):
        if len(moved) == moves:
            raise KeyboardInterrupt
        moved.append(path)
        move(path, target)

    monkeypatch.setattr(redo, "_move", until_killed)
    with suppress(KeyboardInterrupt):
        set_aside(folder, Redo(stage))
    there = [name in left(folder) for name in order]
    assert there == sorted(there, reverse=True)


def test_what_says_that_a_folder_is_done_is_set_aside_before_what_it_says_that_of(
    tmp_path, monkeypatch
):
    from ste_plugin.run import redo

    folder = RunLayout(tmp_path)
    names = ("contamination.jsonl", "done.json", "instructions.jsonl", "pairs.jsonl")
    made(folder, *(f"pool/{name}" for name in names))
    (folder.pool / "pairs.completions.jsonl").write_text("")
    move, moved = redo.move, []
    monkeypatch.setattr(redo, "move", lambda a, b: move(moved.append(a) or a, b))
    set_aside(folder, Redo("pool"))
    assert moved[0] == folder.pool / "done.json"
    assert len(moved) == len(names)


def test_what_is_set_aside_lies_beside_the_settings_that_it_was_made_with(tmp_path):
    folder = RunLayout(tmp_path)
    made(folder, "run.yaml", "judge_format.yaml", "pool/done.json")
    aside = set_aside(folder, Redo("pool"))
    assert (aside / "run.yaml").read_bytes() == folder.config.read_bytes()
    assert (aside / "judge_format.yaml").exists()


@pytest.mark.parametrize(("stage", "number"), [("generate", 7), ("train", 0), ("eval", 3)])
def test_an_iteration_that_the_run_does_not_have_is_not_redone(tmp_path, stage, number):
    path = written(tmp_path, tmp_path, iterations=2)
    redo = Redo(stage, number)
    with (
        pytest.raises(ConfigError, match=f"--iteration: found {number}; expected one from"),
        open_run(path, [], quiet=True, redo=redo),
    ):
        pass
