"""The study's page: a table per model and round, with what each arm cost."""

import json
from pathlib import Path

import pytest

from study import page
from study.inputs import CHOOSING, REPORTING
from tests.helpers.study_rows import row


def test_the_page_has_a_plot_per_model_and_a_row_per_arm_with_costs_gains_and_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study.md").write_text("<!-- study: results -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(page, "PAGE", tmp_path / "study.md")
    rows = [row(set=name, seed=seed) for name in (*CHOOSING, *REPORTING) for seed in (0, 1)]
    monkeypatch.setattr(page, "read_results", lambda: json.loads(json.dumps(rows)))
    page.write_page()
    text = (tmp_path / "study.md").read_text()
    assert "old" not in text and "](study-small.svg)" in text and "**Round 1**" in text
    gain = "0.00 → 0.30 ▲2 (accuracy 0.60, the longer 0.70)"
    assert f"| `base` | 2 | 300 | 3,000 | 12 |{f' {gain} |' * 6}" in text
    assert f"| `base` |{' 8 of 10 |' * 6}" in text
    assert (tmp_path / "study-small.svg").read_text().startswith("<svg")
