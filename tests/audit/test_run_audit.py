"""An audit makes all checks, keeps what they found, and ends with an answer for CI."""

import json
import shutil

import pytest

from ste_plugin.audit import run_audit
from ste_plugin.audit.checks import CHECKS
from ste_plugin.audit.finding import Finding
from ste_plugin.audit.run_audit import audit_run, conclude, read_findings
from ste_plugin.errors import (
    ConfigError,
    DataError,
    EngineError,
    Inconclusive,
    JudgeError,
    NotTrusted,
    PluginError,
)
from ste_plugin.plugins.manager import contributions
from ste_plugin.run.open_run import open_run
from ste_plugin.storage.jsonl import replace_json
from ste_plugin.storage.run_layout import RunLayout
from tests.helpers.command import ste
from tests.helpers.planted_pairs import honest, longer, planted, run_of
from tests.helpers.trained_runs import trained_run

pytestmark = pytest.mark.usefixtures("warm_hosts")

PLUGIN = """
from ste_plugin.audit.finding import Finding
from ste_plugin.errors import ConfigError, DataError, EngineError, JudgeError
from ste_plugin.hookspecs import hookimpl


def lean(context, iteration):
    yield Finding(
        check="lean", name="letters", subject=f"iteration {iteration}", figure=0.5, interval=None,
        threshold=0.6, n=10, failed=False, words="As many A as B.",
    )


def absent(context, iteration):
    raise DataError("eval/test: no judgments there. `ste run` makes them.")


@hookimpl
def ste_audit_checks():
    return {"lean": lean, "absent": absent}
"""


def finding(**more) -> Finding:
    settings = {
        "check": "c",
        "name": "n",
        "subject": "s",
        "figure": 0.5,
        "interval": (0.4, 0.6),
        "threshold": 0.7,
        "n": 100,
        "failed": False,
        "words": "It is.",
    }
    return Finding(**(settings | more))


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "hooks.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def run(tmp_path):
    return run_of(tmp_path, planted(honest, count=100))


def audited(run, plugin, iteration=0, only=()):
    with open_run(run, [plugin], quiet=True) as context:
        return audit_run(context, iteration, only)


def test_the_checks_of_plugins_come_after_our_own(run, plugin):
    with open_run(run, [plugin], quiet=True) as context:
        checks = list(contributions(context.plugins, "ste_audit_checks"))
    assert checks == [*CHECKS, "lean", "absent"]


def test_a_check_of_a_plugin_is_made_as_our_own_are(run, plugin):
    found = audited(run, plugin, only=["lean", "shortcuts"])
    assert [finding.check for finding in found] == ["lean", *["shortcuts"] * 3]


def test_what_was_found_before_an_error_is_shown(tmp_path, plugin):
    run_of(tmp_path, planted(honest, count=100))
    plugin.write_text(PLUGIN.replace("raise DataError(", "raise ConfigError("))
    options = ("--only", "lean", "--only", "absent", "--plugin", "hooks.py")
    done = ste("audit", "run", *options, cwd=tmp_path)
    assert done.returncode == ConfigError.exit_code
    assert "As many A as B." in done.stdout


def test_a_check_that_lacks_what_it_needs_says_so_and_the_others_go_on(run, plugin):
    found = {f.check: f for f in audited(run, plugin, only=["absent", "lean"])}
    assert found["absent"].undecided
    assert found["absent"].words == "eval/test: no judgments there. `ste run` makes them."
    assert found["lean"].figure == 0.5


def test_what_was_found_is_kept_by_iteration_and_by_check(run, plugin):
    (run.parent / "run/iter-02").mkdir()
    audited(run, plugin, 0, ["lean", "absent"])
    audited(run, plugin, 2, ["lean"])
    again = audited(run, plugin, 0, ["lean"])
    kept = read_findings(RunLayout(run.parent / "run"))
    assert {number: list(checks) for number, checks in kept.items()} == {
        0: ["lean", "absent"],
        2: ["lean"],
    }
    assert kept[0]["lean"] == again
    assert kept[2]["lean"][0].subject == "iteration 2"


def test_findings_survive_an_error_of_a_later_check(run, plugin):
    plugin.write_text(PLUGIN.replace("raise DataError(", "raise ConfigError("))
    with pytest.raises(ConfigError):
        audited(run, plugin, only=["lean", "absent"])
    assert list(read_findings(RunLayout(run.parent / "run"))[0]) == ["lean"]


