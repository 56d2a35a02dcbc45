"""`ste review` as people run it: pages that can be killed, two people at once, CSV."""

import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from tests.helpers import environment
from tests.helpers.command import ste
from tests.helpers.review_runs import labels_in, plain_texts, run_with_pairs

pytestmark = pytest.mark.usefixtures("warm_hosts")


@pytest.fixture
def run(tmp_path):
    return run_with_pairs(tmp_path / "run", plain_texts(30))


@contextmanager
def reviewing(run, rater, *options):
    """A review in a process of its own; yields it, what it says first, and a client."""
    command = [sys.executable, "-m", "ste_plugin", "review", str(run.root), "--rater", rater]
    command += ["--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        said = ""
        while "Ctrl-C" not in said:
            said += process.stdout.readline() or pytest.fail(said)
        link = re.search(r"http\S+", said)[0]
        base = link.partition("/?")[0]
        origin = {"Origin": base}
        with httpx.Client(base_url=base, headers=origin, follow_redirects=True) as client:
            client.get(link)
            yield process, said, client
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def label(client, choice):
    page = client.get("/next").text
    key = re.search(r'data-key="(\w+)"', page)[1]
    assert client.post("/label", json={"key": key, "choice": choice}).json() == {"done": True}


def test_two_people_label_at_once_and_nothing_is_lost_when_they_are_killed(run):
    with reviewing(run, "ann") as (ann, said, as_ann), reviewing(run, "bob") as (bob, _, as_bob):
        assert re.search(r"\d+ pairs for ann; all take about \d+ minutes\.", said)
        assert re.search(r"other-instruction +\d+ +\d+ +\d+–\d+% +± \d+ points", said)
        for _ in range(4):
            label(as_ann, 1)
            label(as_bob, 0)
        ann.kill()
        label(as_bob, 2)
        bob.send_signal(signal.SIGINT)
        assert re.search(r"5 of \d+ labelled by bob: .*labels\.jsonl", bob.stdout.read())
        assert bob.wait() == 0
    assert [x["rater"] for x in labels_in(run)] == ["ann", "bob"] * 4 + ["bob"]
    with reviewing(run, "ann") as (_, said, as_ann):
        assert "4 of them done" in said
        assert "5 of" in as_ann.get("/next").text


def test_a_second_person_of_the_same_name_is_refused(run):
    with reviewing(run, "ann"):
        done = ste("review", "run", "--rater", "ann", "--no-browser", cwd=run.root.parent)
    assert done.returncode == 2
    assert "--rater ann: somebody is labelling by this name" in done.stderr


def test_a_port_in_use_is_told(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["review", "run", "--rater", "ann", "--no-browser", "--port", port]
        done = ste(*arguments, cwd=run.root.parent)
    assert done.returncode == 2
    assert f"--port {port}: the port is in use." in done.stderr


def test_labels_go_out_as_csv_and_come_back(run):
    folder = run.root.parent
    done = ste("review", "run", "--export", "a.csv", "--number", "4", "--rater", "ann", cwd=folder)
    assert done.stdout == "Wrote 4 rows to a.csv. Labels go into its column choice: 1, 2 or 0.\n"
    text = (folder / "a.csv").read_text(encoding="utf-8-sig")
    (folder / "b.csv").write_text(text.replace(",,\n", ",1,\n"), encoding="utf-8")
    command = ["review", "run", "--import", "b.csv", "--rater", "ann", "--column", "choice=choice"]
    assert ste(*command, cwd=folder).stdout.startswith("4 new labels by 1 rater: ")
    assert ste(*command, cwd=folder).stdout.startswith("0 new labels by 0 raters: ")
    assert len(labels_in(run)) == 4
