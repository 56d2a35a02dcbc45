"""Forgetting an instruction: nothing made of it stays, all else does, and the run still works."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace as replace_fields

from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import keep, read_findings
from ste_plugin.context import IterationReport
from ste_plugin.errors import ConfigError
from ste_plugin.forget import ForgetQuery, read_run
from ste_plugin.forget.gate_words import FORGOTTEN
from ste_plugin.run.gating import Decision
from ste_plugin.run.open_run import open_existing
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.jsonl import read_json, read_rows, replace_json
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers import environment
from tests.helpers.command import ste
from tests.helpers.fake_runs import ALL_ROWS, generated, rows_of, written
from tests.helpers.forgetting import CANARY, forgotten

pytestmark = pytest.mark.usefixtures("warm_hosts")

TEXT = f'Write to {CANARY},\nand say "hello"\tslowly.'
RECIPE = """\
base_model: STE_MODEL
adapter: lora
lora_r: 4
lora_alpha: 8
lora_target_linear: true
sequence_len: 1024
micro_batch_size: 4
gradient_accumulation_steps: 1
max_steps: 2
optimizer: adamw_torch
learning_rate: 0.001
bf16: false
fp16: false
lora_mlp_kernel: false
lora_qkv_kernel: false
lora_o_kernel: false
output_dir: STE_OUTPUT
"""


def with_canary(folder: Path, tiny_model: Path, text: str = TEXT, **more: object) -> Path:
    """A run's config whose instructions hold the canary in line 42."""
    path = written(folder, tiny_model, **more)
    with (folder / "instructions.jsonl").open("a") as file:
        file.write(json.dumps({"instruction": text, "id": "c"}) + "\n")
    return path


def forgotten_one_by_one(run: Path) -> dict[str, str]:
    """What the files of completions hold once every instruction was forgotten by its key alone."""
    for _, row in list(read_rows(run / "pool/instructions.jsonl")):
        forgotten(run, key=row["key"])
    return {path.name: path.read_text() for path in run.rglob("*.completions.jsonl")}


def holding(run: Path, text: str = CANARY) -> list[str]:
    return sorted(
        str(p.relative_to(run))
        for p in run.rglob("*")
        if p.is_file() and text.encode() in p.read_bytes()
    )


def contents(run: Path) -> dict[str, bytes]:
    """All files but the lock; when something was forgotten is no part of what is compared."""
    found = {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}
    found.pop("run.lock", None)
    return {n: re.sub(rb'"at":"[^"]*"', b"", c) for n, c in found.items()}


@pytest.fixture(scope="module")
def made(tiny_model, tmp_path_factory):
    """A run whose first data set is made; nobody may change it."""
    folder = tmp_path_factory.mktemp("made")
    more = {
        "judging": {"format": "brief", "samples": 2, "sampling": "fixed", "force_verdict": True},
        "dataset": ALL_ROWS | {"test_fraction": 0.0},
    }
    path = with_canary(folder, tiny_model, judges="half", **more)
    generated(path)
    assert len(holding(folder / "run")) > 5
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A copy of that run of one's own."""
    shutil.copytree(made, tmp_path / "mine")
    return tmp_path / "mine" / "run"


def test_no_file_holds_the_text_afterwards(run):
    told = forgotten(run)
    assert holding(run) == []
    assert told.quoted == []
    assert len(told.keys) == 1


def test_what_an_audit_quotes_goes_and_its_figures_of_judges_stay(run):
    folder = RunLayout(run)
    words = "1 training instruction repeats a prompt, as “write to quokka 77 wombat”"
    found = Finding("", "a figure", "iteration 1", 1.0, None, 0.0, 9, True, words)
    checks = ("contamination", "shortcuts", "a-plugins", "probes", "collapse")
    keep(folder, 1, {c: [replace_fields(found, check=c)] for c in checks[:3]})
    keep(folder, 1, {c: [replace_fields(found, check=c, words="")] for c in checks[3:]})
    replace_json(folder.audit / "shortcuts.json", {"1": {"s": {"giveaways": [words]}}})
    shutil.copytree(folder.audit, run / "old-1/audit")
    forgotten(run)
    assert holding(run, "quokka 77") == []
    assert set(read_findings(folder)[1]) == {"probes", "collapse"}


