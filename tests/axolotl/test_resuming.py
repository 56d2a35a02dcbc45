"""A training that goes on from a checkpoint: only where that was trained on the same rows."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from axolotl.utils.dict import DictDefault
from axolotl.utils.train import determine_last_checkpoint
from transformers import TrainerControl, TrainerState

from ste_plugin.axolotl.resuming import (
    CheckpointRecords,
    check_resumed,
    find_resumed,
    first_adapter,
    origin_of,
)
from ste_plugin.errors import ConfigError, DataError
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.training_manifest import read_training_manifest
from tests.helpers.axolotl_runs import LORA, ON_A_CPU, train_all
from tests.helpers.manifests import written

FIRST = {"max_steps": 2, "save_steps": 2, "auto_resume_from_checkpoints": True}
FURTHER = FIRST | {"max_steps": 4}


def configs(folder: Path) -> dict[str, dict]:
    """Name → keys of a config; each is trained after those before it."""
    lora, full = LORA | {"output_dir": str(folder / "lora")}, {"output_dir": str(folder / "full")}
    ours, others = ({"ste": {"manifest": str(folder / n)}} for n in ("fruit", "longer"))
    added = {"manifest": str(folder / "fruit"), "datasets": "append"}
    named = {"max_steps": 4, "resume_from_checkpoint": str(folder / "full/checkpoint-2")}
    return {
        "full_first": full | FIRST | ours,
        "other_rows": full | FURTHER | others,
        "named": named | others,
        "other_base": full | FURTHER | ours | {"base_model": str(folder / "other")},
        "own_rows": full | FURTHER | {"ste": added, "datasets": own_rows(folder)},
        "full_same": full | FURTHER | ours,
        "lora_first": lora | FIRST | {"ste": ours["ste"] | {"merge": False}},
        "warm": lora | FURTHER | ours | {"lora_model_dir": str(folder / "lora")},
        "lora_same": lora | FURTHER | ours,
    }


def own_rows(folder: Path) -> list[dict]:
    rows = [{"instruction": f"Say fruit {n}.", "input": "", "output": "A fig."} for n in range(8)]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [{"path": str(folder / "own.jsonl"), "type": "alpaca"}]


def other_prompts(name: str, rows: list[dict]) -> list[dict]:
    for row in rows:
        if name.startswith("sft"):
            row["messages"][0]["content"] += " Take your time."
    return rows


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory):
    """(folder, name of config → exit code) of trainings, each after the one before."""
    folder = tmp_path_factory.mktemp("resumed")
    written(folder / "fruit", train=4, dev=2)
    written(folder / "longer", train=4, dev=2, edit=other_prompts)
    shutil.copytree(tiny_model, folder / "other")
    config = json.loads((folder / "other/config.json").read_text())
    (folder / "other/config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-4}))
    paths = []
    for name, keys in configs(folder).items():
        own = {
            "base_model": str(tiny_model),
            "plugins": ["ste_plugin.axolotl.STEPlugin"],
            "output_dir": str(folder / name),
            "dataset_prepared_path": str(folder / "prepared" / name),
        }
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(ON_A_CPU | own | keys))
    return folder, train_all(paths)


@pytest.mark.slow
@pytest.mark.usefixtures("warm_hosts")
class TestTrainings:
    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("other_rows", "it was trained on other rows: found judge-dev"),
            ("named", "it was trained on other rows: found judge-dev"),
            ("other_base", "it was trained from another base model"),
            ("own_rows", "it was trained on other rows: found 8 rows"),
            ("warm", "its training began with another lora_model_dir: found none"),
        ],
    )
    def test_a_checkpoint_of_another_training_is_not_gone_on_from(self, runs, name, told):
        folder, codes = runs
        log = (folder / f"{name}.log").read_text()
        assert codes[name] == 1, log[-2000:]
        assert f"checkpoint-2: the training would go on from there, but {told}" in log

    @pytest.mark.parametrize("output", ["full", "lora"])
    def test_a_checkpoint_of_the_same_training_is_gone_on_from(self, runs, output):
        folder, codes = runs
        log = (folder / f"{output}_same.log").read_text()
        assert codes[f"{output}_same"] == 0, log[-2000:]
        assert "Using auto-resume functionality" in log
        done = read_training_manifest(folder / output)
        assert done["steps"] == 4
        rows = read_manifest(folder / "fruit").sha256("sft-train")
        assert done["data_sha256"].items() >= rows.items()


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("checkpoint-2",),
        ("checkpoint-9", "checkpoint-10"),
        ("checkpoint-3", "checkpoint-best", "checkpoint-old-12"),
    ],
)
@pytest.mark.parametrize(
    "keys", [{}, {"auto_resume_from_checkpoints": True}, {"resume_from_checkpoint": "x"}]
)
def test_the_checkpoint_that_is_checked_is_the_one_that_axolotl_takes(tmp_path, names, keys):
    for name in names:
        (tmp_path / name).mkdir()
    cfg = DictDefault({"output_dir": str(tmp_path), **keys})
    found = find_resumed(cfg)
    assert (str(found) if found else None) == determine_last_checkpoint(cfg)


class Scene:
    """A config that goes on from its last checkpoint, and what it trains on."""

    def __init__(self, folder: Path) -> None:
        self.checkpoint = folder / "out" / "checkpoint-2"
        self.checkpoint.mkdir(parents=True)
        (folder / "base").mkdir()
        (folder / "base" / "config.json").write_text("{}")
        self.cfg = DictDefault(
            {
                "base_model": str(folder / "base"),
                "output_dir": str(folder / "out"),
                "auto_resume_from_checkpoints": True,
            }
        )

    def origin(self, rows: str = "a" * 64, **keys) -> dict:
        return origin_of({**self.cfg, **keys}, {"sft-train": rows}) | {
            "trained_on": {"rows": 4, "sha256": rows}
        }

    def save(self, origin: dict | None, *, first: bool = True) -> None:
        args = SimpleNamespace(output_dir=self.cfg.output_dir)
        state = TrainerState(global_step=2, is_world_process_zero=first)
        CheckpointRecords(origin, None).on_save(args, state, TrainerControl())


def test_only_the_first_process_writes_into_a_checkpoint(tmp_path):
    scene = Scene(tmp_path)
    scene.save(None)
    scene.save(scene.origin(), first=False)
    assert not list(scene.checkpoint.iterdir())
    scene.save(scene.origin())
    assert [path.name for path in scene.checkpoint.iterdir()] == ["ste_checkpoint.json"]
    assert check_resumed(scene.cfg, scene.origin()) is None


def test_a_base_that_was_moved_is_the_same_one(tmp_path):
    scene = Scene(tmp_path)
    scene.save(scene.origin())
    moved = (tmp_path / "base").rename(tmp_path / "moved")
    assert check_resumed(scene.cfg, scene.origin(base_model=str(moved))) is None


def test_another_revision_of_a_model_of_the_hub_is_another_base(tmp_path):
    scene = Scene(tmp_path)
    scene.save(scene.origin(base_model="org/model", revision_of_model="v1"))
    assert (
        check_resumed(scene.cfg, scene.origin(base_model="org/model", revision_of_model="v1"))
        is None
    )
    with pytest.raises(DataError, match=r"found org/model \(v1\), expected org/model \(v2\)"):
        check_resumed(scene.cfg, scene.origin(base_model="org/model", revision_of_model="v2"))


def test_rows_beside_the_manifests_are_held_against_those_in_the_trainer(tmp_path):
    scene = Scene(tmp_path)
    scene.save(scene.origin())
    now = scene.origin() | {"trained_on": {"rows": 4, "sha256": "b" * 64}}
    with pytest.raises(DataError, match=r"found 4 rows \(aaaaaaaaaaaa\), expected 4 rows \(bbbb"):
        check_resumed(scene.cfg, now)
    del now["trained_on"]  # before the trainer has them
    assert check_resumed(scene.cfg, now) is None


def test_a_refusal_says_where_what_and_what_to_do(tmp_path):
    scene = Scene(tmp_path)
    scene.save(scene.origin())
    with pytest.raises(DataError) as told:
        check_resumed(scene.cfg, scene.origin("b" * 64))
    assert str(told.value) == (
        f"{scene.checkpoint}: the training would go on from there, but it was trained on other "
        "rows: found sft-train aaaaaaaaaaaa, expected sft-train bbbbbbbbbbbb. trained.json would "
        "name the latter alone. Set another output_dir, or remove the folders checkpoint-* in "
        f"{scene.cfg.output_dir}, to train from the start."
    )


@pytest.mark.parametrize("content", [None, "[]", '{"data_sha256": {}}'])
def test_a_checkpoint_that_does_not_say_what_it_was_trained_on_is_refused(tmp_path, content):
    scene = Scene(tmp_path)
    if content:
        (scene.checkpoint / "ste_checkpoint.json").write_text(content)
    with pytest.raises(DataError) as told:
        check_resumed(scene.cfg, scene.origin())
    assert str(told.value) == (
        f"{scene.checkpoint}: the training would go on from there, but nothing says what it was "
        "trained on (no ste_checkpoint.json): it was not saved whole, or by an older ste-plugin, "
        f"or without it. Remove {scene.checkpoint}: then an earlier one is taken, or it trains "
        "from the start."
    )


def test_going_on_from_a_checkpoint_that_the_config_does_not_name_is_refused(tmp_path):
    records = CheckpointRecords(Scene(tmp_path).origin(), None)
    records.on_train_begin(None, TrainerState(), TrainerControl())
    with pytest.raises(ConfigError, match="goes on from step 3"):
        records.on_train_begin(None, TrainerState(global_step=3), TrainerControl())


def test_an_adapter_that_is_gone_on_with_is_written_down_with_what_it_was_trained_on(tmp_path):
    adapter = tmp_path / "earlier"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "README.json").write_text("{}")
    cfg = {"adapter": "lora", "lora_model_dir": str(adapter)}
    found = first_adapter(cfg)
    assert found["seal"].keys() == {"adapter_config.json"}
    assert found["data_sha256"] is None
    done = {"final": ".", "data_sha256": {"sft-train": "a"}}
    (adapter / "trained.json").write_text(json.dumps(done))
    assert first_adapter(cfg)["data_sha256"] == {"sft-train": "a"}
    assert first_adapter(cfg | {"lora_model_dir": "org/adapter"})["seal"] is None
    assert first_adapter({"lora_model_dir": str(adapter)}) is None
