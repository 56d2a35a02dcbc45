"""Every hook: specified, documented, implemented, and open to strangers."""

import subprocess
import sys
from pathlib import Path

import pytest

from ste_plugin import hookspecs
from ste_plugin.errors import ConfigError, PluginError
from ste_plugin.plugins import builtin
from ste_plugin.plugins.manager import (
    contributed_folders,
    contributed_names,
    find_contribution,
    hook_descriptions,
    plugin_manager,
)
from tests.helpers import ROOT
from tests.helpers.builders import STRANGER
from tests.helpers.plugin_files import HEAD

HOOKS = sorted(hook_descriptions())


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hooks.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_docstring_a_builtin_and_a_line_in_the_reference(hook):
    assert getattr(hookspecs, hook).__doc__
    assert callable(getattr(builtin, hook))
    assert f"`{hook}`" in (ROOT / "docs/reference/hooks.md").read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_is_called_in_which_order_and_what_none_does(hook):
    doc = getattr(hookspecs, hook).__doc__
    for label in ("Called", "Order", "None"):
        assert f"\n    {label}: " in doc, label
    page = (ROOT / "docs/reference/hooks.md").read_text()
    section = page.partition(f"\n### {hook}\n")[2].partition("\n### ")[0]
    assert f"{hook}(" in section.partition("```text")[2]
    assert f"def {hook}(" in section.partition("```python")[2]


def test_the_builtins_are_a_plugin_like_any_other():
    found = contributed_names(plugin_manager())
    assert set(found["builtin"]) == set(HOOKS)
    assert "criteria" in found["builtin"]["ste_judge_formats"]


def test_an_unpublished_file_of_hooks_is_loaded(tmp_path):
    manager = plugin_manager([written(tmp_path, STRANGER)])
    assert (
        find_contribution(manager, "ste_judge_formats", "terse", "judging.format").max_new_tokens
        == 4
    )
    from tests.helpers.builders import judgment, pair

    reasons = manager.hook.ste_drop_judgment(judgment=judgment(text="a cat [[A]]"), pair=pair())
    assert reasons == ["mentions cats"]


def test_two_plugins_that_contribute_one_name_are_both_named(tmp_path):
    path = written(tmp_path, STRANGER.replace('"terse":', '"brief":'))
    with pytest.raises(PluginError, match="both '.*' and '.*' contribute 'brief'"):
        plugin_manager([path])


def test_a_misspelt_hook_is_an_error(tmp_path):
    path = written(tmp_path, STRANGER.replace("ste_drop_judgment", "ste_drop_judgement"))
    with pytest.raises(PluginError, match="ste_drop_judgement"):
        plugin_manager([path])


@pytest.mark.parametrize("text", ["import no_such_module_at_all", "1 / 0", "def broken("])
def test_a_plugin_that_does_not_import_is_named_with_its_error(tmp_path, text):
    with pytest.raises(PluginError, match="hooks.py: cannot be imported"):
        plugin_manager([written(tmp_path, text)])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise SystemExit(0)", r"hooks.py: ste_selectors failed: SystemExit\(0\)"),
        ("raise KeyError('k')", r"hooks.py: ste_selectors failed: KeyError\('k'\)"),
        ("return {3: print, 'mine': print}", "hooks.py: ste_selectors: found the name 3; expected"),
    ],
)
def test_a_hook_that_fails_is_named_with_its_error(tmp_path, body, told):
    text = f"{HEAD}@hookimpl\ndef ste_selectors():\n    {body}\n"
    with pytest.raises(PluginError, match=told):
        plugin_manager([written(tmp_path, text)])


@pytest.mark.parametrize("hook", ["ste_recipe_dirs", "ste_task_dirs"])
def test_a_hook_of_folders_that_fails_is_named_with_its_error(tmp_path, hook):
    text = f"{HEAD}@hookimpl\ndef {hook}():\n    raise OSError('no such share')\n"
    manager = plugin_manager([written(tmp_path, text)])
    with pytest.raises(PluginError, match=f"hooks.py: {hook} failed: OSError.*no such share"):
        contributed_folders(manager, hook)


def test_a_missing_plugin_file_is_named(tmp_path):
    with pytest.raises(PluginError, match="nowhere.py: no such file; expected a Python file"):
        plugin_manager([tmp_path / "nowhere.py"])


def test_an_unknown_name_gives_the_nearest_and_all_there_are():
    with pytest.raises(
        ConfigError, match=r"judging.format: no 'breif'. Did you mean 'brief'\?(.|\n)*criteria"
    ):
        find_contribution(plugin_manager(), "ste_judge_formats", "breif", "judging.format")


def test_engines_are_named_without_being_imported():
    code = (
        "import sys\n"
        "from ste_plugin.plugins.manager import contributions, plugin_manager\n"
        "contributions(plugin_manager(), 'ste_engines')\n"
        "print([name for name in ('ste_plugin.engines.local', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
