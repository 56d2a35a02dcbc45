"""Publishing into a folder: what goes, what the cards say, what stays, and what is refused."""

import json
import re
import shlex
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from ste_plugin.errors import ConfigError, DataError
from ste_plugin.instructions.privacy.forgotten import (
    ForgottenInstruction,
    append_forgotten,
    forgotten_hash,
)
from ste_plugin.judging.published import FormatCard, PublishedJudge
from ste_plugin.lm_eval_tasks.settings import JudgeSettings
from ste_plugin.publish.cards import lm_eval_command
from ste_plugin.publish.facts import figure_rows, index_results, sets_in_words
from ste_plugin.publish.own_figures import for_strangers
from ste_plugin.report.read_run import read_run
from ste_plugin.review.results import Results
from ste_plugin.storage.dataset_manifest import read_manifest, write_rows
from ste_plugin.storage.jsonl import read_json, replace_json
from ste_plugin.storage.training_manifest import digest_files
from tests.helpers.measured_runs import judged_pairs, measured, measured_run
from tests.helpers.published_runs import copied, finished_run, publish

ALL = ("--what", "model,data,report")
KEY = "sk-proj-4fJ9dQ2mXw8Lr5Tz7Yb3"
EMAIL = "ada.lovelace@analytical.example.org"


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return finished_run(tmp_path_factory.mktemp("run"), tiny_model, 0.85, 0.97)


