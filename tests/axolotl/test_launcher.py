"""How a training's processes are started: one, several of a launcher's, on one node or several."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ste_plugin.axolotl import runner as axolotl
from ste_plugin.axolotl.launcher import (
    check_launcher,
    launcher_environment,
    merge_command,
    train_command,
)
from ste_plugin.axolotl.run_config import config_as_given
from ste_plugin.config import HostConfig
from ste_plugin.engines.vllm.server_process import free_port
from ste_plugin.errors import ConfigError
from tests.helpers.axolotl_runs import LORA, ON_A_CPU
from tests.helpers.manifests import written

CONFIG = Path("runs/judge/iter-01/axolotl.yaml")
MEET = ["--rdzv_endpoint", "node-1:29500"]
TWO_NODES = ["--nnodes", 2, "--nproc_per_node", 8, *MEET]


def torchrun(*words: str | int, **settings) -> HostConfig:
    return HostConfig(launcher="torchrun", launcher_args=words, **settings)


def words_behind(host: HostConfig, config: Path = CONFIG) -> list[str]:
    command = train_command(host, config)
    return command[command.index("--") + 1 :]


def refused(host: HostConfig, **recipe) -> str:
    with pytest.raises(ConfigError) as caught:
        check_launcher(host, {"mine": recipe})
    return str(caught.value)


def test_without_a_launcher_one_process_trains():
    assert train_command(HostConfig(), CONFIG) == [
        sys.executable,
        "-m",
        "axolotl.cli.train",
        str(CONFIG),
    ]
    assert launcher_environment(HostConfig()) == {}


def test_a_launcher_is_given_to_axolotl_as_its_documents_say():
    command = train_command(torchrun(*TWO_NODES, "--rdzv_id", "mine"), CONFIG)
    assert command == [
        *[sys.executable, "-m", "axolotl.cli.main", "train", str(CONFIG), "--launcher", "torchrun"],
        *["--", "--nnodes", "2", "--nproc_per_node", "8", *MEET, "--rdzv_id", "mine"],
    ]


def test_nodes_that_meet_have_one_name_for_it_which_is_another_for_another_training():
    host = torchrun(*TWO_NODES)
    words = words_behind(host)
    assert words[-2] == "--rdzv_id"
    assert words == words_behind(host)
    assert words != words_behind(host, Path("runs/judge/iter-02/axolotl.yaml"))
    assert "--rdzv_id" not in words_behind(torchrun("--standalone", "--nproc_per_node", 2))


def test_axolotl_knows_how_nodes_meet_however_it_is_written():
    words = words_behind(torchrun("--nnodes", 2, "--rdzv-endpoint", "a:1", "--rdzv-id=x"))
    assert words == ["--nnodes", "2", "--rdzv_endpoint", "a:1", "--rdzv_id=x"]


def test_nodes_that_meet_where_the_environment_says_do_not_all_take_themselves_for_the_first(
    monkeypatch,
):
    monkeypatch.setenv("PET_RDZV_ENDPOINT", "a:1")
    words = words_behind(torchrun("--nnodes", 2))
    assert words[2:4] == ["--rdzv_id", words[3]]
    assert words[4:] == ["--rdzv_backend", "c10d"]
    monkeypatch.setenv("PET_RDZV_BACKEND", "etcd")
    monkeypatch.setenv("PET_RDZV_ID", "x")
    assert words_behind(torchrun("--nnodes", 2)) == ["--nnodes", "2"]


@pytest.mark.parametrize("name", ["SLURM_NODEID", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "RANK"])
def test_what_is_another_on_each_node_is_not_filled_in_once_for_all(name, monkeypatch):
    monkeypatch.setenv(name, "0")
    said = refused(torchrun(*TWO_NODES, "--node_rank", f"${name}"))
    assert f"hosts.train.launcher_args: found ${name}, which is another one on each node" in said
    assert name in refused(torchrun(*TWO_NODES, wrapper=["env", f"NODE=${{{name}}}"]))


def test_a_wrapper_starts_the_whole_command():
    host = torchrun(*TWO_NODES, wrapper=["srun", "--ntasks-per-node=1"])
    assert train_command(host, CONFIG)[:3] == ["srun", "--ntasks-per-node=1", sys.executable]
    alone = HostConfig(wrapper=["nice", "-n", "19"])
    assert train_command(alone, CONFIG)[:4] == ["nice", "-n", "19", sys.executable]


def test_a_merge_is_one_process_behind_the_same_wrapper():
    host = torchrun(*TWO_NODES, wrapper=["srun", "--ntasks-per-node=1"])
    command = [sys.executable, "-m", "ste_plugin.axolotl.finishing", str(CONFIG)]
    assert merge_command(host, CONFIG) == ["srun", "--ntasks-per-node=1", *command]


def test_words_may_name_variables_of_the_environment(monkeypatch):
    monkeypatch.setenv("FIRST", "gpu-7")
    monkeypatch.setenv("SLURM_NNODES", "3")
    host = torchrun("--nnodes", "$SLURM_NNODES", "--rdzv_endpoint=${FIRST}:29500", "--rdzv_id=a$$b")
    assert words_behind(host) == ["--nnodes", "3", "--rdzv_endpoint=gpu-7:29500", "--rdzv_id=a$b"]
    check_launcher(host, {})


def test_programs_of_the_training_environment_come_before_others():
    path = launcher_environment(torchrun("--nproc_per_node", 2, python="/envs/axolotl/bin/python"))
    assert path["PATH"].split(os.pathsep)[0] == "/envs/axolotl/bin"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NOBODY_SETS", raising=False)
    host = torchrun("--nnodes", "2", "--rdzv_endpoint", "$NOBODY_SETS:29500")
    assert "launcher_args: names the environment variable NOBODY_SETS, which" in refused(host)
    assert "wrapper: a `$` that begins no variable" in refused(HostConfig(wrapper=["a$"]))


@pytest.mark.parametrize("nodes", ["2", "4", "1:4"])
def test_several_nodes_without_a_place_to_meet_are_refused(nodes):
    told = refused(torchrun("--nnodes", nodes))
    assert f"{nodes} nodes (--nnodes), but no --rdzv_endpoint" in told
    assert "[--rdzv_endpoint, FIRST_NODE:29500]" in told
    machines = HostConfig(launcher="accelerate", launcher_args=[f"--num_machines={nodes[-1]}"])
    assert "but no --main_process_ip" in refused(machines)


@pytest.mark.parametrize(
    "words",
    [
        ("--nproc_per_node", 8),
        ("--standalone", "--nnodes=1"),
        ("--nnodes=2", "--rdzv-endpoint=a:1"),
        ("--nnodes", 2, "--master_addr", "a"),
    ],
)
def test_nodes_that_find_each_other_are_taken(words):
    check_launcher(torchrun(*words), {"mine": {}})


def test_what_torchrun_takes_from_the_environment_counts(monkeypatch):
    monkeypatch.setenv("PET_NNODES", "2")
    assert "2 nodes" in refused(torchrun())
    monkeypatch.setenv("PET_RDZV_ENDPOINT", "a:1")
    check_launcher(torchrun(), {})


@pytest.mark.parametrize("nodes", ["two", "0", "1:", "-1"])
def test_a_number_of_nodes_that_is_none_is_refused(nodes):
    assert "expected how many nodes there are" in refused(torchrun(f"--nnodes={nodes}", *MEET))


def test_ray_and_another_launcher_exclude_each_other():
    told = refused(torchrun("--nproc_per_node", 2), use_ray=True)
    assert "mine: use_ray: true" in told
    assert "hosts.train.launcher: torchrun" in told
    check_launcher(HostConfig(), {"mine": {"use_ray": True}})


def test_a_program_that_is_not_there_is_named(tmp_path):
    other = tmp_path / "bin" / "python"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert "found no program 'torchrun'" in refused(torchrun(python=str(other)))
    assert "found no program 'srnu'" in refused(torchrun("--nnodes=1", wrapper=["srnu"]))


def test_arguments_without_a_launcher_are_refused():
    with pytest.raises(ValueError, match="launcher_args: given without a launcher"):
        HostConfig(launcher_args=["--nnodes", 2])


@pytest.mark.slow
def test_two_nodes_train_one_judge_that_is_written_down_once(tiny_model, tmp_path, monkeypatch):
    from tests.helpers import cpu_ranks, environment

    for name, value in (environment() | cpu_ranks.ENVIRONMENT).items():
        monkeypatch.setenv(name, value)
    rows = written(tmp_path / "dataset", train=4, dev=2)
    recipe = tmp_path / "recipe.yaml"
    settings = ON_A_CPU | LORA | {"micro_batch_size": 2, "plugins": [cpu_ranks.NAME]}
    recipe.write_text(yaml.safe_dump(settings))
    meet = f"127.0.0.1:{free_port(None)}"
    host = torchrun(
        *["--nnodes", 2, "--nproc_per_node", 1, "--rdzv_endpoint", meet],
        wrapper=[str(cpu_ranks.nodes_on_this_machine(tmp_path, 2))],
    )
    given = axolotl.TrainingInputs(
        recipe, str(tiny_model), rows, tmp_path / "model", seed=0, host=host
    )
    final = axolotl.train(given)
    done, log = json.loads((tmp_path / "model/trained.json").read_text()), axolotl.log_of(final)
    said = (tmp_path / "axolotl.log").read_text()
    assert done["trained_on"]["rows"] == 8
    assert done["steps"] == 2  # two rows in each of two processes
    assert done["merge"]["difference"] < 0.001
    assert said.count("ste: the judge is in") == 1, log
    alone = replace(given, host=HostConfig())
    assert axolotl.train(alone) == final  # nothing left to do


class Given(dict):
    """Stands for axolotl's own dictionary."""

    def to_dict(self) -> dict:
        return dict(self)


def test_what_a_launcher_or_ray_adds_is_no_part_of_the_config_as_given(tmp_path):
    path = tmp_path / "axolotl.yaml"
    written = {"base_model": "m", "debug": False, "ste": {"manifest": "a"}}
    path.write_text(yaml.safe_dump(written))
    place = {"axolotl_config_path": str(path)}
    started = Given(written | place | {"shard": False, "debug_num_examples": 0})
    assert config_as_given(started) == written | place
    assert config_as_given(Given(written | {"shard": True}))["shard"]
    in_worker = Given(written | place | {"use_ray": True, "datasets": ["ours"]})
    assert config_as_given(in_worker) == written
