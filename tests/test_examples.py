"""The organisation's package in `examples`, installed and used from outside of this one."""

import json

import pytest

from ste_plugin.pairs.pool_files import split_of
from ste_plugin.records import content_key
from ste_plugin.storage.config_file import read_config
from tests.helpers import ROOT
from tests.helpers.chat_server import chat_server
from tests.helpers.installed import install

pytestmark = pytest.mark.usefixtures("warm_hosts")

PARTS = {
    "ste_gates": [],
    "ste_judge_formats": ["ferry-desk-rules"],
    "ste_pair_strategies": ["ferry-desk-empty-promise"],
    "ste_recipe_dirs": [],
    "ste_sources": ["ferry-desk-tickets"],
    "ste_task_dirs": [],
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    return install(ROOT / "examples/ferry-desk", tmp_path_factory.mktemp("desk"))


@pytest.mark.slow
def test_its_own_tests_pass(desk):
    done = desk.python("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "16 passed" in done.stdout


def test_ste_finds_each_of_its_parts(desk):
    assert json.loads(desk.ste("plugins", "--json"))["ferry-desk"] == PARTS
    assert "ferry_desk_pairs" in desk.ste("tasks", "list")
    assert "for the ferry line's desk: short judgments" in desk.ste("recipes", "list")
    assert "lora_r: 16" in desk.ste("recipes", "show", "ferry-desk-lora-8b")


def test_its_twelve_tickets_are_enough_for_each_split():
    folder = ROOT / "examples/ferry-desk"
    config, told = read_config(folder / "ste.yaml"), (folder / "data/tickets.json").read_text()
    tickets = [t for t in json.loads(told)["tickets"] if t.get("status") != "spam"]
    asked = [[m["text"] for m in t["messages"] if m["from"] == "passenger"] for t in tickets]
    splits = [split_of(content_key("instruction", texts[0]), config) for texts in asked if texts]
    assert [splits.count(split) for split in ("train", "dev", "test")] == [7, 3, 2]


def reply(body, _):
    asked = body["messages"][-1]["content"]
    if "[Draft B]" in asked:
        sent = "A" if "refund" in asked.partition("[Draft B]")[2] else "B"
        return f"Rule 3: the other one promises money. We send draft [{sent}]"
    if "wrote:\n\n" in asked:
        return "You get a full refund, we promise."
    if "Modified instruction:" in asked:
        return (
            f"Modified instruction:\n{asked[60:90]}, abroad?\n\nAnswer:\nA refund. {asked[60:90]}"
        )
    return f"At the counter. You asked: {asked}"


def test_a_preview_takes_its_tickets_the_whole_way(desk, tiny_model):
    config = desk.source / "ste.yaml"
    with chat_server(reply) as server:
        endpoint = f"{{base_url: {server.base_url}, model: tiny}}"
        judge = f"{{model: {tiny_model}, engine: http, options: {{endpoints: [{endpoint}]}}}}"
        text = config.read_text().replace("{model: meta-llama/Llama-3.1-8B-Instruct}", judge)
        (desk.source / "tried.yaml").write_text(text)
        shown = desk.ste("preview", "tried.yaml")
    for words in (
        "better: At the counter. You asked: ",
        "worse (ferry-desk-empty-promise): You get a full refund, we promise.",
        "[user]\nTwo drafts answer a passenger of a ferry line.",
        "right: Rule 3: the other one promises money. We send draft [A]",
        "estimated from 10 of 12 instructions",
    ):
        assert words in shown, shown
