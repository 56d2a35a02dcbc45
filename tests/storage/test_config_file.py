"""A run's YAML and its defaults; for what is wrong with one see bad_input/catalogue/configs.py."""

from ste_plugin.storage.config_file import changed_fields
from tests.helpers.builders import config


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

    settings = Path(module.__file__).parent
    files = [p for p in settings.parent.rglob("*.py") if settings not in p.parents]
    code = "".join(p.read_text() for p in files)
    keys = {name for model in settings_models() for name in getattr(model, "model_fields", {})}
    assert {key for key in keys if not re.search(rf"\.{key}\b", code)} == set()
