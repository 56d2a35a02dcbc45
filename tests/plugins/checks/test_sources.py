"""Sources of instructions, read twice."""

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers.plugin_files import plugin_file

SOURCE = """
def rows(source, base):
    {}

@hookimpl
def ste_sources():
    return {{"mine": rows}}
"""
GOOD = "\n    ".join(
    [
        "for n, line in enumerate((base / source.path).read_text().splitlines(), 1):",
        "    yield f'{source.path}:{n}', {'instruction': line}",
    ]
)


def problems_of(tmp_path, lines: str, sample: object = "asked.txt") -> list[str]:
    (tmp_path / "asked.txt").write_text("Name a fruit.\nName a tool.\n")
    path = plugin_file(tmp_path, SOURCE.format(lines))
    sample = str(tmp_path / sample) if isinstance(sample, str) else sample
    return check_plugin(path, sources={"mine": sample})


def test_a_source_that_fits_has_no_problem(tmp_path):
    assert problems_of(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("yield {'instruction': 'Name a fruit.'}", "expected (place, row)"),
        ("return [{'instruction': 'Name a fruit.'}]", "expected (place, row)"),
        ("yield None, {'instruction': 'Name a fruit.'}", "a row has the place None"),
        ("yield 'a:1', 'Name a fruit.'", "a:1: the row is 'Name a fruit.'"),
        ("yield from ()", "it read no row of the sample"),
        ("yield 'a:1', {'question': 'Why?'}", "a:1"),
        (
            "for text in ('Name a fruit.', 'Name a tool.'):\n"
            "        yield 'a', {'instruction': text}",
            "'a' is the place of several rows",
        ),
        (
            "rows.n = getattr(rows, 'n', 0) + 1\n"
            "    yield f'a:{rows.n}', {'instruction': 'Name a fruit.'}",
            "it read other rows when called again",
        ),
    ],
)
def test_a_source_that_does_not_fit_is_told_why(tmp_path, lines, told):
    (problem,) = problems_of(tmp_path, lines)
    assert problem.startswith("ste_sources: 'mine': ")
    assert told in problem


def test_a_source_that_is_read_out_by_the_first_reading_is_told_so(tmp_path):
    body = """
    ROWS = iter([("a:1", {"instruction": "Name a fruit."})])

    @hookimpl
    def ste_sources():
        return {"mine": lambda source, base: ROWS}
    """
    (problem,) = check_plugin(plugin_file(tmp_path, body), sources={"mine": "any"})
    assert "it read other rows when called again" in problem


def test_a_source_of_one_argument_is_told_so_though_it_has_no_sample(tmp_path):
    body = """
    @hookimpl
    def ste_sources():
        return {"mine": lambda source: []}
    """
    (problem,) = check_plugin(plugin_file(tmp_path, body))
    assert "cannot be called with two arguments" in problem


def test_a_sample_of_a_source_that_is_none_is_told(tmp_path):
    path = plugin_file(tmp_path, SOURCE.format(GOOD))
    (problem,) = check_plugin(path, sources={"mein": "asked.txt"})
    assert problem == "sources: 'mein' is none of the plugin's; expected one of mine"


def test_settings_of_a_source_are_those_of_a_config(tmp_path):
    columned = GOOD.replace("'instruction'", "'question'")
    settings = {"path": str(tmp_path / "asked.txt"), "columns": {"instruction": "question"}}
    assert problems_of(tmp_path, columned, settings) == []
