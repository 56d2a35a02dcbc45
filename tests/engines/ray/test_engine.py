"""Replicas on a cluster: what they answer, and what is wrong with the cluster, told by name."""

import logging
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import ste_plugin
from ste_plugin.config import ModelConfig
from ste_plugin.engines import ChatRequest, Message, Place, Sampling
from ste_plugin.engines.identity import model_identity
from ste_plugin.engines.local import engine as local
from ste_plugin.engines.ray import actor, connection, engine
from ste_plugin.engines.ray.options import RayOptions
from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.run.doctor import examine
from tests.helpers.builders import HERE, config
from tests.helpers.ray_cluster import on_cluster, ray_cluster
from tests.helpers.waiting_engine import asked


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster() as cluster:
        yield cluster


def requests(count: int = 4, samples: int = 2, text: str = "Name fruit", **more):
    sampling = Sampling(1.0, top_p=1.0, max_new_tokens=8)
    return [
        ChatRequest("m", (Message("user", f"{text} {i}."),), sampling, sample, **more)
        for i in range(count)
        for sample in range(samples)
    ]


def failure(cluster, wanted=None, place: Place = HERE, **options) -> str:
    """Return the error of an engine that cannot answer."""
    with (
        closing(on_cluster(cluster, place=place, **options)) as opened,
        pytest.raises(EngineError) as raised,
    ):
        list(opened.complete(wanted or requests()))
    return str(raised.value)


def failure_of(options: RayOptions, spec: dict) -> str:
    with (
        closing(engine.RayEngine(options, spec, HERE)) as opened,
        pytest.raises(EngineError) as raised,
    ):
        list(opened.complete(requests()))
    return str(raised.value)


@pytest.mark.slow
def test_a_model_in_two_replicas_answers_byte_for_byte_as_on_one_machine(cluster, tiny_model):
    # one sample a batch: sums are rounded in another way among other samples
    options = {"max_batch_tokens": 1}
    model = ModelConfig(model=str(tiny_model), engine="local", options=options)
    name = model_identity(model, Path())
    turns = [(Message("user", f"Name fruit {i}." + " Please." * (i % 7)),) for i in range(80)]
    how = Sampling(1.0, top_p=0.9, max_new_tokens=12)
    wanted = [ChatRequest(name, t, how, sample) for t in turns for sample in range(2)]
    wanted += [ChatRequest(name, t, how, 0, "It is [[", ("A", "B")) for t in turns[:20]]
    with closing(local.create(model, HERE)) as alone:
        expected = {c.key: c.to_dict() for c in alone.complete(wanted)}
    with closing(on_cluster(cluster, str(tiny_model), "local", engine_options=options)) as opened:
        got = {c.key: c.to_dict() for c in opened.complete(wanted)}
    assert got == expected


def test_requests_go_to_all_replicas_and_those_that_share_a_beginning_to_one(cluster, tmp_path):
    wanted = [
        request
        for pair in range(200)
        for order in "ab"
        for request in requests(1, 2, f"{pair} {order}", affinity=f"pair {pair}")
    ]
    waiting = {"log": str(tmp_path), "seconds": 0.1, "at_once": 16, "together": 2}
    with closing(on_cluster(cluster, engine_options=waiting)) as opened:
        got = list(opened.complete(wanted))
    assert {c.key for c in got} == {r.key for r in wanted}
    one, other = map(set, asked(tmp_path).values())
    assert min(len(one), len(other)) > 100
    pair_of = {r.key: r.affinity for r in wanted}
    assert not {pair_of[k] for k in one} & {pair_of[k] for k in other}


def test_replicas_that_find_no_room_are_told_of_and_the_others_answer(cluster, monkeypatch):
    from ste_plugin.engines.ray import room

    monkeypatch.setattr(room, "_PATIENCE_S", 0.1)
    told: list[str] = []
    place = Place(Path(), Path(), say=told.append)
    options = {"replicas": 3, "engine_options": {"seconds": 0.5, "at_once": 8}}
    with closing(on_cluster(cluster, place=place, **options)) as opened:
        assert len(list(opened.complete(requests(20)))) == 40
    assert any("of 3 replicas run; the others wait for room. Each takes 1 CPU" in t for t in told)


