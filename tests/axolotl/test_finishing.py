"""What follows a training: a merge that fails is done again, and the judge is the same one."""

import json
import shutil
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ste_plugin.axolotl import finishing, plugin
from ste_plugin.axolotl.judge_callback import JudgeCallback
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.axolotl.unmerged import NAME, Answers, read_unmerged
from ste_plugin.errors import HostError
from ste_plugin.storage.dataset_manifest import read_manifest
from ste_plugin.storage.training_manifest import find_trained_model
from tests.helpers.manifests import written


class OutOfMemory(Exception):
    """Stands for whatever a merge may fail by."""


class Ended:
    """A training that axolotl has ended: its config, our plugin in it, and the merges to come."""

    def __init__(self, folder: Path, base: Path, monkeypatch) -> None:
        path = written(folder / "dataset", train=1)
        self.output, self.manifest = folder / "model", read_manifest(path)
        self.output.mkdir()
        (self.output / "adapter_config.json").write_text("{}")
        (self.output / "adapter_model.safetensors").write_bytes(b"weights")
        self.cfg = SimpleNamespace(
            output_dir=str(self.output), base_model=str(base), adapter="lora", rl=None, world_size=2
        )
        self.plugin = plugin.STEPlugin()
        self.plugin.settings, self.plugin.manifest = STESettings(manifest=path), self.manifest
        self.plugin.config_sha256, self.plugin.trained_on = "c", {"rows": 2}
        trainer = SimpleNamespace(model=torch.nn.Linear(1, 1))
        self.model = weakref.ref(trainer.model)
        settings = self.plugin.settings
        callback = JudgeCallback(trainer, [], settings, self.manifest, alike=False, room=1)
        callback.merges, callback.answers = True, Answers([], [], [])
        callback.last = {"judge_acc": 0.75}
        callback.ended = {"steps": 1, "train_loss": 1.0, "moved": True, "finite": True}
        self.plugin.callback = callback
        self.fails, self.base, self.found = True, base, []
        monkeypatch.setattr(finishing, "merge", self.merge)
        for module in (plugin, finishing):
            monkeypatch.setattr(module, "leave_others", lambda: None)
        stub = SimpleNamespace(
            load_cfg=lambda _: SimpleNamespace(**vars(self.cfg) | {"world_size": 1})
        )
        monkeypatch.setitem(sys.modules, "axolotl.cli.config", stub)

    def merge(self, cfg) -> tuple[Path, str]:
        self.found.append((self.model(), cfg.world_size))
        final = Path(cfg.output_dir) / "merged"
        if self.fails:
            final.mkdir()
            (final / "half.safetensors").write_bytes(b"")
            raise OutOfMemory
        shutil.copytree(self.base, final)
        return final, "legacy"

    def unload(self) -> None:
        self.plugin.post_train_unload(self.cfg)

    def unload_without_merge(self) -> None:
        with pytest.raises(OutOfMemory):
            self.unload()
        self.fails = False


@pytest.fixture
def ended(tiny_model, tmp_path, monkeypatch) -> Ended:
    return Ended(tmp_path, tiny_model, monkeypatch)


def test_the_trained_model_is_gone_before_its_adapter_is_merged(ended):
    ended.unload_without_merge()
    assert ended.found == [(None, 2)]


def test_a_merge_that_failed_is_done_again_to_the_same_judge(ended):
    ended.fails = False
    ended.unload()
    expected = (ended.output / "trained.json").read_bytes()
    (ended.output / "trained.json").unlink()
    shutil.rmtree(ended.output / "merged")

    ended.fails = True
    ended.unload_without_merge()
    assert find_trained_model(ended.output) is None
    finishing.main("axolotl.yaml")
    assert (ended.output / "trained.json").read_bytes() == expected
    assert find_trained_model(ended.output) == ended.output / "merged"
    assert not (ended.output / "merged" / "half.safetensors").exists()
    assert not (ended.output / NAME).exists()
    assert {processes for _, processes in ended.found} == {2}


def test_a_merged_judge_that_is_another_than_the_trained_one_leaves_its_adapter_to_merge(
    ended, monkeypatch
):
    def differs(*_):
        raise HostError("not the one that was trained")

    monkeypatch.setattr(finishing, "check_merged", differs)
    ended.fails = False
    with pytest.raises(HostError, match="not the one"):
        ended.unload()
    assert read_unmerged(ended.output).trained["judge"] == {"judge_acc": 0.75}
    assert find_trained_model(ended.output) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_model.safetensors", b"weight"),
        (NAME, b"{"),
        (NAME, b"[]"),
        (NAME, json.dumps({"trained": {}}).encode()),
    ],
)
def test_an_adapter_that_is_not_whole_is_not_merged(ended, name, content):
    ended.unload_without_merge()
    assert read_unmerged(ended.output)
    (ended.output / name).write_bytes(content)
    assert read_unmerged(ended.output) is None
    with pytest.raises(SystemExit, match="no finished training to merge"):
        finishing.main("axolotl.yaml")


def test_of_several_that_a_wrapper_started_one_merges(ended, monkeypatch):
    ended.unload_without_merge()
    monkeypatch.setenv("SLURM_PROCID", "1")
    finishing.main("axolotl.yaml")
    assert find_trained_model(ended.output) is None
    monkeypatch.setenv("SLURM_PROCID", "0")
    finishing.main("axolotl.yaml")
    assert find_trained_model(ended.output)
