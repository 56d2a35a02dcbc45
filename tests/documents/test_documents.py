"""What the documents say is there: commands, options, settings, extras, plugins, links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml
from pydantic import TypeAdapter

from ste_plugin import errors
from ste_plugin.axolotl.settings import STESettings
from ste_plugin.config import RunConfig
from ste_plugin.engines.decisions.options import DecisionOptions
from ste_plugin.engines.http.options import HttpOptions
from ste_plugin.engines.local.options import LocalOptions
from ste_plugin.engines.ray.options import RayOptions
from ste_plugin.engines.vllm.options import VllmOptions
from ste_plugin.engines.vllm.server import ServeOptions
from tests.helpers.command import ste
from tests.helpers.planted_pairs import honest, planted, run_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
OPTIONS = {
    "local": LocalOptions,
    "vllm": VllmOptions,
    "serve": ServeOptions,
    "ray": RayOptions,
    "http": HttpOptions,
    "decisions": DecisionOptions,
}
ELSEWHERE = re.compile(r"(?<![\w.~-])/(work|root|home|Users|tmp)/|/simple/|file://")
"""Paths of the machine that a document was written on, and places that packages came from there."""


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Yield every block of code in a language, with its document."""
    for path in DOCUMENTS:
        for text in re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.S | re.M):
            yield path.relative_to(ROOT), text


def commands(*programs: str) -> list[Any]:
    """Return the commands in consoles that run one of these, without the variables before it."""
    found = []
    for path, text in blocks("console"):
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            words = shlex.split(line[2:], comments=True) if line.startswith("$ ") else []
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words and words[0] in programs:
                found.append(pytest.param(words, id=f"{path}: {' '.join(words)}"))
    return found


def parts(language: str) -> list[Any]:
    return [pytest.param(text, id=f"{path}-{n}") for n, (path, text) in enumerate(blocks(language))]


def until_the_shell(words: list[str]) -> list[str]:
    """Return a command without what the shell reads: pipes, redirections, a further command."""
    ends = [n for n, word in enumerate(words) if word in {"|", "&&", ";", ">", ">>", "&"}]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize("words", commands("ste"))
def test_every_ste_command_can_be_given_as_it_is_quoted(words):
    from ste_plugin.cli import entry_point

    command, arguments = typer.main.get_command(entry_point.app), until_the_shell(words)[1:]
    while hasattr(command, "commands") and not arguments[0].startswith("-"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    if arguments != ["--help"] and arguments != ["--version"]:
        context = command.make_context(words[0], arguments)  # parses, and starts nothing
        assert context.command is command


@pytest.mark.parametrize("words", commands("axolotl"))
def test_every_command_of_ours_in_axolotl_can_be_given_as_it_is_quoted(words):
    from ste_plugin.cli.axolotl_commands import ste_doctor, ste_run

    ours: dict[str, click.Command] = {"ste-doctor": ste_doctor, "ste-run": ste_run}
    if words[1].startswith("ste"):
        command = ours[words[1]]
        context = command.make_context(words[1], until_the_shell(words)[2:])
        assert context.command is command


@pytest.mark.parametrize("words", commands("make"))
def test_every_make_target_is_there(words):
    targets = [word for word in until_the_shell(words)[1:] if "=" not in word]
    makefile = (ROOT / "Makefile").read_text()
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.M)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_extra_that_is_asked_for_is_there(path):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        name
        for found in re.findall(r"ste-plugin\[(.*?)\]", path.read_text())
        for name in found.split(",")
    }
    assert asked <= set(project["optional-dependencies"])


@pytest.mark.parametrize("text", parts("yaml"))
def test_every_setting_that_is_shown_is_one(text):
    shown = yaml.safe_load(text)
    if "ste" in shown:
        STESettings.model_validate(shown["ste"])
        return
    for name, value in shown.items() if shown.keys() <= RunConfig.model_fields.keys() else ():
        TypeAdapter(RunConfig.model_fields[name].annotation).validate_python(value)
        engine = value.get("engine") if name in ("judge", "generator") else None
        if engine in OPTIONS:
            OPTIONS[engine].model_validate(value.get("options", {}))


def test_every_hooks_file_that_is_shown_is_a_plugin(tmp_path):
    from ste_plugin.plugins.manager import plugin_manager

    shown = [text for _, text in blocks("python") if text.startswith("# hooks.py")]
    assert shown
    for number, text in enumerate(shown):
        path = tmp_path / f"hooks-{number}" / "hooks.py"
        path.parent.mkdir()
        path.write_text(text)
        assert str(path) in [name for name, _ in plugin_manager([path]).list_name_plugin()]


def test_every_plugin_that_a_page_shows_fits(tmp_path):
    from ste_plugin.testing import check_plugin

    pages = [(p, text) for p, text in blocks("python") if p.parts[:2] == ("docs", "how-to")]
    shown = [text for _, text in pages if "@hookimpl" in text]
    assert len(shown) > 6
    for number, text in enumerate(shown):
        path = tmp_path / f"shown_{number}.py"
        path.write_text(text)
        assert check_plugin(path) == [], text


def test_the_check_of_an_audit_that_is_shown_runs_as_written(tmp_path):
    run_of(tmp_path, planted(honest, count=20))
    page = "docs/how-to/audit.md"
    (text,) = [t for p, t in blocks("python") if str(p) == page and t.startswith("# hooks.py")]
    (tmp_path / "hooks.py").write_text(text)
    done = ste("audit", "run", "--only", "refusals", "--plugin", "hooks.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ok        excuses · better answers" in done.stdout


def test_every_exit_code_is_listed():
    known = {
        e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.SteError)
    }
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", page, re.M)}
    assert listed == {e.exit_code for e in known} | {0, 129, 130, 143}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path):
    broken = [link for link in links(path) if not leads_somewhere(path, link)]
    assert broken == []


def links(path: Path) -> list[str]:
    """Return the relative links of a document, outside of its code."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(), flags=re.S | re.M)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", link)]


def leads_somewhere(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(path: Path) -> set[str]:
    """Return the anchors that git hosts and the site give a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_names_a_place_on_the_machine_that_it_was_written_on(path):
    assert ELSEWHERE.search(path.read_text()) is None
    assert str(ROOT) not in path.read_text()
