"""A short, seeded share of `make fuzz`: inputs that coverage leads to."""

import importlib.util
import subprocess
import sys

import pytest

from tests.helpers import environment


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris")
@pytest.mark.parametrize(("target", "runs"), [("replies", 500), ("prompts", 1000), ("yaml", 4000)])
def test_no_input_that_coverage_leads_to_breaks_a_promise(target, runs, tmp_path):
    command = [sys.executable, "-m", "tests.security.fuzz", target]
    done = subprocess.run(
        [*command, f"-runs={runs}", "-seed=7", "-max_len=200"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr
