"""With which format the audit says that a run's model is to be measured."""

import pytest

from ste_plugin.audit.judge_words import judge_words
from ste_plugin.audit.people_file import read_people
from ste_plugin.errors import DataError
from tests.helpers.source_files import written


def told(folder, model):
    row = {"id": "p", "prompt": "Name a fruit.", "chosen": "An apple.", "rejected": "A spade."}
    labels = written(folder, row, name="labels.jsonl")
    with pytest.raises(DataError) as error:
        judge_words(model, read_people(labels), labels)
    return str(error.value)


def test_a_format_of_a_file_is_named_by_the_runs_file(tmp_path):
    model = tmp_path / "run/iter-01/model/merged"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert "--format" not in told(tmp_path, model)
    (tmp_path / "run/judge_format.yaml").write_text("like: brief\nrubric: It is right.\n")
    assert f" --format {tmp_path}/run/judge_format.yaml --out" in told(tmp_path, model)
