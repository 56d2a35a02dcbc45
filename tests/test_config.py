"""A run's YAML: what is wrong is named, with the nearest right key."""

import pytest

from builders import config, config_text
from ste_plugin.config_file import changed_fields, read_config
from ste_plugin.errors import ConfigError
from ste_plugin.starter import STARTER


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"iteration": "2"}, "iteration: unknown key; did you mean 'iterations'"),
        ({"judging": "{sample: 3}"}, "judging.sample: unknown key; did you mean 'samples'"),
        ({"instructions": "[{pth: x}]"}, "instructions.0.pth: unknown key; did you mean 'path'"),
        ({"instructions": "[]"}, "instructions: Tuple should have at least 1 item"),
        ({"judge": "{engine: local}"}, "judge.model: missing"),
        ({"iterations": "0"}, "iterations: Input should be greater than or equal to 1"),
        ({"judging": "{top_p: 0}"}, "judging.top_p: Input should be greater than 0"),
        ({"keep": "first"}, "keep: Input should be 'best' or 'last'"),
        (
            {"dataset": "{dev_fraction: 0.6, test_fraction: 0.5}"},
            "leave under a tenth for training",
        ),
        ({"selection": "{min_complexity: 5}"}, "a complexity range needs labels: set label: true"),
        (
            {"selection": "{label: true, min_complexity: 5, max_complexity: 3}"},
            "min_complexity 5 is above",
        ),
        (
            {"hosts": "{train: {pyhton: x}}"},
            "hosts.train.pyhton: unknown key; did you mean 'python'",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(tmp_path, more, message):
    path = tmp_path / "ste.yaml"
    path.write_text(config_text(**more))
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "found list"),
        (b"a: [", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "found NoneType"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, content, message):
    path = tmp_path / "ste.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_a_missing_config_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError, match="no such file. `ste init`"):
        read_config(tmp_path / "none.yaml")


def test_the_starter_config_is_valid(tmp_path):
    path = tmp_path / "ste.yaml"
    path.write_text(STARTER)
    assert read_config(path).judging.samples == 15


def test_every_default_shown_in_the_starter_config_is_a_key_that_exists(tmp_path):
    import re

    path = tmp_path / "ste.yaml"
    text = re.sub(r"(?m)^(\s*)# ?(?=\s*[a-z_]+:)", r"\1", STARTER)
    text = text.replace("ste run ste.yaml:", "#")
    path.write_text(text)
    assert read_config(path).generator.options["api_key_env"] == "MY_API_KEY"


def test_defaults_are_the_papers(tmp_path):
    judging = config(tmp_path).judging
    assert (judging.samples, judging.temperature, judging.top_p) == (15, 0.7, 0.9)


def test_changed_settings_are_told_by_their_place():
    found = changed_fields({"a": {"b": 1, "c": 2}, "d": 1}, {"a": {"b": 1, "c": 3}, "d": 1})
    assert found == ["a.c: 2 → 3"]


def settings_models() -> list[type]:
    from pydantic import BaseModel

    from ste_plugin import config as module

    return [m for m in vars(module).values() if isinstance(m, type) and issubclass(m, BaseModel)]


def test_every_key_that_is_accepted_is_read_somewhere():
    import re
    from pathlib import Path

    from ste_plugin import config as module

    package = Path(module.__file__).parent
    code = "".join(p.read_text() for p in package.rglob("*.py") if p.name != "config.py")
    keys = {name for model in settings_models() for name in getattr(model, "model_fields", {})}
    assert {key for key in keys if not re.search(rf"\.{key}\b", code)} == set()
