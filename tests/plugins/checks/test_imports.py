"""Libraries that every command would wait for, imported where a plugin is."""

import sys
from importlib import import_module
from types import ModuleType

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers.plugin_files import HEAD, plugin_file

HOOK = """
@hookimpl
def ste_drop_judgment(judgment):
    return None
"""


@pytest.fixture(autouse=True)
def peft(monkeypatch):
    """A stand-in, as the real one takes seconds here, too."""
    module = ModuleType("peft")
    module.LoraConfig = dict
    monkeypatch.setitem(sys.modules, "peft", module)


@pytest.mark.parametrize("line", ["import json, peft", "from peft import LoraConfig as _"])
def test_a_slow_library_at_the_top_is_told_with_its_line(tmp_path, line):
    (problem,) = check_plugin(plugin_file(tmp_path, f"{line}\n{HOOK}"))
    assert "hooks.py:3: imports peft at its top" in problem
    assert "every `ste` command waits for it. Import it inside the function" in problem


def test_one_that_is_imported_late_or_for_types_alone_is_not(tmp_path):
    body = f"""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import peft

def scored(text):
    import peft

    return peft
{HOOK}"""
    assert check_plugin(plugin_file(tmp_path, body)) == []


def test_a_package_s_own_modules_are_looked_into_where_they_are_imported(tmp_path, monkeypatch):
    package = tmp_path / "acme_slow"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "engines.py").write_text("import peft\n")  # named by a hook, and imported late
    (package / "rows.py").write_text("try:\n    import peft\nexcept ImportError:\n    pass\n")
    (package / "hooks.py").write_text(f"{HEAD}from .rows import peft as peft\n{HOOK}")
    monkeypatch.syspath_prepend(tmp_path)
    (problem,) = check_plugin(import_module("acme_slow.hooks"))
    assert "rows.py:2: imports peft at its top" in problem