def test_what_a_plugins_gate_said_goes_and_what_was_decided_stays(run):
    folder, words = RunLayout(run), "it copies answers, as “write to quokka 77 wombat”"
    own = Finding("gates", "consistency", "iteration 1", 0.4, None, 0.5, 9, True, "0.4 kept.")
    theirs = (Finding("gates", "hooks.py", "iteration 1", None, None, None, 0, True, words),)
    theirs += (replace_fields(own, check="copies", name="of 9", words=words),)
    sentences = ("consistency: 0.4 kept.", f"hooks.py: {words}", f"of 9: {words}")
    found = tuple(finding.to_dict() for finding in (own, *theirs))
    decision = Decision(1, False, 0, sentences, (), {}, found, {"hooks.py": "a hash"})
    place = folder.iteration(1)
    report = IterationReport(1, str(place), "m", {}, 0, 0, 0, 0, None, 0.1, sentences)
    replace_json(place / "gates.json", decision.to_dict())
    replace_json(place / "done.json", report.to_dict())
    replace_json(folder.report, {"best": 0, "iterations": [report.to_dict()]})
    (place / "report.md").write_text(words)
    keep(folder, 1, {"gates": [own, *theirs]})
    with (run / "events.jsonl").open("a") as file:
        file.write(json.dumps({"stage": "gates", "iteration": 1, "broken": sentences}) + "\n")
    forgotten(run)
    assert holding(run, "quokka 77") == []
    left = Decision.from_dict(read_json(place / "gates.json"))
    assert (left.passed, left.broken) == (False, (sentences[0], FORGOTTEN, FORGOTTEN))
    assert list(map(Finding.from_dict, left.findings)) == [own]
    assert read_findings(folder)[1] == {"gates": [own]}
    assert read_json(folder.report)["iterations"][0]["broken"] == list(left.broken)
    assert FORGOTTEN in (place / "report.md").read_text()


def test_no_file_names_the_instruction_or_its_pairs_afterwards(run):
    pairs = [row for _, row in read_rows(run / "pool/pairs.jsonl") if CANARY in row["instruction"]]
    (key,) = forgotten(run).keys
    assert {pair["instruction_key"] for pair in pairs} == {key}
    for name in (key, *(pair["key"] for pair in pairs)):
        assert holding(run, name) == []


def test_all_else_stays_as_it_was(run, made):
    forgotten(run)
    for name in ("pool/instructions.jsonl", "pool/pairs.jsonl", "iter-01/judgments.jsonl"):
        before = (made / "run" / name).read_bytes().splitlines()
        after = (run / name).read_bytes().splitlines()
        assert set(after) < set(before)
        assert [line for line in before if line in set(after)] == after
    gone = {row["key"] for _, row in read_rows(made / "run/pool/pairs.jsonl")} - {
        row["key"] for _, row in read_rows(run / "pool/pairs.jsonl")
    }
    borrowed = [
        row
        for _, row in read_rows(made / "run/pool/pairs.jsonl")
        if row["key"] in gone and CANARY not in row["instruction"]
    ]
    assert len(gone) == 2 + len(borrowed)
    assert all(CANARY in row["worse"] for row in borrowed)


def test_the_manifest_tells_of_what_is_left(run):
    before = read_json(run / "iter-01/dataset/manifest.json")
    forgotten(run)
    data = read_manifest(run / "iter-01/dataset")
    data.verify(*[name for name in data.content["files"] if data.count(name)])
    counts = data.content["counts"]
    kept = {split: data.count(f"sft-{split}") for split in ("train", "dev")}
    assert counts["kept"] == kept
    assert sum(kept.values()) < sum(before["counts"]["kept"].values())
    for split, letters in counts["letters"].items():
        assert sum(letters.values()) == sum(counts["strategies"][split].values()) == kept[split]
    lines = (run / "iter-01/judgments.jsonl").read_text().splitlines()
    assert counts["judgments"] == len(lines) < before["counts"]["judgments"]
    pool = read_json(run / "pool/done.json")
    assert counts["pairs"] == pool["pairs"]
    assert sum(pool["pairs"].values()) == len((run / "pool/pairs.jsonl").read_text().splitlines())
    for name, file in data.content["files"].items():
        assert file["path"] == f"{name}-{file['sha256'][:12]}.jsonl"


