"""Hooks that nothing would call, and names that nothing could look up."""

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers.plugin_files import plugin_file


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "@hookimpl\ndef ste_source():\n    return {}\n",
            "no hook is called 'ste_source'. Did you mean 'ste_sources'?",
        ),
        (
            "def ste_gates(figures):\n    return []\n",
            "ste_gates is not marked, so that nothing calls it. Put @hookimpl",
        ),
        (
            "def ste_gate(figures):\n    return []\n",
            "ste_gate is not marked, so that nothing calls it. Did you mean 'ste_gates'?",
        ),
        (
            "@hookimpl\ndef ste_drop_judgment(judgement, pair):\n    return None\n",
            "ste_drop_judgment: found the argument 'judgement'; expected none but judgment, pair.",
        ),
        (
            "@hookimpl\ndef ste_sources(config):\n    return {}\n",
            "ste_sources: found the argument 'config'; expected none. Rename it",
        ),
        (
            "@hookimpl\ndef ste_selectors():\n    yield {'mine': print}\n",
            "ste_selectors returned <generator",
        ),
        (
            "@hookimpl\ndef ste_selectors():\n    return ['mine']\n",
            "ste_selectors returned ['mine']; expected a dictionary {name: …}",
        ),
        (
            "@hookimpl\ndef ste_selectors():\n    return {'limit': print}\n",
            "/hooks.py' contribute 'limit'. Rename one of them.",
        ),
        (
            """
            @hookimpl
            def ste_selectors():
                return {" mine": lambda instructions, config: (instructions, ())}
            """,
            "ste_selectors: ' mine' as a name; expected a text without spaces around it",
        ),
        (
            """
            from itertools import count

            NUMBERS = count()

            @hookimpl
            def ste_selectors():
                return {f"mine-{next(NUMBERS)}": lambda instructions, config: (instructions, ())}
            """,
            "ste_selectors: it returned another result when called again",
        ),
        (
            """
            @hookimpl
            def ste_engines():
                return {"mine": "os.path:basename"}
            """,
            "os.path:basename: it cannot be called as factory(model, place)",
        ),
    ],
)
def test_a_hook_that_nothing_calls_or_finds_is_told(tmp_path, body, told):
    problems = check_plugin(plugin_file(tmp_path, body))
    assert len(problems) == 1
    assert told in problems[0]


def test_a_helper_that_is_no_hook_is_left_alone(tmp_path):
    body = """
    def steady(text):
        return text

    @hookimpl
    def ste_drop_judgment(judgment):
        return "too short" if len(steady(judgment.text)) < 9 else None
    """
    assert check_plugin(plugin_file(tmp_path, body)) == []
