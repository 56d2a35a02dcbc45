"""A run's YAML and its defaults; for what is wrong with one see bad_input/catalogue/configs.py."""

from pathlib import Path

import pytest

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


def test_a_tilde_is_the_home_folder_wherever_a_path_is_used_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    found = config(
        tmp_path,
        run="~/runs/x",
        judge="{model: ~/models/x}",
        generator="{model: ~/models/y, engine: local}",
        privacy="{name_model: ~/models/z}",
        hosts="{train: {python: ~/venv/bin/python}}",
        plugins="[~/hooks.py]",
    )
    assert found.run == Path("/home/me/runs/x")
    assert [model.model for model in found.models.values()] == [
        "/home/me/models/x",
        "/home/me/models/y",
    ]
    assert "~" not in found.model_dump_json()


def test_a_file_of_rows_keeps_the_name_that_it_is_given(tmp_path):
    found = config(tmp_path, instructions="[{path: ~/data/*.jsonl}]", pairs="{given: ~/p.jsonl}")
    assert (found.instructions[0].path, found.pairs.given[0].path) == (
        "~/data/*.jsonl",
        "~/p.jsonl",
    )


@pytest.mark.parametrize("name", ["some/judge", "data/~old.jsonl", "price-$5.jsonl", "a$b.jsonl"])
def test_a_path_without_home_and_variables_stays_as_it_is_written(tmp_path, name):
    found = config(tmp_path, run=name, judge=f"{{model: {name}}}")
    assert (str(found.run), found.judge.model) == (name, name)


@pytest.mark.parametrize(
    ("python", "found"),
    [
        ("envs/train/bin/python", "{folder}/envs/train/bin/python"),
        ("/opt/venv/bin/python", "/opt/venv/bin/python"),
        ("python3.12", "python3.12"),
    ],
)
def test_an_interpreter_is_found_from_the_configs_folder_or_by_its_name(tmp_path, python, found):
    hosts = f"{{{', '.join(f'{h}: {{python: {python}}}' for h in ('train', 'eval', 'serve'))}}}"
    read = config(tmp_path, hosts=hosts).hosts
    wanted = found.format(folder=tmp_path)
    assert [read.train.python, read.eval.python, read.serve.python] == [wanted] * 3