def test_the_manifest_of_preferences_counts_examples_without_a_row_too(tiny_model, tmp_path):
    judging = {"format": "brief", "samples": 3, "sampling": "fixed"}
    dataset = {"dev_fraction": 0.2, "test_fraction": 0.0}
    more = {"training": {"recipe": "dpo-lora-8b"}, "judging": judging, "dataset": dataset}
    path = with_canary(tmp_path, tiny_model, judges=0.8, **more)
    before = generated(path)["counts"]
    forgotten(tmp_path / "run")
    for _ in range(2):
        mended = read_json(tmp_path / "run/iter-01/dataset/manifest.json")["counts"]
        left = {split: sum(letters.values()) for split, letters in mended["letters"].items()}
        assert left == mended["kept"]
        assert mended["strategies"].keys() == before["strategies"].keys()
        assert {s: sum(n.values()) for s, n in mended["strategies"].items()} == left
        judged = list(read_rows(tmp_path / "run/iter-01/pass_rates.jsonl"))
        drops = [d for _, d in read_rows(tmp_path / "run/iter-01/drops.jsonl")]
        out = [d for d in drops if d["stage"] == "dataset" and "rows" not in d["reason"]]
        assert sum(left.values()) == len(judged) - len(out) < sum(before["kept"].values())
        forgotten(tmp_path / "run")


def test_a_data_set_made_anew_is_the_same_as_one_that_was_mended(run):
    forgotten(run)
    mended = read_manifest(run / "iter-01/dataset").content["files"]
    (run / "iter-01/dataset/manifest.json").unlink()
    generated(run.parent / "ste.yaml")
    anew = read_manifest(run / "iter-01/dataset").content["files"]
    # what is balanced and shuffled over all rows may fall out otherwise; what is asked may not
    for name in ("judge-dev",):
        assert anew[name] == mended[name]
    assert holding(run) == []


def test_every_completion_of_a_run_belongs_to_an_instruction(run):
    assert set(forgotten_one_by_one(run).values()) == {""}


@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("ending", ["", "<s>", "<think>no</think>", "<|im_end|>", "[INST]"])
def test_no_completion_stays_that_no_request_makes_any_more(ending, thinks, tiny_model, tmp_path):
    path = with_canary(tmp_path, tiny_model, f"{TEXT} {ending}", judges="half", texts=16)
    settings = yaml.safe_load(path.read_text())
    settings["judge"]["options"]["thinks"] = thinks
    settings["judging"] |= {"force_verdict": True}
    settings["dataset"] = {"dev_fraction": 0.2, "test_fraction": 0.0}
    settings["pairs"] = {"strategies": ["modified-instruction-two-calls", "ask-for-worse"]}
    path.write_text(yaml.safe_dump(settings))
    generated(path)
    forgotten(tmp_path / "run")
    assert holding(tmp_path / "run") == []
    left = forgotten_one_by_one(tmp_path / "run")
    assert left == {"pairs.completions.jsonl": "", "judging.completions.jsonl": ""}


def test_labels_are_forgotten_too(tiny_model, tmp_path):
    hooks = "tests.helpers.fake_labels:create"
    path = with_canary(tmp_path, tiny_model, selection={"label": True, "selectors": []})
    text = (tmp_path / "hooks.py").read_text()
    (tmp_path / "hooks.py").write_text(text.replace("tests.helpers.fake_judge:create", hooks))
    generated(path)
    labels = tmp_path / "run/pool/labels.completions.jsonl"
    before = len(labels.read_text().splitlines())
    forgotten(tmp_path / "run")
    assert len(labels.read_text().splitlines()) == before - 1


def test_that_it_repeats_a_benchmark_is_forgotten_too(tiny_model, tmp_path):
    rows = [{"prompt": TEXT}, {"prompt": "Say number 3."}]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    selection = {"keep_out": ["people.jsonl"], "keep_out_by": []}
    generated(with_canary(tmp_path, tiny_model, selection=selection))
    overlaps = tmp_path / "run/pool/contamination.jsonl"
    assert CANARY in overlaps.read_text()
    report = forgotten(tmp_path / "run")
    assert [row["quote"] for _, row in read_rows(overlaps)] == ["say number 3"]
    assert report.removed["overlaps"] == 1
    assert holding(tmp_path / "run") == []


def test_a_dry_run_tells_the_same_and_writes_nothing(run):
    before = contents(run)
    dry = forgotten(run, dry=True)
    assert contents(run) == before
    assert replace(forgotten(run), quoted=[]) == dry


def test_forgetting_twice_changes_nothing_more(run):
    first = forgotten(run)
    once = contents(run)
    second = forgotten(run)
    assert contents(run) == once
    assert (second.removed, second.models, second.sources) == ({}, first.models, first.sources)


def test_the_key_and_a_regular_expression_forget_the_same(run, made, tmp_path):
    shutil.copytree(made, tmp_path / "other")
    other = tmp_path / "other/run"
    rows = [row for _, row in read_rows(run / "pool/instructions.jsonl")]
    key = next(row["key"] for row in rows if CANARY in row["text"])
    assert forgotten(run, key=key).keys == forgotten(other, regex=r"quokka\.\d+@").keys == [key]
    assert contents(run) == contents(other)


def test_the_sources_that_still_hold_it_are_named_and_left_alone(run):
    source = run.parent / "instructions.jsonl"
    before = source.read_bytes()
    assert forgotten(run).sources == ["instructions.jsonl:42 (c)"]
    assert source.read_bytes() == before


def test_a_pool_made_anew_leaves_out_what_was_forgotten(run):
    forgotten(run)
    shutil.rmtree(run / "pool")
    shutil.rmtree(run / "iter-01")
    generated(run.parent / "ste.yaml")
    assert holding(run) == []
    assert read_json(run / "pool/done.json")["drops"]["sources: forgotten"] == 1


def test_an_unfinished_pool_forgets_what_was_asked_so_far(run):
    for name in ("done.json", "instructions.jsonl", "pairs.jsonl", "drops.jsonl"):
        (run / "pool" / name).unlink()
    for path in [*run.glob("pool/dev-*"), *run.glob("iter-01/*.jsonl"), run / "iter-01/dataset"]:
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.endswith(".completions.jsonl"):
            path.unlink()
    judged = run / "iter-01/judging.completions.jsonl"
    before = len(judged.read_text().splitlines())
    told = forgotten(run)
    assert told.removed["completions"] > 3
    assert len(judged.read_text().splitlines()) < before
    generated(run.parent / "ste.yaml")
    assert holding(run) == []


@pytest.mark.parametrize("scratch", [".read.jsonl", ".labelled.jsonl"])
def test_a_pool_that_was_killed_before_it_was_made_keeps_nothing(run, scratch):
    """Though nobody would find the instruction in the sources any more."""
    rows = read_rows(run / "pool/instructions.jsonl")
    (row,) = (row for _, row in rows if CANARY in row["text"])
    shutil.rmtree(run / "pool")
    shutil.rmtree(run / "iter-01")
    (run / "pool").mkdir()
    (run / "pool" / scratch).write_text(json.dumps(row) + "\n")
    source = run.parent / "instructions.jsonl"
    source.write_text("".join(source.read_text().splitlines(keepends=True)[:-1]))
    told = forgotten(run, key=row["key"])
    assert told.keys == [row["key"]]
    assert holding(run) == []


def test_what_half_written_files_and_logs_hold_goes_as_well(run):
    (run / "pool/.pairs.jsonl.new").write_text(TEXT)
    (run / ".view").mkdir()
    (run / ".view/words.sqlite").write_text(f"words of {CANARY}")
    (run / "iter-01/axolotl.log").write_text(f"begins\nsees {CANARY} there\nends\n")
    with (run / "pool/pairs.completions.jsonl").open("a") as file:
        file.write(f'{{"key": "x-0", "text": "{CANARY}')
    told = forgotten(run)
    assert (run / "iter-01/axolotl.log").read_text() == "begins\nends\n"
    assert (holding(run), told.removed["log lines"]) == ([], 1)


def test_a_report_that_quotes_it_is_written_again(run):
    page = run / "report.html"
    page.write_text(f"<p>{TEXT}</p>")
    assert forgotten(run).quoted == []
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_report_that_quotes_it_and_cannot_be_written_is_removed(run):
    (run / "review").mkdir()
    (run / "review/agreement.json").write_text("7")
    (run / "report.html").write_text(f"<p>{TEXT}</p>")
    assert forgotten(run).quoted == []
    assert not (run / "report.html").exists()


def test_damaged_findings_are_removed_and_the_report_is_written_without_them(run):
    (run / "audit").mkdir()
    (run / "audit/findings.json").write_text("7")
    (run / "report.html").write_text(f"<p>{TEXT}</p>")
    assert forgotten(run).quoted == []
    assert not (run / "audit/findings.json").exists()
    assert "<html" in (run / "report.html").read_text()


def test_a_file_of_somebody_else_that_quotes_it_is_named(run):
    (run / "notes.txt").write_text(f"Ask {CANARY}")
    assert forgotten(run).quoted == ["notes.txt"]


def test_an_instruction_goes_whose_answers_match(run):
    pairs = [row for _, row in read_rows(run / "pool/pairs.jsonl")]
    pair = next(row for row in pairs if row["strategy"] == "modified-instruction-two-calls")
    told = forgotten(run, regex=re.escape(pair["worse"]))
    assert pair["instruction_key"] in told.by_answers
    assert holding(run, pair["worse"]) == []


def trained(run: Path, tiny_model: Path, name: str, base: Path) -> Path:
    """A model's folder as a training leaves it."""
    folder = run / name
    shutil.copytree(tiny_model, folder / "merged")
    data = read_manifest(run / "iter-01/dataset")
    told = {"final": "merged", "data_sha256": data.sha256("sft-train"), "base_model": str(base)}
    replace_json(folder / "trained.json", told)
    return folder


def key_in(run: Path, file: str) -> str:
    """The key of an instruction with rows in a file of the first data set."""
    data = read_manifest(run / "iter-01/dataset")
    return next(data.rows(file))[1]["instruction"]


def test_models_that_saw_it_are_listed_with_those_that_go_on_from_them(run, tiny_model):
    first = trained(run, tiny_model, "iter-01/model", tiny_model)
    later = trained(run, tiny_model, "iter-02/model", first / "merged")
    replace_json(later / "trained.json", read_json(later / "trained.json") | {"data_sha256": {}})
    seen, unseen = key_in(run, "sft-train"), key_in(run, "judge-dev")
    assert forgotten(run, key=seen).models == ["iter-01/model", "iter-02/model"]
    assert forgotten(run, key=seen).models == ["iter-01/model", "iter-02/model"]
    assert forgotten(run, key=unseen).models == []


