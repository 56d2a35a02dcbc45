"""Which of a training's processes this is, and an environment without the others."""

import pytest

from ste_plugin.axolotl.processes import is_main, refuse_copies, without_launcher
from ste_plugin.errors import ConfigError


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False)])
def test_the_process_of_rank_0_is_the_first(monkeypatch, rank, first):
    monkeypatch.delenv("RANK", raising=False)
    if rank:
        monkeypatch.setenv("RANK", rank)
    assert is_main() == first


def test_what_a_launcher_says_is_left_out_of_an_environment():
    said = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "TORCHELASTIC_RUN_ID": "b"}
    kept = {"PATH": "/bin", "HF_TOKEN": "t", "CUDA_VISIBLE_DEVICES": "0"}
    assert without_launcher(said | kept) == kept


@pytest.mark.parametrize(
    "said",
    [
        {"SLURM_STEP_NUM_TASKS": "2"},
        {"SLURM_STEP_NUM_TASKS": "2", "WORLD_SIZE": "8", "GROUP_WORLD_SIZE": "1"},
        {"OMPI_COMM_WORLD_SIZE": "4", "WORLD_SIZE": "1"},
    ],
)
def test_copies_of_a_training_that_know_nothing_of_each_other_are_refused(said):
    with pytest.raises(
        ConfigError, match=r"started axolotl [24] times .* 1 of them trains together"
    ):
        refuse_copies(said)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},
        {"SLURM_STEP_NUM_TASKS": "1", "WORLD_SIZE": "8", "GROUP_WORLD_SIZE": "1"},
        {"SLURM_STEP_NUM_TASKS": "2", "WORLD_SIZE": "16", "GROUP_WORLD_SIZE": "2"},
        {"SLURM_STEP_NUM_TASKS": "16", "WORLD_SIZE": "16"},
    ],
)
def test_processes_of_one_training_are_not(said):
    assert refuse_copies(said) is None
