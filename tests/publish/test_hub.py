"""Publishing to a hub, spoken to over HTTP: what arrives, what goes on, what is refused and why."""

import pytest

from ste_plugin.errors import ConfigError, EngineError
from ste_plugin.judging.published import sha256_of
from tests.helpers.command import ste
from tests.helpers.hub_server import TOKEN, Fault, Repo, hub_server
from tests.helpers.published_runs import finished_run, publish, reach

ALL = ("--what", "model,data,report")
TO = "hub:org/judge"


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return finished_run(tmp_path_factory.mktemp("run"), tiny_model, 0.97)


@pytest.fixture
def hub(monkeypatch):
    with hub_server() as server:
        reach(server, monkeypatch)
        yield server


def written(folder):
    """What the same command writes into a folder, by kind."""
    return {
        kind: {
            str(path.relative_to(folder / place)): path.read_bytes()
            for path in (folder / place).rglob("*")
            if path.is_file()
        }
        for kind, place in (("model", "model"), ("dataset", "data"))
    }


def test_what_arrives_is_what_a_folder_gets_byte_for_byte(run, hub, tmp_path):
    publish(run, TO, *ALL)
    publish(run, tmp_path / "out", *ALL)
    expected = written(tmp_path / "out")
    for kind, name in (("model", "org/judge"), ("dataset", "org/judge-data")):
        arrived = hub.files(kind, name)
        assert arrived.keys() == expected[kind].keys()
        cards = {"README.md", "report/report.html"}  # their names are those of the place
        assert {n: arrived[n] for n in arrived.keys() - cards} == {
            n: expected[kind][n] for n in arrived.keys() - cards
        }
    assert (
        b"hf download org/judge --local-dir judge" in hub.files("model", "org/judge")["README.md"]
    )
    report = hub.files("model", "org/judge")["report/report.html"]
    assert report.replace(b"org/judge", b"run/out") == expected["model"]["report/report.html"]
    assert not hub.repos["model", "org/judge"].private


def test_the_command_publishes_by_its_environment_alone(run):
    with hub_server() as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        done = ste(
            "publish",
            str(run),
            "--to",
            TO,
            "--plugin",
            str(run.parent / "hooks.py"),
            cwd=run.parent,
            **env,
        )
        assert done.returncode == 0, done.stderr
        assert f"{hub.url}/org/judge\n" in done.stdout
        assert TOKEN not in done.stdout + done.stderr
        assert set(hub.repos) == {("model", "org/judge")}


def test_a_private_publication_is_private_on_the_hub(run, hub):
    publish(run, TO, *ALL, "--private")
    assert [repo.private for repo in hub.repos.values()] == [True, True]


def test_an_upload_that_was_cut_off_goes_on_and_sends_nothing_twice(run, hub, capsys):
    hub.faults["POST /api/models/org/judge/commit"] = Fault(500, "disk on fire", times=1)
    with pytest.raises(EngineError, match=r"\(500: disk on fire\).*same command goes on"):
        publish(run, TO, *ALL)
    assert hub.files("model", "org/judge") == {}
    sent = hub.sent()
    capsys.readouterr()
    publish(run, TO, *ALL)
    assert "org/judge-data (dataset): already there: 6 of 6 files" in capsys.readouterr().out
    assert (hub.sent(), hub.repos["dataset", "org/judge-data"].commits) == (sent, 1)
    assert "ste_judge.json" in hub.files("model", "org/judge")


def test_what_is_there_already_makes_no_commit(run, hub):
    publish(run, TO)
    publish(run, TO)
    assert hub.repos["model", "org/judge"].commits == 1


def test_a_report_may_be_published_beside_its_judge_later(run, hub):
    publish(run, TO, "--what", "model")
    before = hub.files("model", "org/judge")
    publish(run, TO, "--what", "report")
    after = hub.files("model", "org/judge")
    assert after.keys() - before.keys() == {"report/report.html", "report/report.json"}
    assert {name: after[name] for name in before} == before


def test_without_a_token_nothing_is_asked(run, hub, monkeypatch):
    reach(hub, monkeypatch, token=None)
    with pytest.raises(ConfigError, match=r"no token of the hub.*hf auth login.*HF_TOKEN"):
        publish(run, TO)
    assert hub.calls == []


def test_a_token_that_is_not_valid_is_told(run, hub, monkeypatch):
    reach(hub, monkeypatch, token="hf_anotherToken0123456789abcdefghijklm")
    with pytest.raises(EngineError, match=r"does not take this token \(401.*Log in again"):
        publish(run, TO)


@pytest.mark.parametrize(
    ("call", "fault", "said"),
    [
        ("POST /api/repos/create", Fault(403, "no rights"), r"may not write there \(403.*right to"),
        ("POST /api/repos/create", Fault(409, "a space"), r"name is taken.*\(409.*another one"),
        ("GET /api/models/org", Fault(503, "maintenance"), r"down or busy \(503.*again later"),
        (
            "POST /api/models/.*/commit",
            Fault(413, "too large"),
            r"hub refused it \(413: .*too large",
        ),
    ],
)
def test_a_refusal_is_told_with_its_cure(run, hub, call, fault, said):
    hub.faults[call] = fault
    with pytest.raises(EngineError, match=said) as told:
        publish(run, TO)
    assert "hub:org/judge (model)" in str(told.value)
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize(
    "call",
    [
        "GET /api/models/org",
        "POST /api/repos/create",
        "GET /api/models/org/judge/tree",
        "POST /api/models/.*/preupload",
        "POST /api/models/.*/commit",
    ],
)
def test_an_answer_that_is_no_hubs_is_told_with_what_to_do(run, hub, call):
    hub.faults[call] = Fault(200, "please log in to the guest network")
    with pytest.raises(EngineError, match=r"hub:org/judge \(model\).*HF_ENDPOINT") as told:
        publish(run, TO)
    assert "makes no sense" in str(told.value)


def test_a_file_that_the_hub_does_not_take_is_named(run, hub, tmp_path):
    publish(run, tmp_path / "out")
    weights = sha256_of(tmp_path / "out/model/model.safetensors")
    hub.refused[weights] = "quota exceeded"
    with pytest.raises(EngineError, match=r"refused a file.*model\.safetensors.*quota exceeded"):
        publish(run, TO)


@pytest.mark.usefixtures("hub")
def test_a_hub_that_is_not_there_is_told(run, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EngineError, match=r"cannot be reached.*HF_ENDPOINT right"):
        publish(run, TO)


def test_a_repository_of_something_else_is_left_alone(run, hub):
    there = Repo(files={"pytorch_model.bin": b"x", "README.md": b"Mine."})
    hub.repos["model", "org/judge"] = there
    with pytest.raises(ConfigError, match=r"not of this publication: pytorch_model\.bin"):
        publish(run, TO)
    assert (there.commits, there.files["README.md"]) == (0, b"Mine.")


def test_what_all_can_read_does_not_become_private_by_itself(run, hub):
    hub.repos["model", "org/judge"] = Repo()
    with pytest.raises(ConfigError, match="which all can read, and --private is given"):
        publish(run, TO, "--private")


@pytest.mark.usefixtures("hub")
def test_a_hub_is_not_reached_where_that_is_switched_off(run, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE is set"):
        publish(run, TO)


def test_a_dry_run_asks_no_hub(run, hub, monkeypatch, capsys):
    reach(hub, monkeypatch, token=None)
    publish(run, TO, *ALL, "--dry-run")
    told = capsys.readouterr().out
    assert "hub:org/judge-data (dataset)" in told
    assert hub.calls == []