def test_a_damaged_file_of_findings_is_named(run, plugin):
    audited(run, plugin, only=["lean"])
    path = run.parent / "run/audit/findings.json"
    path.write_text(path.read_text().replace('"figure"', '"figures"'))
    with pytest.raises(DataError, match=r"findings.json: changed since it was written"):
        read_findings(RunLayout(run.parent / "run"))


def test_a_check_named_twice_is_made_once(run, plugin):
    assert len(audited(run, plugin, only=["lean", "lean"])) == 1


def test_the_last_iteration_that_was_trained_is_audited_by_default(run, monkeypatch):
    trained = {1, 2}
    monkeypatch.setattr(
        run_audit,
        "find_trained_model",
        lambda output: output if int(output.parent.name[-2:]) in trained else None,
    )
    with open_run(run, [], quiet=True) as context:
        last = run_audit.find_last_trained(context)
        (run.parent / "run/iter-02").mkdir()
        run_audit.check_iteration(context, 2)
        with pytest.raises(ConfigError, match="found 4, which .* has not begun; .* is 1"):
            run_audit.check_iteration(context, 4)
    assert last == 1  # the config asks for one


def test_one_failure_among_many_findings_is_not_trusted():
    with pytest.raises(
        NotTrusted, match=r"(?s)1 of 3 figures breaks its threshold:.*c: length \(easy\)"
    ):
        conclude([finding(), finding(failed=True, name="length", subject="easy"), finding()])


def test_findings_that_keep_their_thresholds_are_trusted_though_some_are_undecided():
    conclude([finding(), finding(figure=None)])


@pytest.mark.parametrize(
    "findings",
    [
        [],
        [finding(figure=None)],
        [finding(threshold=None), finding(figure=None)],
        [finding(figure=0.8), finding(threshold=None)],
    ],
)
def test_findings_of_which_none_surely_keeps_a_threshold_are_inconclusive(findings):
    with pytest.raises(Inconclusive):
        conclude(findings)


FAULTY = [
    ('words="As many A as B.", because="so"', "TypeError: Unexpected keyword argument 'because'"),
    ('words=["A"]', "Expected `str`, got `array` - at `$.words`"),
]


@pytest.mark.parametrize(("mistake", "told"), FAULTY)
@pytest.mark.parametrize(("other", "code"), [(False, 6), (True, 8)])
def test_a_mistake_of_a_plugin_is_told_and_the_other_checks_go_on(
    tmp_path, plugin, mistake, told, other, code
):
    run_of(tmp_path, planted(honest, count=100))
    text = PLUGIN.replace('words="As many A as B."', mistake)
    plugin.write_text(
        text.replace(
            'raise DataError("',
            f'yield Finding("absent", "other", "s", 0.9, None, 0.5, 1, {other}, "',
        )
    )
    options = ("--only", "lean", "--only", "absent", "--plugin", "hooks.py")
    done = ste("audit", "run", *options, cwd=tmp_path)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    shown = "".join(done.stdout.split())
    assert "hooks.py:itscheck'lean'" in shown
    assert told.replace(" ", "") in shown
    assert ("NOT TRUSTED" if other else told) in done.stderr
    assert "other · s" in done.stdout


