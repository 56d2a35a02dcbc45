"""Observers of finished iterations, as plugins implement them."""

from pathlib import Path

from tests.helpers.judged_runs import HOOKS, config_of, judges_trained, run

SEEN = """
@hookimpl
def ste_iteration_finished({}):
    with open({!r}, "a") as seen:
        seen.write("seen ")
"""


def test_an_observer_without_arguments_is_called_like_one_with_its_report(tiny_model, tmp_path):
    path = config_of(tmp_path, tiny_model, iterations=1)
    files = [str(tmp_path / "plain"), str(tmp_path / "given")]
    (tmp_path / "hooks.py").write_text(HOOKS + SEEN.format("", files[0]))
    (tmp_path / "more.py").write_text(HOOKS[: HOOKS.index("@")] + SEEN.format("report", files[1]))
    text = path.read_text().replace("hooks.py", "hooks.py\n- more.py", 1)
    path.write_text(text)
    with judges_trained(0.9):
        run(path)
    assert [Path(file).read_text() for file in files] == ["seen seen "] * 2