KILLED = """
import os, sys
left = int(sys.argv[2])

def count(event, arguments):
    global left
    if event in ("os.rename", "os.remove"):
        left -= 1
        if left < 0:
            os._exit(9)

from tests.helpers.forgetting import forgotten
from pathlib import Path
sys.addaudithook(count)
forgotten(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_kill_between_any_two_changes_of_files_is_mended_by_the_same_command(made, tmp_path):
    def copied(name: str) -> Path:
        shutil.copytree(made, tmp_path / name)
        return tmp_path / name / "run"

    whole = copied("whole")
    forgotten(whole)
    expected = contents(whole)
    env = environment()
    for changes in range(200):
        run = copied(str(changes))
        command = [sys.executable, "-c", KILLED, str(run), str(changes)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 9), done.stderr
        if done.returncode == 0:
            break
        forgotten(run)
        assert contents(run) == expected, f"killed after {changes} changes"
        shutil.rmtree(run.parent)
    assert changes > 15


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({}, "one of --match TEXT, --regex R or --key K"),
        ({"match": " "}, "one of --match TEXT"),
        ({"match": "a", "key": "b"}, "one of --match TEXT"),
        ({"regex": "("}, r"--regex '\(': not a regular expression"),
        ({"regex": "a*"}, "matches every text"),
    ],
)
def test_what_is_to_be_forgotten_must_be_said_clearly(what, told):
    with pytest.raises(ConfigError, match=told):
        ForgetQuery.read(**what)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="neither a run's folder"):
        read_run(tmp_path)


def test_a_run_that_somebody_works_on_is_refused(run):
    config, base = read_run(run)
    with open_existing(config, base, []), pytest.raises(ConfigError, match="another ste process"):
        forgotten(run)


def test_a_moved_run_is_found_by_its_config_alone(run):
    moved = run.rename(run.with_name("elsewhere"))
    with pytest.raises(ConfigError, match="it was moved. Give the config instead"):
        read_run(moved)
    config = run.parent / "ste.yaml"
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(settings | {"run": "elsewhere"}))
    assert len(forgotten(config).keys) == 1
    assert holding(moved) == []


def test_nothing_found_is_told_and_writes_nothing(run):
    before = contents(run)
    told = forgotten(run, match="nobody ever wrote this")
    assert (told.keys, told.removed) == ([], {})
    assert contents(run) == before
    assert rows_of(run.parent / "ste.yaml", "sft-train")


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
    """A whole run of one iteration: real axolotl, real lm-eval; nobody may change it."""
    folder = tmp_path_factory.mktemp("finished")
    path = with_canary(
        folder,
        tiny_model,
        judges="half",
        texts=24,
        training={"recipe": "sft.yaml"},
        evaluation={"max_new_tokens": 4},
    )
    (folder / "sft.yaml").write_text(RECIPE)
    done = ste("run", path.name, "--plugin", "hooks.py", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_finished_run_that_forgot_is_complete_and_can_be_read(finished, split, tmp_path):
    shutil.copytree(finished, tmp_path / "run-of", symlinks=True)
    folder = tmp_path / "run-of"
    run = folder / "run"
    file = "sft-train" if split == "train" else f"judge-{split}"
    key = key_in(run, file)
    text = next(r["text"] for _, r in read_rows(run / "pool/instructions.jsonl") if r["key"] == key)
    done = ste("forget", "run", "--key", key, "--plugin", "hooks.py", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["keys"] == [key]
    assert ("iter-01/model" in told["models"]) or split != "train"
    assert holding(run, key) == []
    assert [name for name in holding(run, text) if not name.endswith(".log")] == []
    before = contents(run)
    again = ste("run", "ste.yaml", "--plugin", "hooks.py", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    after = contents(run)
    assert {n for n in after if after[n] != before.get(n)} <= {
        "events.jsonl",
        "report.json",
        "run.yaml",
    }
    status = ste("status", "run", cwd=folder)
    assert "nothing: the run is complete" in status.stdout
    table = json.loads(ste("eval", "--table", "run", "--json", cwd=folder).stdout)
    pairs = read_json(run / "pool/done.json")["pairs"]
    assert {(row["pairs"], row["n"]) for row in table} == {(s, pairs[s]) for s in ("dev", "test")}
    compared = ste("compare", "run/iter-00", "run/iter-01", "--json", cwd=folder)
    assert {n: c["n"] for n, c in json.loads(compared.stdout)["evaluations"].items()} == {
        s: pairs[s] for s in ("dev", "test")
    }