@pytest.mark.parametrize("what", ["ste.yaml", "run"])
def test_a_run_is_audited_by_its_config_or_its_folder(tmp_path, what):
    run_of(tmp_path, planted(honest))
    done = ste("audit", what, "--only", "shortcuts", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{what}: the seed\n\nshortcuts\nok ")
    assert done.stdout.endswith("\n3 figures keep their thresholds.\n")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_shortcut_ends_the_command_with_8_and_its_figures_are_json(tmp_path):
    run_of(tmp_path, planted(longer(0.95)))
    done = ste("audit", "run", "--json", "--only", "shortcuts", cwd=tmp_path)
    assert done.returncode == 8
    shown = json.loads(done.stdout)
    assert shown["iteration"] == 0
    failed = [f for f in shown["findings"] if f["failed"]]
    assert failed[0]["name"] == "length and format"
    assert "NOT TRUSTED" in done.stderr


def test_the_audit_of_a_seed_that_is_only_told_is_inconclusive(tmp_path):
    run_of(tmp_path, planted(honest))
    done = ste("audit", "run", "--only", "collapse", "--iteration", "0", cwd=tmp_path)
    assert done.returncode == 9
    assert "INCONCLUSIVE" in done.stderr


def test_the_iteration_that_the_run_ships_is_named_where_another_is_examined(tmp_path):
    run_of(tmp_path, planted(honest))
    replace_json(tmp_path / "run/report.json", {"best": 1})
    done = ste("audit", "run", "--only", "shortcuts", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == (
        "run: the seed. The run ships iteration 1; examine it: --iteration 1"
    )
    done = ste("audit", "run", "--only", "shortcuts", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["shipped"] == 1


def test_too_few_pairs_end_the_command_with_9(tmp_path):
    run_of(tmp_path, planted(longer(0.95), count=30))
    done = ste("audit", "run", "--only", "shortcuts", cwd=tmp_path)
    assert done.returncode == 9
    assert "INCONCLUSIVE" in done.stderr
    assert "undecided" in done.stdout


@pytest.mark.parametrize("error", [EngineError, JudgeError])
def test_a_judge_that_cannot_be_asked_leaves_its_check_undecided_and_the_others_go_on(
    tmp_path, plugin, error
):
    run_of(tmp_path, planted(honest, count=100))
    plugin.write_text(PLUGIN.replace("raise DataError(", f"raise {error.__name__}("))
    options = ("--only", "absent", "--only", "lean", "--plugin", "hooks.py")
    done = ste("audit", "run", *options, cwd=tmp_path)
    assert done.returncode == Inconclusive.exit_code
    assert "undecided not examined · seed" in done.stdout
    assert "eval/test: no judgments there." in done.stdout
    assert "As many A as B." in done.stdout  # it was made, and kept its threshold
    assert "INCONCLUSIVE: a check could not be made:" in done.stderr


def test_a_figure_that_failed_weighs_more_than_a_judge_that_cannot_be_asked():
    with pytest.raises(NotTrusted):
        conclude([finding(failed=True)], [EngineError("no weights")])
    with pytest.raises(PluginError, match="mistake"):
        conclude([finding()], [EngineError("no weights"), PluginError("mistake")])


def test_weights_that_are_gone_leave_the_probes_undecided_and_the_other_checks_made(
    tiny_model, tmp_path
):
    path = trained_run(
        tmp_path,
        tiny_model,
        dataset={"dev_fraction": 0.2, "test_fraction": 0.5},
        judging={"format": "verdict", "samples": 1, "force_verdict": True},
    )
    text = path.read_text().replace("engine: fake", "engine: local")
    path.write_text(text.replace("  options:\n    judges: well\n", ""))
    for weights in (tmp_path / "run/iter-01/model/merged").glob("*.safetensors"):
        weights.unlink()
    options = ("--only", "probes", "--only", "contamination", "--plugin", "hooks.py")
    options += ("--pairs", "2", "--probe", "worse padded")
    done = ste("audit", str(path), *options, cwd=tmp_path)
    assert done.returncode == Inconclusive.exit_code, done.stderr
    assert "undecided not examined · iteration 1" in done.stdout
    assert "cannot be loaded as a model" in " ".join(done.stdout.split())
    assert "\ncontamination\n" in done.stdout


def test_two_audits_at_once_say_what_to_do(tmp_path):
    path = run_of(tmp_path, planted(honest, count=100))
    with open_run(path, [], quiet=True):
        done = ste("audit", "run", "--only", "contamination", cwd=tmp_path)
    assert done.returncode == ConfigError.exit_code
    assert "another ste process works on this run" in done.stderr
    assert f"copy {tmp_path} (cp -r) and look at the run in the copy." in done.stderr
    copy = tmp_path.with_name(f"{tmp_path.name}-copy")
    shutil.copytree(tmp_path, copy)
    with open_run(path, [], quiet=True):
        done = ste("audit", "run", "--only", "shortcuts", cwd=copy)
    assert done.returncode == 0, done.stderr


def test_fewer_probes_and_pairs_can_be_asked_for_on_the_command_line(tiny_model, tmp_path):
    path = trained_run(tmp_path, tiny_model, 0, dataset={"dev_fraction": 0.2, "test_fraction": 0.5})
    options = ("--only", "probes", "--plugin", "hooks.py", "--pairs", "26")
    done = ste("audit", str(path), *options, "--probe", "worse padded", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "26 test pairs" in done.stderr
    assert "worse padded · seed" in done.stdout and "orders swapped" not in done.stdout
    done = ste("audit", str(path), *options, "--probe", "worse paded", cwd=tmp_path)
    assert done.returncode == ConfigError.exit_code
    assert "--probe: no 'worse paded'. Did you mean 'worse padded'?" in done.stderr
