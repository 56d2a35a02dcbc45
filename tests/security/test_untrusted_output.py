"""Untrusted text reaches no terminal as a control code, no page as markup, no folder as a path."""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ste_plugin.context import IterationReport
from ste_plugin.evaluation import report
from ste_plugin.progress import ProgressReporter
from ste_plugin.text.sanitize import escape_for_markdown, escape_for_terminal
from tests.helpers import ROOT
from tests.helpers.builders import config_text
from tests.helpers.untrusted_texts import texts

PACKAGE = ROOT / "ste_plugin"
ORDERS = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x90q\x9c",
    "a\rb",
    "a\bb",
    "\x07",
    "\u202eevil",
    "\u2066x",
    "[bold]x[/bold]",
    "[/nothing]",
    ":bomb:",
    "\x00",
    "\ud800",
    "\x7f",
    "\x85",
    "\u2028",
]
STEERING = {c for c in map(chr, [*range(32), *range(127, 160)]) if c not in "\n\t"} | set(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029\ufeff"
)


def steering_in(text: str) -> set[str]:
    """Every character that could control a terminal; lone surrogates it cannot even print."""
    return STEERING & set(text) | {c for c in text if 0xD800 <= ord(c) <= 0xDFFF}


@given(st.text())
def test_no_text_steers_a_terminal(text):
    assert not steering_in(escape_for_terminal(text))


@given(st.text())
def test_json_for_scripts_says_the_same_and_steers_no_terminal(text):
    shown = escape_for_terminal(json.dumps({"text": text}, ensure_ascii=False))
    assert not steering_in(shown)
    assert json.loads(shown) == {"text": text}


@pytest.mark.parametrize("text", ORDERS)
def test_progress_prints_and_records_control_codes_as_plain_characters(text, tmp_path, capsys):
    progress = ProgressReporter(tmp_path / "events.jsonl")
    progress.say(f"so: {text}")
    progress.event("stage", told=text)
    with progress.bar(f"writing {text}", 1) as bar:
        bar.step()
    shown = capsys.readouterr().err
    assert not steering_in(shown)
    assert shown.startswith("so: ")
    for word in ("[bold]x[/bold]", "[/nothing]", ":bomb:"):
        assert (word in shown) == (word == text)
    assert json.loads((tmp_path / "events.jsonl").read_bytes())["told"] == text


@pytest.mark.parametrize("text", ORDERS)
def test_an_error_that_quotes_a_file_steers_no_terminal(text, tmp_path):
    (tmp_path / "ste.yaml").write_text(
        config_text(judge=json.dumps({"model": "x", text: 1})), "utf-8", "surrogatepass"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ste_plugin", "run", "ste.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert not steering_in(done.stderr)
    assert "Traceback" not in done.stderr


def test_every_command_prints_through_one_door():
    doors = []
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "typer.echo",
                "click.echo",
                "print",
                "typer.secho",
                "click.secho",
            ):
                doors.append(f"{path.name}: {ast.unparse(node)[:60]}")
    assert sorted(d.partition(":")[0] for d in doors) == ["app.py"] * len(doors), doors
    assert all("safe(" in door or "__version__" in door for door in doors), doors


def measured(folder: Path, subset: str) -> IterationReport:
    """A report on pairs of one subset."""
    found = {
        "n": 1,
        "overall": {"acc": 0.5, "acc_pc": 0.0},
        "subsets": {subset: {"n": 1, "acc_pc": 0.0}},
    }
    return IterationReport(1, str(folder), subset, {subset: found}, 1, 1, 1, 1, None, 0.1)


@pytest.mark.parametrize("text", ORDERS)
def test_tables_show_untrusted_names_as_they_are(text, tmp_path):
    drawn = io.StringIO()
    console = Console(file=drawn, markup=False, emoji=False, width=200)
    reports = [measured(tmp_path, text)]
    console.print(report.iterations_table(reports, text))
    console.print(report.strategies_table(reports, text))
    console.print(
        report.judges_table([report.judge_line(text, text, reports[0].evaluations[text])])
    )
    assert not steering_in(drawn.getvalue())
    if text.isprintable():
        assert drawn.getvalue().count(text) >= 3


class Cells:
    """A hand-written reader of our reports' tables: every row has as many cells as its heading."""

    def __init__(self, page: str) -> None:
        rows = [line for line in page.splitlines() if line.startswith("|")]
        self.widths = {line.count("|") for line in rows}


HOSTILE_NAMES = [
    "a|b",
    "<script>alert(1)</script>",
    "](javascript:alert(1))",
    "![x](http://x/y.png)",
    "# h",
    "`code`",
    "a\n\n# b",
    "**b**",
    "&lt;",
    "http://x.example",
    "www.x.example",
    ":bomb: @somebody",
    "_a_ and ste_judgebench",
]


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, *ORDERS, *texts(21, 40)])
def test_a_report_page_holds_untrusted_names_as_words_alone(name, tmp_path):
    report.write_page(measured(tmp_path, name))
    page = (tmp_path / "report.md").read_text()
    assert Cells(page).widths == {5}
    assert [line for line in page.splitlines() if line.startswith("#")] == ["# Iteration 1"]
    ours = "[report.html](../report.html)"
    assert page.count(ours) == 1
    rest = page.replace(ours, "")
    assert not any(mark in rest for mark in ("<", "](", "![", "`", "**", "://"))
    assert not steering_in(page)


@given(st.text())
def test_markdown_shows_just_the_characters_that_were_written(text):
    from html import unescape

    assert unescape(escape_for_markdown(text)) == " ".join(escape_for_terminal(text).split())


@pytest.mark.parametrize(
    "name", ["../up", "/etc", "a/b", ".hidden", "", "a\x00b", "x" * 81, "-rf", "a b\n"]
)
def test_a_name_in_the_config_cannot_lead_out_of_the_runs_folder(name, tmp_path):
    from ste_plugin.errors import ConfigError
    from tests.helpers.builders import config

    for key in ({"pairs": {name: "x.jsonl"}}, {"tasks": [name]}):
        with pytest.raises(ConfigError, match="evaluation|control character"):
            config(tmp_path, evaluation=json.dumps(key))
