"""Training with real axolotl on a tiny model: what counts as trained, and what does not."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.run_config import PLUGIN, longest_row, overlay
from ste_plugin.axolotl.unmerged import Answers, Unmerged, keep_unmerged
from ste_plugin.config import HostConfig
from ste_plugin.engines.identity import fingerprint
from ste_plugin.engines.model_folder import check_trained_model
from ste_plugin.errors import DataError, HostError
from ste_plugin.hosts.run_host import require_module, run_host, run_python
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.training_manifest import config_sha256, digest_files, find_trained_model
from tests.helpers.manifests import written

pytestmark = pytest.mark.usefixtures("warm_hosts")

HERE = HostConfig()
RECIPE = {
    "base_model": "set/by-the-run",
    "chat_template": "tokenizer_default",
    "adapter": "lora",
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_target_linear": True,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "sequence_len": 512,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "num_epochs": 1,
    "optimizer": "adamw_torch",
    "learning_rate": 0.01,
    "curriculum_sampling": True,
    "shuffle_merged_datasets": False,
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "dataset_num_proc": 0,
    "logging_steps": 1,
    "plugins": [
        "ste_plugin.axolotl.training_plugins.TargetLogits",
        "ste_plugin.axolotl.training_plugins.SeededAdapter",
    ],
}
DPO = {
    "rl": "dpo",
    "rl_beta": 0.1,
    "dpo_loss_type": ["sigmoid", "sft"],
    "dpo_loss_weights": [1.0, 1.5],
    "curriculum_sampling": None,
    "plugins": None,
}


def recipe(folder: Path, **changes) -> Path:
    settings = {k: v for k, v in (RECIPE | changes).items() if v is not None}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def trained(folder: Path, model: Path, rows: Path, files=(), begin=lambda: None, **changes) -> Path:
    given = axolotl.TrainingInputs(
        recipe(folder, **changes),
        model=str(model),
        manifest=rows,
        output=folder / "model",
        seed=0,
        host=HERE,
        files=files,
    )
    return axolotl.train(given, begin)


@pytest.fixture(scope="module")
def lora(tiny_model, tmp_path_factory):
    """Folder in which a LoRA training on 6 rows has finished, where another was cut off before."""
    folder = tmp_path_factory.mktemp("lora")
    (folder / "model").mkdir()
    for leftover in ("config.json", "adapter_model.safetensors", "left-over"):
        (folder / "model" / leftover).write_text("{}")
    trained(folder, tiny_model, written(folder / "dataset", train=3, dev=0))
    return folder


@pytest.mark.slow
def test_training_ends_with_a_merged_model_that_differs_from_its_base(lora, tiny_model):
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    final = find_trained_model(lora / "model")
    before = load_file(tiny_model / "model.safetensors")
    after = load_file(final / "model.safetensors")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
    assert AutoTokenizer.from_pretrained(final).chat_template
    assert not (lora / "model" / "left-over").exists()


@pytest.mark.slow
def test_what_was_trained_on_what_is_written_down(lora):
    done = json.loads((lora / "model" / "trained.json").read_text())
    given = json.loads((lora / "dataset" / "manifest.json").read_text())["files"]["sft-train"]
    assert done["final"] == "merged"
    assert done["data_sha256"]["sft-train"] == given["sha256"]
    assert "sft-dev" not in done["data_sha256"]
    assert done["steps"] == 3
    assert done["train_loss"] > 0
    assert done["axolotl"][0].isdigit()


@pytest.mark.slow
def test_a_finished_training_is_not_repeated(lora, tiny_model):
    before = (lora / "axolotl.log").stat()
    again = trained(lora, tiny_model, lora / "dataset" / "manifest.json")
    assert again == find_trained_model(lora / "model")
    assert (lora / "axolotl.log").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.slow
def test_axolotl_merges_again_what_it_has_trained(lora, tiny_model, tmp_path):
    shutil.copytree(lora, tmp_path, dirs_exist_ok=True)
    model, log = tmp_path / "model", tmp_path / "axolotl.log"
    done, said = json.loads((model / "trained.json").read_text()), log.read_text()
    weights = (model / "merged" / "model.safetensors").read_bytes()
    (model / "trained.json").unlink()
    shutil.rmtree(model / "merged")
    told = {k: v for k, v in done.items() if k not in ("final", "seal", "merged", "merge")}
    unmerged = Unmerged(told, Answers([], [], []), None, 1, digest_files(model))
    keep_unmerged(model, unmerged)
    final = trained(tmp_path, tiny_model, tmp_path / "dataset" / "manifest.json")
    assert (final / "model.safetensors").read_bytes() == weights
    again = json.loads((model / "trained.json").read_text())
    assert again | {"merge": None} == done | {"merge": None}
    assert log.read_text().startswith(said)


@pytest.mark.slow
def test_training_leaves_nothing_in_the_working_directory(lora):
    assert sorted(p.name for p in lora.iterdir()) == [
        "axolotl.log",
        "axolotl.yaml",
        "dataset",
        "model",
        "recipe.yaml",
    ]
    assert not Path("last_run_prepared").exists()


@pytest.mark.slow
def test_leaving_out_the_logits_of_prompts_changes_neither_loss_nor_gradient(tiny_model):
    import torch
    from transformers import AutoModelForCausalLM

    from ste_plugin.axolotl.training_plugins import TargetLogits

    ids = torch.arange(24).reshape(2, 12)
    labels = ids.where(torch.tensor([9 * [False] + 3 * [True], 5 * [True] + 7 * [False]]), -100)
    seen = []
    for skips in (False, True):
        model = AutoModelForCausalLM.from_pretrained(tiny_model).train()
        if skips:
            TargetLogits().post_model_load(type("cfg", (), {"rl": None}), model)
        out = model(input_ids=ids, labels=labels, num_items_in_batch=8)
        out.loss.backward()
        seen.append((out.loss, model.model.layers[0].mlp.up_proj.weight.grad, out.logits.shape[1]))
    assert torch.allclose(seen[0][0], seen[1][0])
    assert torch.allclose(seen[0][1], seen[1][1], atol=1e-6)
    assert [positions for _, _, positions in seen] == [12, 7]


@pytest.mark.slow
def test_bfloat16_trains_on_a_cpu_where_the_recipe_says_that_a_cpu_is_meant(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=2)
    from ste_plugin.engines.local.cpu import multiplies_bfloat16

    plugins = [*RECIPE["plugins"], "ste_plugin.axolotl.training_plugins.OnCpu"]
    changes = {"bf16": None, "bfloat16": True, "plugins": plugins}
    trained(tmp_path, tiny_model, rows, **changes)
    done = json.loads((tmp_path / "model" / "trained.json").read_text())
    rounded = done["merge"]["difference"] > 1e-5  # float32 leaves less
    assert rounded == multiplies_bfloat16()


@pytest.mark.parametrize("multiplies", [False, True])
def test_bfloat16_is_put_off_where_the_cpu_would_emulate_it(monkeypatch, multiplies):
    from ste_plugin.axolotl import training_plugins

    monkeypatch.setattr(training_plugins, "multiplies_bfloat16", lambda: multiplies)
    cfg = {"bfloat16": True, "bf16": False}
    training_plugins.OnCpu().register(cfg)
    assert cfg == {"bfloat16": multiplies, "bf16": False}


@pytest.mark.slow
def test_the_same_seed_makes_the_same_adapter(lora, tiny_model, tmp_path):
    final = trained(tmp_path, tiny_model, lora / "dataset" / "manifest.json")
    again, before = (
        folder / "model.safetensors" for folder in (final, find_trained_model(lora / "model"))
    )
    assert again.read_bytes() == before.read_bytes()


@pytest.mark.slow
def test_preferences_train_a_merged_model_too(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=2)
    final = trained(tmp_path, tiny_model, rows, **DPO)
    assert final == tmp_path / "model" / "merged"
    done = json.loads((tmp_path / "model" / "trained.json").read_text())
    assert {"dpo-train", "judge-dev"} <= done["data_sha256"].keys()


@pytest.mark.slow
def test_full_training_with_dev_rows_ends_in_the_output_folder(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=2, dev=1)
    full = {key: None for key in RECIPE if key.startswith("lora") or key == "adapter"}
    final = trained(tmp_path, tiny_model, rows, **full, evals_per_epoch=2)
    assert final == tmp_path / "model"
    assert "eval_loss" in (tmp_path / "axolotl.log").read_text()


def interrupt_when_training(log: Path, folder: Path) -> None:
    """Send SIGINT to the axolotl that writes into `folder`, once it has taken a step."""
    while not log.exists() or "'loss'" not in log.read_text(errors="replace"):
        time.sleep(0.2)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_text().split("\0")
        except OSError:
            continue
        guards = any(word.endswith("guard.py") for word in command)
        if (
            "axolotl.cli.train" in command
            and str(folder / "axolotl.yaml") in command
            and not guards
        ):
            os.kill(int(process.parent.name), signal.SIGINT)


@pytest.mark.slow
def test_an_interrupted_training_is_no_model(tiny_model, tmp_path):
    if sys.platform != "linux":
        pytest.skip("finds axolotl's process through /proc")
    rows = written(tmp_path / "dataset", train=1000)
    log = tmp_path / "axolotl.log"
    threading.Thread(target=interrupt_when_training, args=(log, tmp_path), daemon=True).start()
    with pytest.raises(HostError, match="ended with exit code 0 but without"):
        trained(tmp_path, tiny_model, rows)
    assert (tmp_path / "model" / "adapter_model.safetensors").exists()
    assert find_trained_model(tmp_path / "model") is None


@pytest.mark.slow
def test_a_recipe_that_axolotl_refuses_is_answered_with_its_reason(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=1)
    with pytest.raises(HostError, match=r"learning_rate(.|\n)*axolotl\.log"):
        trained(tmp_path, tiny_model, rows, learning_rate=None)
    assert find_trained_model(tmp_path / "model") is None


def test_a_training_file_that_changed_is_refused(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=1)
    next(tmp_path.glob("dataset/sft-train-*")).write_text("{}\n")
    with pytest.raises(DataError, match=r"sft-train-\w+\.jsonl: changed since"):
        trained(tmp_path, tiny_model, rows)


@pytest.mark.parametrize(("rows", "told"), [([], "has no row"), (None, "no 'sft-train' rows")])
def test_a_data_set_without_the_rows_of_the_recipe_is_refused(tiny_model, tmp_path, rows, told):
    path = written(tmp_path / "dataset", train=1)
    content = json.loads(path.read_text())
    entry = content["files"].pop("sft-train")
    if rows is not None:
        content["files"]["sft-train"] = entry | {"rows": 0}
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=told):
        trained(tmp_path, tiny_model, path)


def test_a_folder_that_holds_something_else_is_not_cleared(tiny_model, tmp_path):
    rows = written(tmp_path / "dataset", train=1)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="not a training"):
        trained(tmp_path, tiny_model, rows)
    assert (tmp_path / "model" / "thesis.tex").read_text() == "mine"


def laid_over(settings: dict, folder: Path, dev: int = 1, **more) -> dict:
    data = read_manifest(written(folder, train=1, dev=dev))
    return overlay(settings, model="m", manifest=data, output=Path("/o/model"), seed=7, **more)


def test_only_model_manifest_output_folder_and_seed_of_a_recipe_change(tmp_path):
    given = laid_over(RECIPE | {"seed": 1}, tmp_path)
    changed = {key for key in given if given[key] != (RECIPE | {"seed": 1}).get(key)}
    assert changed == {
        "base_model",
        "plugins",
        "ste",
        "output_dir",
        "dataset_prepared_path",
        "seed",
    }
    assert given["ste"] == {"manifest": str(tmp_path / "manifest.json"), "merge": True}
    assert given["plugins"] == [PLUGIN, *RECIPE["plugins"]]


def test_a_judge_of_one_revision_is_trained_from_that_revision(tmp_path):
    assert laid_over(RECIPE, tmp_path, revision="v1")["revision_of_model"] == "v1"
    own = laid_over(RECIPE | {"revision_of_model": "theirs"}, tmp_path)
    assert own["revision_of_model"] == "theirs"


def test_files_of_plugins_are_named_where_the_judge_format_is_one_of_theirs(tmp_path):
    files = [Path("/p/formats.py")]
    assert "plugins" not in laid_over(RECIPE, tmp_path, files=files)["ste"]
    data = read_manifest(written(tmp_path, train=1, dev=1))
    theirs = replace(data, content=data.content | {"judge_format": {"name": "terse"}})
    own = RECIPE | {"ste": {"plugins": ["own.py"]}}
    given = overlay(own, model="m", manifest=theirs, output=Path("/o"), seed=7, files=files)
    assert given["ste"]["plugins"] == ["own.py", "/p/formats.py"]


def test_a_training_may_load_the_files_of_plugins_that_the_user_named(
    tiny_model, tmp_path, monkeypatch
):
    def host(_command, *, env, **_):
        raise HostError(env["STE_PLUGINS"])

    monkeypatch.setattr(axolotl, "run_host", host)
    monkeypatch.setattr(axolotl, "require_host", lambda _: "0.21")
    monkeypatch.setenv("STE_PLUGINS", "theirs.py")
    rows = written(tmp_path / "dataset", train=1)
    with pytest.raises(HostError, match="^/p/formats.py:theirs.py$"):
        trained(tmp_path, tiny_model, rows, files=[Path("/p/formats.py")])


def test_a_training_says_that_it_begins_before_it_moves_the_one_that_it_replaces(
    tiny_model, tmp_path, monkeypatch
):
    rows, old = written(tmp_path / "dataset", train=1), tmp_path / "model" / "trained.json"
    old.parent.mkdir()
    old.write_text('{"final": ".", "data_sha256": {}}')
    found = []

    def host(*_, **__):
        found.append(old.exists())
        raise HostError("ended")

    monkeypatch.setattr(axolotl, "run_host", host)
    monkeypatch.setattr(axolotl, "require_host", lambda _: "0.21")
    with pytest.raises(HostError, match="ended"):
        trained(tmp_path, tiny_model, rows, begin=lambda: found.append(old.exists()))
    assert found == [True, False]


def test_a_finished_training_does_not_begin_again(tiny_model, tmp_path, monkeypatch):
    rows, begun = written(tmp_path / "dataset", train=1), []
    monkeypatch.setattr(axolotl, "read_finished", lambda *_: tmp_path / "model")
    assert trained(tmp_path, tiny_model, rows, begin=lambda: begun.append(1)) == tmp_path / "model"
    assert not begun


@pytest.mark.parametrize(
    ("recipe", "tokens"),
    [
        ({"sequence_len": 600}, 600),
        ({}, 512),  # axolotl's own default
        ({"sequence_len": "many"}, None),
        ({"sequence_len": 8, "ste": {"datasets": "off"}}, None),
    ],
)
def test_a_row_may_be_as_long_as_a_recipe_takes_it(recipe, tokens):
    assert longest_row(recipe) == tokens


class MergeFails:
    """Stands for axolotl: it trains an adapter, whose first merge fails."""

    def __init__(self, monkeypatch, base: Path) -> None:
        self.base, self.commands = base, []
        monkeypatch.setattr(axolotl, "run_host", self)
        monkeypatch.setattr(axolotl, "require_host", lambda _: "0.21")

    def __call__(self, command, **_) -> None:
        config = yaml.safe_load(Path(command[-1]).read_text())
        output, data = Path(config["output_dir"]), read_manifest(Path(config["ste"]["manifest"]))
        self.commands.append(command[-2].rpartition(".")[2])
        trained = {
            "config_sha256": config_sha256(config),
            "base_fingerprint": fingerprint(self.base),
            "data_sha256": data.sha256("sft-train"),
        }
        if self.commands[-1] == "train":
            output.mkdir(exist_ok=True)
            for name in ("adapter_config.json", "adapter_model.safetensors"):
                (output / name).write_text(str(config["learning_rate"]))
            told = Answers([[1]], [[2]], [[-0.5]])
            keep_unmerged(output, Unmerged(trained, told, None, 1, digest_files(output)))
            raise HostError("out of memory")
        shutil.copytree(self.base, output / "merged")
        replace_json(output / "trained.json", {"final": "merged", **trained})


FAILED = "out of memory\nThe training is done, and its adapter whole, in .*model: the same command"


def test_a_merge_that_failed_is_done_again_and_nothing_is_trained(
    tiny_model, tmp_path, monkeypatch
):
    host, begun = MergeFails(monkeypatch, tiny_model), []
    rows = written(tmp_path / "dataset", train=1)
    with pytest.raises(HostError, match=FAILED):
        trained(tmp_path, tiny_model, rows, begin=lambda: begun.append(1))
    final = trained(tmp_path, tiny_model, rows, begin=lambda: begun.append(1))
    assert final == tmp_path / "model" / "merged"
    assert host.commands == ["train", "finishing"]
    assert begun == [1]


@pytest.mark.parametrize("change", ["settings", "adapter"])
def test_an_adapter_that_is_not_what_is_to_be_merged_moves_aside(
    tiny_model, tmp_path, monkeypatch, change
):
    host, rows = MergeFails(monkeypatch, tiny_model), written(tmp_path / "dataset", train=1)
    weights = tmp_path / "model" / "adapter_model.safetensors"
    with pytest.raises(HostError, match=FAILED):
        trained(tmp_path, tiny_model, rows)
    if change == "adapter":
        weights.write_text("torn")
    before = weights.read_text()
    with pytest.raises(HostError, match=FAILED):
        trained(tmp_path, tiny_model, rows, learning_rate=0.02 if change == "settings" else 0.01)
    assert host.commands == ["train", "train"]
    (aside,) = tmp_path.glob("model.was-*")
    assert (aside / weights.name).read_text() == before


def test_a_training_that_was_cut_off_is_begun_anew(tiny_model, tmp_path, monkeypatch):
    host, rows = MergeFails(monkeypatch, tiny_model), written(tmp_path / "dataset", train=1)
    (tmp_path / "model" / "checkpoint-1").mkdir(parents=True)
    (tmp_path / "model" / "adapter_config.json").write_text("{")
    with pytest.raises(HostError, match=FAILED):
        trained(tmp_path, tiny_model, rows)
    assert host.commands == ["train"]
    assert not (tmp_path / "model" / "checkpoint-1").exists()
    assert not list(tmp_path.glob("model.was-*"))


def test_a_recipes_own_way_with_the_data_set_is_kept(tmp_path):
    own = {"plugins": [PLUGIN], "ste": {"manifest": "x", "datasets": "append"}}
    given = laid_over(RECIPE | own, tmp_path)
    assert given["ste"]["datasets"] == "append"
    assert given["plugins"] == [PLUGIN]


def test_without_dev_rows_nothing_is_evaluated_during_training(tmp_path):
    wanted = {"evals_per_epoch": 4, "ste": {"select_best": "judge_acc"}}
    without = laid_over(RECIPE | wanted, tmp_path, dev=0)
    assert "evals_per_epoch" not in without
    assert "select_best" not in without["ste"]
    kept = laid_over(RECIPE | wanted, tmp_path)
    assert (kept["evals_per_epoch"], kept["ste"]["select_best"]) == (4, "judge_acc")


def test_torn_or_unmerged_weights_are_no_model(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    weights = folder / "model.safetensors"
    check_trained_model(folder)
    content = weights.read_bytes()
    weights.write_bytes(content[:-100])
    with pytest.raises(HostError, match="torn"):
        check_trained_model(folder)
    weights.write_bytes(content.replace(b"model.layers.0.mlp", b"base_layer.0.mlp00"))
    with pytest.raises(HostError, match="not merged"):
        check_trained_model(folder)


def run(code: str, log: Path, timeout_minutes: int | None = None) -> None:
    command = [sys.executable, "-u", "-c", code]
    run_host(command, env={"GIVEN": "1"}, log=log, timeout_minutes=timeout_minutes, what="a test")


def test_a_failed_command_tells_its_exception_and_where_the_log_is(tmp_path):
    with pytest.raises(HostError) as failed:
        run(
            "import os; print('noise'); raise ValueError('GIVEN ' + os.environ['GIVEN'])",
            tmp_path / "l",
        )
    assert "a test: failed, exit code 1.\nValueError: GIVEN 1\n" in str(failed.value)
    assert str(tmp_path / "l") in str(failed.value)


def test_progress_bars_do_not_hide_the_last_words(tmp_path):
    code = "print(' 10%|#   | 1/9\\rdone for\\n' + 40 * '\\r 50%|##  | 2/9', end=''); exit(3)"
    with pytest.raises(HostError, match=r"exit code 3.\ndone for\nLog"):
        run(code, tmp_path / "l")


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # dead, only not yet reaped by whoever inherited it


def test_an_interrupt_ends_the_command_and_its_children(tmp_path):
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n'); time.sleep(60)"
    )

    def interrupt() -> None:
        while not pids.exists() or not pids.read_text().endswith("\n"):
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(code, tmp_path / "l")
    alive = [int(pid) for pid in pids.read_text().split()]
    while_dying = time.monotonic() + 60
    while any(map(running, alive)) and time.monotonic() < while_dying:
        time.sleep(0.05)
    assert [pid for pid in alive if running(pid)] == []


def test_a_missing_host_is_answered_with_the_command_that_installs_it():
    with pytest.raises(HostError, match="no_such_host is not installed(.|\n)*pip install it"):
        require_module(sys.executable, "no_such_host", "pip install it")
    assert require_module(sys.executable, "pytest", "")[0].isdigit()


def test_an_interpreter_that_does_not_answer_in_time_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr("ste_plugin.hosts.run_host._ANSWER_TIMEOUT_S", 0.001)
    with pytest.raises(HostError, match="not answer within 0.001 seconds. The machine is busy"):
        run_python(sys.executable, "import time; time.sleep(5)")
