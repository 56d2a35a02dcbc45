"""A run's YAML and its defaults; for what is wrong with one see bad_input/catalogue/configs.py."""

from ste_plugin.run.starter import STARTER
from ste_plugin.storage.config_file import changed_fields, read_config
from tests.helpers.builders import config


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
