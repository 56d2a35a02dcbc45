"""What a run was made with is not left out of it in silence when it goes on."""

import pytest
import yaml

from ste_plugin.errors import ConfigError
from ste_plugin.run import loop
from ste_plugin.run.open_run import open_run
from ste_plugin.run.part import open_part, parse_part
from ste_plugin.run.redo import Redo
from ste_plugin.storage.jsonl import read_json
from tests.helpers.fake_runs import written
from tests.helpers.judged_runs import config_of, judges_trained
from tests.helpers.plugin_files import HEAD, installed_plugin
from tests.helpers.tiny_model import save_without_weights

GATE = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_gates(figures):
    return ["it repeats a customer's name"]
"""
DROPS = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_drop_judgment(judgment, pair):
    return "against our policy" if "number 1" in pair.instruction else None
"""
OBSERVER = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_iteration_finished(report):
    pass
"""
NAMED = """
from ste_plugin.hookspecs import hookimpl

@hookimpl
def ste_sources():
    return {"of-nobody": lambda source, base: ()}
"""


@pytest.fixture
def model(tmp_path):
    return save_without_weights(tmp_path / "model")


def policy(folder, text):
    path = folder / "policy.py"
    path.write_text(text)
    return path


def opened(path, *files, redo=None):
    with open_run(path, files, quiet=True, redo=redo) as context:
        return read_record(context.folder.config)


def read_record(file):
    return yaml.safe_load(file.read_text())["plugins"]


@pytest.mark.parametrize(
    ("text", "hook", "stage"),
    [
        (GATE, "ste_gates", "eval"),
        (DROPS, "ste_drop_judgment", "generate"),
    ],
)
def test_a_run_goes_on_only_with_the_plugins_it_was_made_with(model, tmp_path, text, hook, stage):
    path, file = written(tmp_path, model), policy(tmp_path, text)
    assert opened(path, file) == {"policy.py": [hook]}
    with pytest.raises(ConfigError, match=r"--plugin policy\.py.*\n?.*--from " + stage):
        opened(path)
    assert opened(path, file) == {"policy.py": [hook]}


def test_a_plugin_may_go_where_all_that_it_acted_on_is_made_anew(model, tmp_path):
    path = written(tmp_path, model, iterations=2)
    opened(path, policy(tmp_path, DROPS))
    with pytest.raises(ConfigError, match="policy.py"):
        opened(path, redo=Redo("eval"))
    with pytest.raises(ConfigError, match="policy.py"):
        opened(path, redo=Redo("generate", 2))
    assert opened(path, redo=Redo("generate")) == {}
    assert opened(path) == {}


def test_a_plugin_may_come_later_and_be_moved(model, tmp_path):
    path, other = written(tmp_path, model), tmp_path / "other"
    other.mkdir()
    assert opened(path) == {}
    assert opened(path, policy(tmp_path, GATE)) == {"policy.py": ["ste_gates"]}
    assert opened(path, policy(other, GATE)) == {"policy.py": ["ste_gates"]}


@pytest.mark.parametrize("text", [NAMED, OBSERVER])
def test_a_plugin_that_nothing_was_made_by_may_go(model, tmp_path, text):
    path = written(tmp_path, model)
    assert opened(path, policy(tmp_path, text)) == {}


def test_a_run_does_not_go_on_without_a_plugin_that_was_uninstalled(model, tmp_path, monkeypatch):
    path, body = written(tmp_path, model), GATE.replace(HEAD, "")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(installed_plugin(tmp_path / "site", body, "acme_of_the_run"))
        assert opened(path) == {"acme_of_the_run": ["ste_gates"]}
    with pytest.raises(ConfigError, match="plugin acme_of_the_run.*install it again"):
        opened(path)


def test_a_part_is_answered_only_with_the_plugins_of_the_run(model, tmp_path):
    path, part = written(tmp_path, model), parse_part("1/2")
    opened(path, policy(tmp_path, DROPS))
    with (
        pytest.raises(ConfigError, match="policy.py"),
        open_part(path, [], part, quiet=True),
    ):
        pass


def test_a_gate_that_broke_decides_on_although_no_record_of_plugins_was_kept(model, tmp_path):
    path, file = config_of(tmp_path, model, iterations=1), policy(tmp_path, GATE)
    with judges_trained(0.95):
        with open_run(path, [file], quiet=True) as context:
            loop.run(context)
        record = yaml.safe_load((tmp_path / "run/run.yaml").read_text())
        del record["plugins"]
        (tmp_path / "run/run.yaml").write_text(yaml.safe_dump(record))
        with (
            pytest.raises(ConfigError, match=r"gates\.json: made with the plugin policy\.py"),
            open_run(path, [], quiet=True) as context,
        ):
            loop.run(context)
        assert read_json(tmp_path / "run/iter-01/gates.json")["plugins"]
        with open_run(path, [], quiet=True, redo=Redo("eval")) as context:
            assert not loop.run(context)[1].broken
