"""Hooks that look at a run, on one that has no figures yet."""

import pytest

from ste_plugin.testing import check_plugin
from tests.helpers.plugin_files import plugin_file


def hook(signature: str, *lines: str) -> str:
    return "@hookimpl\n" + f"def {signature}:\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            hook(
                "ste_gates(figures)",
                "accuracy = figures.evaluations[figures.number]['dev']['overall']['acc']",
                "return [] if accuracy > 0.5 else ['worse than a coin']",
            ),
            "ste_gates: where nothing was measured, it raised KeyError('dev')",
        ),
        (
            hook(
                "ste_gates(figures)",
                "results = figures.evaluations[figures.number].get('dev')",
                "return ['bad'] if results and results['overall']['acc'] < 0.5 else []",
            ),
            "ste_gates: where no pairs were left, it raised KeyError('acc')",
        ),
        (
            hook("ste_gates(figures)", "return 'worse than a coin'"),
            "ste_gates: it returned 'worse than a coin'; expected a list",
        ),
        (
            hook("ste_gates(figures)", "yield 'worse than a coin'"),
            "ste_gates: it returned a generator; expected a list",
        ),
        (
            hook("ste_gates(figures)", "return [0.3]"),
            "ste_gates: a list with 0.3; expected sentences or Findings",
        ),
        (
            "SEEN = []\n\n"
            + hook("ste_gates(figures)", "SEEN.append(1)", "return [f'{len(SEEN)} times']"),
            "ste_gates: it returned another result when called again",
        ),
        (
            hook("ste_drop_judgment(judgment)", "return len(judgment.text) < 9"),
            "ste_drop_judgment: it returned True; expected a reason in words, or None",
        ),
        (
            hook("ste_drop_judgment(judgment)", "return ''"),
            "ste_drop_judgment: it returned ''; expected a reason in words",
        ),
        (
            hook("ste_drop_judgment(judgment)", "return judgment.text.split()[0] * 0 or None"),
            "ste_drop_judgment: called as a run calls it, it raised IndexError",
        ),
        (
            hook("ste_report_sections(run)", "return [run.shown.name]"),
            "ste_report_sections: called as a run calls it, it raised AttributeError",
        ),
        (
            hook("ste_report_sections(run)", "return ['<h2>Ours</h2>']"),
            "ste_report_sections: a list with '<h2>Ours</h2>'; expected",
        ),
        (
            hook("ste_audit_checks()", "return {'mine': lambda context, iteration: ['odd']}"),
            "ste_audit_checks: 'mine' yielded 'odd'; expected Findings",
        ),
        (
            hook(
                "ste_audit_checks()",
                "return {'mine': lambda c, n: [c.folder.pool.joinpath('x').read_text()]}",
            ),
            "ste_audit_checks: 'mine' raised FileNotFoundError",
        ),
    ],
)
def test_a_hook_that_expects_figures_or_says_something_else_is_told_so(tmp_path, body, told):
    problems = check_plugin(plugin_file(tmp_path, body))
    assert len(problems) >= 1
    assert problems[0].startswith(told), problems


def test_an_observer_is_not_called_as_it_may_send_something(tmp_path):
    path = plugin_file(tmp_path, hook("ste_iteration_finished(report)", "raise SystemExit(9)"))
    assert check_plugin(path) == []


def test_a_check_that_says_what_it_lacks_fits(tmp_path):
    lines = (
        "def mine(context, iteration):",
        "    raise DataError('no pairs were made yet')",
        "return {'mine': mine}",
    )
    body = "from ste_plugin.errors import DataError\n\n" + hook("ste_audit_checks()", *lines)
    assert check_plugin(plugin_file(tmp_path, body)) == []