@pytest.fixture(scope="module")
def out(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "judge"
    publish(
        run,
        folder,
        *ALL,
        "--license",
        "apache-2.0",
        "--source-license",
        "instructions.jsonl=cc0-1.0",
    )
    return folder


def texts_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def model_of(run: Path, number: int = 2) -> Path:
    return run / f"iter-{number:02d}/model/merged"


def instructions_with(run: Path, text: str, number: int = 2) -> None:
    """Put a text into the prompt of every row of a judge's data."""
    manifest = read_manifest(run / f"iter-{number:02d}/dataset/manifest.json")
    for name in ("sft-train", "sft-dev"):
        rows = [row for _, row in manifest.rows(name)]
        for row in rows:
            row["messages"][0]["content"] += f" {text}"
        manifest.content["files"][name] = write_rows(manifest.path.parent, name, rows)
    replace_json(manifest.path, manifest.content)


def test_the_shipped_judge_goes_with_all_that_loads_it_and_nothing_else(run, out):
    names = {path.name for path in (out / "model").iterdir()}
    assert names == {
        *("config.json", "generation_config.json", "model.safetensors", "chat_template.jinja"),
        *("tokenizer.json", "tokenizer_config.json", "ste_judge.json", "README.md", "report"),
    }
    weights = (out / "model/model.safetensors").read_bytes()
    assert weights == (model_of(run) / "model.safetensors").read_bytes()
    assert read_json(out / "model/ste_judge.json")["iteration"] == 2


def test_cards_are_read_by_the_hubs_own_classes(out):
    from huggingface_hub import DatasetCard, ModelCard

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, data = (
            ModelCard.load(out / "model/README.md"),
            DatasetCard.load(out / "data/README.md"),
        )
    assert (model.data.license, model.data.library_name) == ("apache-2.0", "transformers")
    results = {(r.dataset_name[:4], r.metric_type): r for r in model.data.eval_results}
    report = read_json(out / "model/report/report.json")["iterations"][2]["evaluations"]
    found = results["test", "acc_pc"]
    assert found.metric_value == report["test"]["overall"]["acc_pc"]
    low, high = report["test"]["overall"]["acc_pc_interval"]
    assert f"95% interval {low:.3f} to {high:.3f}, n = {report['test']['n']}" in found.metric_name
    assert [c["config_name"] for c in data.data.configs] == ["sft", "pairs"]


def test_a_card_counts_the_pairs_that_a_figure_is_of_and_tells_the_others(tmp_path):
    root = measured_run(tmp_path)
    pairs = judged_pairs(50, 0.9, 1)
    pairs[10:30] = [replace(pair, votes=(0, 0, 1)) for pair in pairs[10:30]]
    pairs[30:] = [replace(pair, fits=False) for pair in pairs[30:]]
    measured(root / "iter-02/eval/people", pairs)
    run = read_run(root)
    by_set = {found["dataset"]["name"]: found for found in index_results(run, 2, "")}
    names = {metric["type"]: metric["name"] for metric in by_set["people"]["metrics"]}
    assert names["acc_pc"].endswith(", n = 10)")
    assert names["consistency"].endswith(", n = 30)")
    assert [row[1] for row in figure_rows(run, 2) if row[0] == "people"][:2] == [10, 10]
    words = "people, 50 pairs (20 without a better answer, 20 not asked about)"
    assert words in sets_in_words(run, 2)


def test_the_command_for_plain_lm_eval_asks_the_judge_with_all_that_its_folder_presets():
    form = FormatCard("criteria", "criteria-1", "Final verdict: [[", True, False, 2048)
    thinking = ("<it's a scratch>", "</it's a scratch>")
    record = PublishedJudge(
        1, "0", "org/seed", 2, form, {"enable_thinking": True}, thinking, True, 16384, {}
    )
    words = shlex.split(lm_eval_command(record, "judge"))
    variables = dict(word.split("=", 1) for word in words[: words.index("lm_eval")])
    found = JudgeSettings.read(variables, {})
    assert found == JudgeSettings(
        data=Path("labelled.jsonl"),
        format="criteria",
        force=True,
        max_new_tokens=16384,
        chat_template_kwargs={"enable_thinking": True},
        thinking=thinking,
    )


def test_the_model_card_says_what_a_stranger_has_to_know(out):
    card = (out / "model/README.md").read_text()
    for told in (
        "Iteration 2 is the best",
        "| test | 8 | right in both orders | 1.000 (0.510 to 1.000) | 0.750 (0.289 to 0.957) |",
        "The audit (collapse, shortcuts) found: no figure of 16 breaks its threshold",
        "[Instruction]\n{the instruction}\n\n[Answer A]\n{answer A}",
        "`Final verdict: [[`",
        "tokens written",
        "| instructions.jsonl | jsonl | cc0-1.0 |",
        "it was measured on no benchmark",
        "nobody has looked at them",
    ):
        assert told in card, told
    assert "The licence of" not in card


def test_what_is_not_known_of_licences_is_said(run, tmp_path, capsys):
    publish(run, tmp_path / "out", *ALL, "--dry-run")
    told = capsys.readouterr().out
    assert "This model: unknown. Whoever published it has not said." in told
    assert "- The licence of the source instructions.jsonl." in told
    assert "license: unknown" in told


def test_an_audit_that_failed_and_one_that_was_never_made_are_told(run, tmp_path):
    run = copied(run, tmp_path / "a")
    findings = read_json(run / "audit/findings.json")
    findings["2"]["collapse"][0]["failed"] = True
    replace_json(run / "audit/findings.json", findings)
    publish(run, tmp_path / "failed")
    assert "NOT TRUSTED: 1 of 16 figures break" in (tmp_path / "failed/model/README.md").read_text()
    (run / "audit/findings.json").unlink()
    publish(run, tmp_path / "none")
    card = (tmp_path / "none/model/README.md").read_text()
    assert "No audit was made of this judge." in card
    assert "What it goes by instead of judging: no audit was made." in card


def test_data_go_only_where_they_are_named(run, tmp_path):
    publish(run, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model"]
    assert "datasets:" not in (tmp_path / "out/model/README.md").read_text()


def test_rows_keep_their_split_and_are_counted(out):
    manifest = read_json(out / "data/manifest.json")
    for name, told in manifest["files"].items():
        lines = (out / "data" / name).read_text().splitlines()
        assert len(lines) == told["rows"] > 0
    assert set(manifest["files"]) == {
        *("sft/train.jsonl", "sft/dev.jsonl", "pairs/dev.jsonl", "pairs/test.jsonl")
    }
    rows = {n: (out / "data" / n).read_text().splitlines() for n in manifest["files"]}
    instructions = {
        n: {json.loads(r).get("instruction") for r in lines} for n, lines in rows.items()
    }
    assert not instructions["sft/train.jsonl"] & instructions["sft/dev.jsonl"]


def test_a_judge_that_goes_on_from_the_one_before_comes_with_what_both_learnt(tiny_model, tmp_path):
    training = {"recipe": "sft-lora-8b", "start_from": "previous"}
    run = finished_run(tmp_path / "r", tiny_model, 0.8, 0.97, training=training)
    publish(run, tmp_path / "out", *ALL)
    files = read_json(tmp_path / "out/data/manifest.json")["files"]
    assert {"sft/train-01-01.jsonl", "sft/train-02-01.jsonl", "pairs/test.jsonl"} <= set(files)
    card = (tmp_path / "out/data/README.md").read_text()
    split = (
        "  - split: train\n    path:\n    - sft/train-01-01.jsonl\n    - sft/train-02-01.jsonl\n"
    )
    assert split in card


def test_the_data_set_loads_by_its_card(out, tmp_path):
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(out / "data"), "sft", cache_dir=str(tmp_path))
    rows = read_json(out / "data/manifest.json")["files"]["sft/train.jsonl"]["rows"]
    assert (set(loaded), loaded["train"].num_rows) == ({"train", "dev"}, rows)


def test_nothing_of_this_machine_is_in_it(run, out):
    parents = f"{run.parent.name}/{run.name}"  # as reports call a run
    private = (str(run), parents, str(Path.home()) + "/", str(Path.cwd()), "/tmp/")
    found = [(n, p) for n, text in texts_of(out).items() for p in private if p in text]
    assert found == []


def test_keys_homes_and_secrets_in_data_are_replaced_and_counted(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("WANDB_API_KEY", "canary0wandb0key0d41d8")
    run = copied(run, tmp_path / "a")
    instructions_with(run, f"{KEY} /home/alice/notes.txt /home/user/x canary0wandb0key0d41d8")
    publish(run, tmp_path / "out", *ALL)
    rows = (tmp_path / "out/data/sft/train.jsonl").read_text()
    assert "<KEY> /home/<USER>/notes.txt /home/user/x [WANDB_API_KEY]" in rows
    everything = "".join(texts_of(tmp_path / "out").values())
    assert not re.search(f"{KEY}|alice|canary0", everything)
    n = len(rows.splitlines()) + len((tmp_path / "out/data/sft/dev.jsonl").read_text().splitlines())
    assert f"{n:,} x key" in capsys.readouterr().out
    assert f"{n:,} x key" in (tmp_path / "out/data/README.md").read_text()


def test_what_the_run_scrubs_does_not_come_back_by_what_models_wrote(tiny_model, tmp_path):
    run = finished_run(tmp_path / "r", tiny_model, 0.97, privacy={"scrub": ["email"]})
    instructions_with(run, EMAIL, number=1)
    publish(run, tmp_path / "out", *ALL)
    texts = texts_of(tmp_path / "out")
    assert [name for name, text in texts.items() if EMAIL in text] == []
    assert "<EMAIL>" in texts["data/sft/train.jsonl"]
    assert "The run scrubbed email from its instructions" in texts["data/README.md"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (KEY, "a key, token or password"),
        ("/home/alice/models/", "a path in somebody's home"),
        ("canary0wandb0key0d41d8", "the value of WANDB_API_KEY"),
    ],
)
def test_a_secret_in_a_file_of_the_model_is_refused_by_file_and_line(
    run, tmp_path, monkeypatch, text, what
):
    monkeypatch.setenv("WANDB_API_KEY", "canary0wandb0key0d41d8")
    run = copied(run, tmp_path / "a")
    template = model_of(run) / "chat_template.jinja"
    template.write_text(f"{template.read_text()}\n\n{{# {text} #}}")
    line = len(template.read_text().splitlines())
    with pytest.raises(DataError) as told:
        publish(run, tmp_path / "out", *ALL)
    assert f"chat_template.jinja:{line}: {what} ({template})" in str(told.value)
    assert text not in str(told.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", [KEY, "/home/alice/models/x"])
def test_a_secret_behind_a_line_that_json_escapes_is_seen(run, tmp_path, text):
    run = copied(run, tmp_path / "a")
    special = model_of(run) / "special_tokens_map.json"
    replace_json(special, {"note": f"first\n{text}"})
    with pytest.raises(DataError, match=r"special_tokens_map\.json:2"):
        publish(run, tmp_path / "out")


def test_rows_of_forgotten_instructions_stay_here(run, tmp_path, out):
    run = copied(run, tmp_path / "a")
    first = json.loads((out / "data/sft/train.jsonl").read_text().splitlines()[0])["instruction"]
    append_forgotten(run, [ForgottenInstruction(forgotten_hash(first), "2026-01-01", ())])
    publish(run, tmp_path / "out", *ALL)
    rows = (tmp_path / "out/data/sft/train.jsonl").read_text()
    before = (out / "data/sft/train.jsonl").read_text()
    assert first in before and first not in rows
    left = len(before.splitlines()) - len(rows.splitlines())
    assert f"{left} rows of forgotten" in (tmp_path / "out/data/README.md").read_text()


def test_a_judge_that_was_trained_on_what_was_forgotten_is_refused(run, tmp_path):
    run = copied(run, tmp_path / "a")
    append_forgotten(run, [ForgottenInstruction("0" * 16, "2026-01-01", ("iter-02/model",))])
    with pytest.raises(ConfigError, match="trained on 1 instructions that were forgotten"):
        publish(run, tmp_path / "out")
    publish(run, tmp_path / "out", "--although-failed")
    assert "its weights have seen them" in (tmp_path / "out/model/README.md").read_text()


def test_a_judge_that_breaks_a_gate_is_published_only_on_purpose(run, tmp_path):
    run = copied(run, tmp_path / "a")
    gates = read_json(run / "iter-01/gates.json")
    broken = ["consistency: it prefers one answer.", "mine: a plugin quotes Ada Lovelace."]
    replace_json(run / "iter-01/gates.json", gates | {"broken": broken, "passed": False})
    with pytest.raises(ConfigError, match=r"iteration 1 breaks its gates.*\n.*consistency"):
        publish(run, tmp_path / "out", "--iteration", 1)
    publish(run, tmp_path / "out", "--iteration", 1, "--although-failed")
    texts = texts_of(tmp_path / "out")
    assert "It breaks a gate of its run: consistency" in texts["model/README.md"]
    assert "This is iteration 1 of a run that ships iteration 2." in texts["model/README.md"]
    assert not [name for name, text in texts.items() if "Lovelace" in text]


def test_a_run_that_ships_its_seed_has_no_judge_to_publish(tiny_model, tmp_path):
    run = finished_run(tmp_path / "r", tiny_model, "always A")
    with pytest.raises(ConfigError, match=r"ships its seed, as (every|no) iteration.*--iteration"):
        publish(run, tmp_path / "out")
    with pytest.raises(ConfigError, match="found 0, the seed"):
        publish(run, tmp_path / "out", "--iteration", 0)


def test_a_run_that_is_not_finished_says_so(run, tmp_path):
    run = copied(run, tmp_path / "a")
    (run / "report.json").unlink()
    with pytest.raises(ConfigError, match="not finished, so that it ships no judge yet"):
        publish(run, tmp_path / "out")
    publish(run, tmp_path / "out", "--iteration", 1)
    assert "a run that is not finished" in (tmp_path / "out/model/README.md").read_text()


def test_weights_that_changed_since_training_are_not_published(run, tmp_path):
    run = copied(run, tmp_path / "a")
    trained = run / "iter-02/model/trained.json"
    replace_json(trained, read_json(trained) | {"seal": digest_files(model_of(run))})
    (model_of(run) / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"config\.json changed since the training ended"):
        publish(run, tmp_path / "out")


def test_a_folder_that_is_not_empty_is_left_as_it_is(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("Mine.")
    with pytest.raises(ConfigError, match=r"not empty: mine\.txt is in it"):
        publish(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_is_full_leaves_no_half_a_publication(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DataError, match="disk is full: make room"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_names_its_base_on_a_hub_or_is_refused(run, tmp_path, tiny_model):
    run = copied(run, tmp_path / "a")
    model = model_of(run)
    (model / "config.json").unlink()
    settings = {"base_model_name_or_path": str(tiny_model), "r": 8}
    replace_json(model / "adapter_config.json", settings)
    (model / "model.safetensors").rename(model / "adapter_model.safetensors")
    with pytest.raises(ConfigError, match=r"an adapter of .*a folder of this machine.*--base ORG"):
        publish(run, tmp_path / "out")
    publish(run, tmp_path / "out", "--base", "org/tiny")
    published = read_json(tmp_path / "out/model/adapter_config.json")
    assert published == {"base_model_name_or_path": "org/tiny", "r": 8}
    card = (tmp_path / "out/model/README.md").read_text()
    assert "base_model: org/tiny\nbase_model_relation: adapter\n" in card
    assert "library_name: peft" in card


def test_pickles_and_what_training_left_behind_stay_here(run, tmp_path, capsys):
    run = copied(run, tmp_path / "a")
    for name in ("training_args.bin", "trainer_state.json", "modeling_own.py"):
        (model_of(run) / name).write_text("x")
    publish(run, tmp_path / "out", "--dry-run")
    stays = "stays here: judges.json, modeling_own.py, trainer_state.json, training_args.bin"
    assert stays in capsys.readouterr().out


def test_a_dry_run_writes_nothing_and_tells_files_sizes_and_cards(run, tmp_path, capsys):
    publish(run, tmp_path / "out", *ALL, "--dry-run", "--json")
    plan = json.loads(capsys.readouterr().out)
    sizes = {each["kind"]: each["files"] for each in plan["plan"]}
    weights = (model_of(run) / "model.safetensors").stat().st_size
    assert sizes["model"]["model.safetensors"] == weights
    assert all(each["card"].startswith("---\n") for each in plan["plan"])
    assert list(tmp_path.iterdir()) == []


def test_raters_and_plugins_words_are_not_a_strangers_business(run):
    nobody = dict.fromkeys(Results.__struct_fields__)
    said = Results(**{**nobody, "labels": {"Zoe": 3, "Ada": 2}, "pairs_of_people": {"Ada / Zoe": 1},
                      "judge_with": {"Zoe": 2}, "strategies": {}, "reasoning": {}})  # fmt: skip
    found = read_run(run)
    shown = for_strangers(replace(found, people=said, findings={2: {"of a plugin": []}}))
    assert shown.people.labels == {"rater 1": 2, "rater 2": 3}
    assert shown.people.pairs_of_people == {"rater 1 / rater 2": 1}
    assert shown.people.judge_with == {"rater 2": 2}
    assert shown.findings == {2: {}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--what", "modell"), r"--what: found 'modell'. Did you mean 'model'\?"),
        (("--what", ","), "--what: found nothing"),
        (("--private",), "--private: found with a folder"),
        (("--iteration", 7), r"--iteration: found 7; .* has 2"),
        (("--source-license", "cc0"), "--source-license: found 'cc0'; expected SOURCE=ID"),
        (("--source-license", "instruction.jsonl=mit"), r"Did you mean 'instructions\.jsonl'\?"),
    ],
)
def test_a_wrong_option_is_told(run, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        publish(run, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["hub:judge", "hub:a/b/c", "hub:/judge", "hub:org/"])
def test_a_name_that_is_none_on_a_hub_is_told(run, to):
    with pytest.raises(ConfigError, match="expected a folder, or hub:ORG/NAME"):
        publish(run, to)
