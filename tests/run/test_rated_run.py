"""A whole run whose judge rates each answer alone: its figures, gates, audit, report and pages."""

import re
from html import unescape

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ste_plugin.audit.run_audit import audit_run
from ste_plugin.plugins.manager import plugin_manager
from ste_plugin.report.page import write_report
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import read_json, read_rows
from ste_plugin.storage.run_layout import RunLayout
from ste_plugin.view.pages import view_routes
from ste_plugin.view.prompts import format_finder
from tests.helpers.judged_runs import config_of, judges_trained, run
from tests.helpers.viewed_folders import opened


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
    """A run of two rounds; its folder and its reports."""
    folder = tmp_path_factory.mktemp("rated")
    judging = {"format": "rating", "samples": 4}
    path = config_of(folder, tiny_model, iterations=2, judging=judging)
    with judges_trained(0.85, 0.95):
        reports = run(path)
    return path, reports


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_figures_and_gates_of_orders_are_left_out_and_the_others_are_there(finished):
    path, reports = finished
    overall = reports[-1].evaluations["dev"]["overall"]
    assert overall["acc_pc"] > 0.7
    assert overall["consistency"] is overall["pos_bias"] is None
    gates = read_json(path.parent / "run/iter-02/gates.json")["findings"]
    names = {finding["name"] for finding in gates}
    assert "invalid_rate" in names and not names & {"position_bias", "consistency"}


def test_an_audit_says_nothing_of_letters_and_fails_in_no_check(finished):
    path, _ = finished
    with open_run(path, [], quiet=True) as context:
        found = audit_run(context, 2)
    names = {finding.name for finding in found}
    assert {"no verdict", "rubric reworded"} <= names
    of_orders = ("letters", "position", "consistency", "orders swapped", "pushback")
    assert not {name for name in names if name.startswith(of_orders)}
    assert not [finding.words for finding in found if finding.failed]


def test_the_report_is_written_and_shows_the_gain(finished):
    path, _ = finished
    page = write_report(RunLayout(path.parent / "run"), plugin_manager([]))
    assert "rating" in words_of(page.read_text())


def test_pages_say_which_answer_was_shown_alone(finished):
    path, _ = finished
    root = path.parent / "run"
    (first, *_) = (row for _, row in read_rows(root / "iter-01/judgments.jsonl"))
    address = f"/pair?of=iter-01&set=train&pair={first['pair_key']}"
    with opened(root) as folder:
        app = Starlette(routes=view_routes([folder], format_finder(plugin_manager())))
        with TestClient(app) as client:
            page = words_of(client.get(address).text)
    assert "Better answer shown alone: right" in page
    assert "Worse answer shown alone: right" in page
    assert "Final rating: [[" in page
