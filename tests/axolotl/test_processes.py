"""Which of a training's processes this is, and an environment without the others."""

import pytest

from ste_plugin.axolotl.processes import is_main, without_launcher


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