def test_an_engine_that_fails_at_the_start_says_on_which_machine(cluster):
    told = failure(cluster, requests(text="FAIL"))
    address = cluster.head_node.node_ip_address
    assert told == f"engine ray: on {address}: model: the engine has failed."


def test_a_request_that_ends_every_replica_ends_the_run_instead(cluster):
    told = failure(cluster, requests(1, 1, text="DIE"))
    assert told.startswith("engine ray: a request has lost its replica 5 times, last on ")


def test_a_replica_without_the_model_s_folder_is_named(cluster, tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    model = ModelConfig(model=str(folder), engine="local")
    spec = engine.make_spec(model, HERE)
    options = RayOptions(address=cluster.address, engine="local")
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert "found another model (fingerprint " in failure_of(options, spec)
    shutil.rmtree(folder)
    assert failure_of(options, spec) == (
        f"engine ray: a replica cannot start on {cluster.head_node.node_ip_address}: {folder}: no "
        "such folder. Put the model's folder on a disk that all machines share, or copy it there."
    )


def test_another_version_of_ste_plugin_on_a_machine_is_named(cluster, monkeypatch):
    found = ste_plugin.__version__
    monkeypatch.setattr(ste_plugin, "__version__", "9.9")
    told = failure(cluster)
    assert f"found ste-plugin {found} in " in told
    assert "expected 9.9, as here. Install the same one on all machines" in told


def test_other_code_of_the_same_version_on_a_machine_is_named(cluster, monkeypatch):
    monkeypatch.setattr("ste_plugin.engines.ray.checks.code_digest", lambda: "0" * 8)
    told = failure(cluster)
    assert "with other code (" in told
    assert "(00000000), as here" in told


def test_a_machine_without_ste_plugin_is_named(cluster, monkeypatch):
    monkeypatch.setattr(actor, "_CHECKS", "ste_plugin_that_is_gone")
    told = failure(cluster)
    assert "ste-plugin cannot be imported by " in told
    assert "(No module named 'ste_plugin_that_is_gone')" in told


def test_a_replica_too_large_for_every_machine_is_refused_with_what_they_have(cluster):
    told = failure(cluster, gpus_per_replica=4)
    address = cluster.head_node.node_ip_address
    assert told.startswith(
        "engine ray: a replica takes 1 CPU, 4 GPU of one machine, and none of the cluster has as "
        f"much:\n  {address}: 1 CPU, 0 GPU\n  {address}: 1 CPU, 0 GPU\nLower "
    )


def test_the_doctor_says_what_a_config_s_cluster_has(cluster, tmp_path):
    judge = "{model: m, engine: ray, options: {engine: local, replicas: 3, address: '%s'%s}}"
    address = cluster.head_node.node_ip_address
    found = []
    for more in ("", ", gpus_per_replica: 4"):
        config(tmp_path, judge=judge % (cluster.address, more))
        findings = examine([tmp_path / "ste.yaml"], [])
        found += [f for f in findings if f.what == "Ray cluster"]
    one, other = found
    assert (one.ok, other.ok) == (True, False)
    assert one.found == f"3 replica(s) of 1 CPU; machines:\n  {address}: 1 CPU\n  {address}: 1 CPU"
    assert "a replica takes 1 CPU, 4 GPU of one machine" in other.found


def test_a_cluster_that_scales_is_waited_for_aloud_and_not_for_ever(cluster, monkeypatch):
    from ste_plugin.engines.ray import room

    monkeypatch.setattr(room, "_PATIENCE_S", 0.1)
    told: list[str] = []
    place = Place(Path(), Path(), say=told.append)
    options = {"gpus_per_replica": 4, "autoscaling": True, "start_timeout_s": 2}
    error = failure(cluster, place=place, **options)
    assert error.startswith("engine ray: no room for a replica within 2 s (options.start_timeout_s")
    assert told[0].startswith("engine ray: waiting for room for a replica. Each takes 1 CPU, 4 GPU")


def test_a_cluster_of_another_version_of_ray_is_refused_with_both(cluster, monkeypatch):
    import ray

    monkeypatch.setattr(ray._private.utils, "compute_version_info", lambda: ("2.0.0", "3.9.1"))
    told = failure(cluster)
    assert "runs other versions than this machine: " in told
    assert f"Ray: {ray.__version__}" in told
    assert "Ray: 2.0.0" in told


def test_joining_a_cluster_leaves_our_handler_of_sigterm(cluster):
    before = signal.getsignal(signal.SIGTERM)
    with closing(on_cluster(cluster)) as opened:
        list(opened.complete(requests()))
        assert signal.getsignal(signal.SIGTERM) is before


def test_closing_ends_the_wait_of_another_thread_and_starts_nothing(cluster):
    import ray

    opened = on_cluster(cluster, engine_options={"seconds": 600})
    with ThreadPoolExecutor(1) as executor:
        answers = executor.submit(list, opened.complete(requests()))
        deadline = time.monotonic() + 60
        while opened._engine is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        opened.close()
        assert answers.result(60) == []
    assert not ray.is_initialized()


def test_no_cluster_at_the_address_is_told_within_seconds(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(EngineError, match=f"no cluster at {address}: .*refused.*\n.*ray start"):
        connection.connect(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(EngineError, match=f"no cluster at {address}"):
        connection.connect("auto")


def test_a_machine_on_which_no_ray_runs_is_told_how_to_start_one(monkeypatch):
    import ray

    def found_none(**_):
        raise ConnectionError("Could not find any running Ray instance. Please specify")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", found_none)
    with pytest.raises(EngineError, match="no cluster found: Ray does not run on this machine"):
        connection.connect("auto")


def test_ray_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match=r"pip install '/path/to/ste-plugin\[ray\]'"):
        engine.create(ModelConfig(model="m", engine="ray", options={"engine": "local"}), HERE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "ray"}, "engine: found 'ray'; a replica cannot be a cluster"),
        ({"engine": "auto"}, "engine: found 'auto', which may be another engine on each machine"),
        ({"engine": "vlm"}, "engine: no 'vlm'. Did you mean 'vllm'?"),
        ({"engine": "local", "engine_options": {"dtyp": 1}}, "options of engine local: .*\n.*dtyp"),
        ({"dtype": "float32"}, "dtype: unknown key"),
        ({"address": "ray://head:10001"}, "address: found 'ray://head:10001'; expected auto, or"),
        ({"replicas": 0}, "replicas: found 0; expected 1 or more"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_started(options, message):
    with pytest.raises(ConfigError, match=message):
        engine.create(ModelConfig(model="m", engine="ray", options=options), HERE)


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, {"CPU": 1, "GPU": 1}),
        ({"engine_options": {"tensor_parallel_size": 4}}, {"CPU": 1, "GPU": 4}),
        ({"engine": "local"}, {"CPU": 1}),
        ({"engine": "local", "gpus_per_replica": 0.5}, {"CPU": 1, "GPU": 0.5}),
        ({"gpus_per_replica": 0, "resources": {"big": 1}}, {"CPU": 1, "big": 1}),
    ],
)
def test_a_replica_takes_the_gpus_that_its_engine_shares_a_copy_among(options, needs):
    assert RayOptions(**options).needs == needs


def test_warnings_of_a_replica_reach_the_person_at_the_driver():
    from ste_plugin.engines.ray.replica import Replica

    model = ModelConfig(model="m", engine="http", options={"base_url": "http://127.0.0.1:9/v1"})
    replica = Replica(engine.make_spec(model, HERE))
    replica.give(1, b"\x90", True)
    logging.getLogger("ste_plugin.engines").warning("It is %s.", "odd")
    events = list(replica.answer(1))
    replica.close()
    assert any(b"It is odd." in event for event in events)
